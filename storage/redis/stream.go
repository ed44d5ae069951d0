package redis

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// Stream listens to the news of a fleet. Its heart beats by what this process itself sends every storage.PulseEvery and hears again, so
// silence means that the way through the server is broken.
type Stream struct {
	fleet *Fleet
	pulse *storage.Pulse
}

// Stream makes the stream; it connects when it runs.
func (f *Fleet) Stream() *Stream { return &Stream{f, storage.NewPulse(time.Now())} }

// Silent reports whether nothing was heard for longer than storage.SilentAfter.
func (s *Stream) Silent(at time.Time) bool { return s.pulse.Silent(at) }

// reconnectAfter is the pause before a lost connection is made anew.
const reconnectAfter = 200 * time.Millisecond

// Run tells of every change until the context ends. A lost connection is made anew, and then the store must be asked.
func (s *Stream) Run(ctx context.Context, news func(storage.BlockNews)) error {
	for ctx.Err() == nil {
		_ = s.listen(ctx, news) // why it broke is told by whoever asks the server next
		t := time.NewTimer(reconnectAfter)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}

func (s *Stream) listen(ctx context.Context, news func(storage.BlockNews)) (err error) {
	defer wrap.Err(&err, "redis: listen for blocks")
	sub := s.fleet.db.Subscribe(ctx, s.fleet.channel)
	// A read does not end with its context, only with its connection.
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })()
	defer func() { _ = sub.Close() }()
	if _, err := sub.ReceiveTimeout(ctx, storage.SilentAfter); err != nil {
		return err
	}
	beating, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); s.beat(beating) }()
	defer func() { stop(); <-ended }()
	news(storage.BlockNews{})
	for {
		got, err := sub.ReceiveTimeout(ctx, 2*storage.SilentAfter)
		if err != nil {
			return err
		}
		s.pulse.Beat(time.Now())
		if m, is := got.(*redis.Message); is && len(m.Payload) > 1 {
			tell(m.Payload, news)
		}
	}
}

// tell hands over what the words say; those that cannot be understood mean that something changed.
func tell(words string, news func(storage.BlockNews)) {
	var b storage.Block
	if json.Unmarshal([]byte(words[1:]), &b) != nil || b.Scope == "" {
		news(storage.BlockNews{})
		return
	}
	b.Evidence = nil
	switch words[:1] {
	case newsBlock:
		news(storage.BlockNews{Revision: b.Revision, Block: &b})
	case newsHeld:
		news(storage.BlockNews{Block: &b, Held: true})
	}
}

// beat sends what the stream hears, until the context ends.
func (s *Stream) beat(ctx context.Context) {
	t := time.NewTicker(storage.PulseEvery)
	defer t.Stop()
	for {
		within, cancel := context.WithTimeout(ctx, callWithin)
		_ = s.fleet.db.Publish(within, s.fleet.channel, newsBeat).Err() // silence tells
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
