package snapshot_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
)

// large is a guild as Discord gives it: 250 roles, six per member, 5 in 100 members wrong.
func large(members int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString(`{"guild": {"id": "1", "owner_id": "1000000000000000000", "bot_top_position": 300}, "guild_roles": [{"id": "1", "name": "@everyone"}`)
	for i := range 249 {
		fmt.Fprintf(&b, `,{"id": "%d", "name": "Group %d", "position": %d, "permissions": "0", "managed": false, "color": 0, "hoist": false}`, 900000000000000000+i, i, i+1)
	}
	b.WriteString(`], "guild_members": [`)
	for i := range members {
		switch {
		case i == 0:
			b.WriteByte('[')
		case i%1000 == 0:
			b.WriteString("],[")
		default:
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"avatar":null,"user":{"id":"%d","username":"pilot_%d","global_name":"Pilot %d","bot":false},"nick":null,"joined_at":"2025-01-01T10:00:00.123000+00:00","pending":false,"flags":0,"roles":[`, 1000000000000000000+i, i, i)
		for j := range 6 {
			if j > 0 {
				b.WriteByte(',')
			}
			group := (i + j) % 249
			if j == 5 && r.IntN(20) == 0 {
				group = (i + 100) % 249
			}
			fmt.Fprintf(&b, `"%d"`, 900000000000000000+group)
		}
		b.WriteString("]}")
	}
	b.WriteString(`]], "aa": {"states": ["Member"], "access": {"states": ["Member"]}, "groups": [`)
	for i := range 249 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"Group %d"`, i)
	}
	b.WriteString(`], "policy": {"surplus_roles": "strip"}, "users": [`)
	for i := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"username":"pilot_%d","state":"Member","main":"Pilot %d","discord_uid":"%d","groups":[`, i+1, i, i, 1000000000000000000+i)
		for j := range 6 {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"Group %d"`, (i+j)%249)
		}
		b.WriteString("]}")
	}
	b.WriteString("]}}")
	return b.Bytes()
}

func benchmarkParse(b *testing.B, members int) {
	data := large(members)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := snapshot.Parse(bytes.NewReader(data), "guild.json"); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkReplay(b *testing.B, members int) {
	f := parse(b, large(members))
	b.ReportAllocs()
	for b.Loop() {
		if err := snapshot.Replay(f, audit.Gates{}).WriteJSON(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse50000(b *testing.B)   { benchmarkParse(b, 50_000) }
func BenchmarkParse250000(b *testing.B)  { benchmarkParse(b, 250_000) }
func BenchmarkReplay50000(b *testing.B)  { benchmarkReplay(b, 50_000) }
func BenchmarkReplay250000(b *testing.B) { benchmarkReplay(b, 250_000) }

func BenchmarkParseMembersAlone50000(b *testing.B) {
	data := large(50_000)
	data = append(data[:bytes.Index(data, []byte(`, "aa"`))], '}')
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := snapshot.Parse(bytes.NewReader(data), "guild.json"); err != nil {
			b.Fatal(err)
		}
	}
}
