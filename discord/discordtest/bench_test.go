package discordtest_test

import (
	"encoding/json"
	"runtime"
	"testing"

	"github.com/coder/websocket"

	"gatecamp/discord/discordtest"
)

const large = 250_000

// heap is what lives after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkLoad250000Members(b *testing.B) {
	for b.Loop() {
		before := heap()
		w, err := discordtest.LoadWorld("empty")
		if err != nil {
			b.Fatal(err)
		}
		s, err := discordtest.New(discordtest.Config{World: w.Populate(large, 1)})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/(1<<20), "MB")
		runtime.KeepAlive(s)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// The socket is read and thrown away: what is measured is this server's encoding, compression and writing.
func BenchmarkChunksOf250000Members(b *testing.B) {
	w, err := discordtest.LoadWorld("empty")
	if err != nil {
		b.Fatal(err)
	}
	s, wait, err := discordtest.Start(b.Context(), discordtest.Config{World: w.Populate(large, 1), Unlimited: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
		wait()
	})
	c, _, err := websocket.Dial(b.Context(), s.GatewayURL()+"?v=10&encoding=json&compress=zstd-stream", nil)
	if err != nil {
		b.Fatal(err)
	}
	c.SetReadLimit(1 << 30)
	send := func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Write(b.Context(), websocket.MessageText, data); err != nil {
			b.Fatal(err)
		}
	}
	read := func(n int) {
		for range n {
			if _, _, err := c.Read(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	send(map[string]any{"op": 2, "d": map[string]any{"token": s.Bot(discordtest.BotGatecamp).Token, "intents": 7}})
	read(3) // hello, ready, guild
	for b.Loop() {
		send(map[string]any{"op": 8, "d": map[string]any{"guild_id": s.GuildIDs()[0].String(), "query": "", "limit": 0}})
		read((large + 3 + 999) / 1000)
	}
	b.ReportMetric(float64(large)*float64(b.N)/b.Elapsed().Seconds(), "members/s")
}
