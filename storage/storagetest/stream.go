package storagetest

import (
	"context"
	"testing"
	"time"

	"gatecamp/storage"
)

// Stream is a stream of blocks.
type Stream interface {
	Silent(at time.Time) bool
	Run(ctx context.Context, news func(storage.BlockNews)) error
}

// streamWithin is how long a test waits for what must come.
const streamWithin = 20 * time.Second

// RunStream holds a stream to its promises: it tells of what other processes change, of nothing that was not committed, and its heart
// beats. The stores are of the same database.
func RunStream(t *testing.T, s Stream, here, there storage.Store) {
	t.Helper()
	if !s.Silent(time.Now()) {
		t.Error("it is heard before it runs")
	}
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan int64, 100), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(n storage.BlockNews) { told <- n.Revision }) }()
	next := func(what string, is func(int64) bool) {
		t.Helper()
		within := time.After(streamWithin)
		for {
			select {
			case got := <-told:
				if is(got) {
					return
				}
			case <-within:
				t.Fatalf("nothing was told of %s", what)
			}
		}
	}
	next("the beginning", func(int64) bool { return true })
	b := storage.Block{Guild: guild(), Scope: "user", Value: "7", End: noon.Add(time.Hour)}
	for what, store := range map[string]storage.Store{"this process": here, "another process": there} {
		b.End = b.End.Add(time.Hour)
		made, _, err := store.Block(t.Context(), b, author(noon))
		ok(t, err)
		next("a block of "+what, func(r int64) bool { return r == made.Revision })
	}
	kept, change, err := there.Block(t.Context(), b, author(noon))
	ok(t, err)
	same(t, storage.BlockKept, change, "the same again")
	gone, err := there.Unblock(t.Context(), b.Guild, b.Scope, b.Value, author(noon))
	ok(t, err)
	next("the end of the block", func(r int64) bool {
		if r != gone.Revision && r != kept.Revision {
			t.Errorf("told of revision %d, which changed nothing; the last were %d and %d", r, kept.Revision, gone.Revision)
		}
		return r == gone.Revision
	})
	if s.Silent(time.Now()) || !s.Silent(time.Now().Add(2*storage.SilentAfter)) {
		t.Error("silent although it was heard, or heard although it is silent")
	}
	stop()
	ok(t, <-ended)
}
