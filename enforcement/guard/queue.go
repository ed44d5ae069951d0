package guard

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatecamp/enforcement"
)

// Recorder looks at incidents; *Guard is one.
type Recorder interface {
	Record(ctx context.Context, i *enforcement.Incident) Outcome
}

// Bounds of a queue.
const (
	queueLanes   = 4
	queueWaiting = 1024 // incidents in each lane
	queueTell    = time.Minute
)

// Queue takes incidents from those who must not wait, and has them looked at elsewhere. Incidents of one actor stay in order; while a
// block of one is being stored, the others go on.
type Queue struct {
	to    Recorder
	log   *slog.Logger
	lanes [queueLanes]chan enforcement.Incident

	taken, dropped, done atomic.Int64
	told                 atomic.Int64 // drops that the log has been told of
}

// NewQueue makes a queue; Run empties it. The log may be nil.
func NewQueue(to Recorder, log *slog.Logger) *Queue {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	q := &Queue{to: to, log: log}
	for i := range q.lanes {
		q.lanes[i] = make(chan enforcement.Incident, queueWaiting)
	}
	return q
}

// Put takes an incident, or counts that there was no room. It never waits.
func (q *Queue) Put(i enforcement.Incident) {
	select {
	case q.lanes[lane(&i.Actor)] <- i:
		q.taken.Add(1)
	default:
		q.dropped.Add(1)
	}
}

// lane is where incidents of the actor go: what is counted by user stays in one lane, what has no user goes by its guild.
func lane(a *enforcement.Actor) uint64 {
	id := a.User
	if id == 0 {
		id = a.Account
	}
	if id == 0 {
		id = a.Guild
	}
	return (id * 0x9E3779B97F4A7C15) >> 62 // Fibonacci hashing: ids of Discord count on in their low bits
}

// Run has incidents looked at until the context ends; what waits then is still looked at.
func (q *Queue) Run(ctx context.Context) error {
	var all sync.WaitGroup
	work := context.WithoutCancel(ctx)
	for _, l := range q.lanes {
		all.Go(func() {
			for {
				select {
				case i := <-l:
					q.look(work, &i)
				case <-ctx.Done():
					q.rest(work, l)
					return
				}
			}
		})
	}
	all.Go(func() { q.complain(ctx) })
	all.Wait()
	return nil
}

// queueLeaves is how long what waits at the end may take in each lane.
const queueLeaves = 3 * time.Second

func (q *Queue) rest(ctx context.Context, l chan enforcement.Incident) {
	ctx, end := context.WithTimeout(ctx, queueLeaves)
	defer end()
	for ctx.Err() == nil {
		select {
		case i := <-l:
			q.look(ctx, &i)
		default:
			return
		}
	}
}

func (q *Queue) look(ctx context.Context, i *enforcement.Incident) {
	defer q.done.Add(1)
	defer func() {
		if r := recover(); r != nil {
			q.log.ErrorContext(ctx, "panic in the rules", "incident", i.Type, "panic", r)
		}
	}()
	q.to.Record(ctx, i)
}

// complain tells the log of drops, once in a while.
func (q *Queue) complain(ctx context.Context) {
	t := time.NewTicker(queueTell)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			q.tellDrops(ctx)
			return
		case <-t.C:
			q.tellDrops(ctx)
		}
	}
}

func (q *Queue) tellDrops(ctx context.Context) {
	dropped := q.dropped.Load()
	if more := dropped - q.told.Swap(dropped); more > 0 {
		q.log.ErrorContext(ctx, "rules did not see everything: more happened than could be looked at", "dropped", more, "waiting", q.waiting())
	}
}

func (q *Queue) waiting() (n int) {
	for _, l := range q.lanes {
		n += len(l)
	}
	return n
}

// QueueStats says what became of incidents.
type QueueStats struct {
	Taken, Dropped, Done int64
	Waiting              int
}

// Stats counts what became of incidents since the start.
func (q *Queue) Stats() QueueStats {
	return QueueStats{Taken: q.taken.Load(), Dropped: q.dropped.Load(), Done: q.done.Load(), Waiting: q.waiting()}
}
