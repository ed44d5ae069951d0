package telemetry

import (
	"context"
	"sync/atomic"
	"time"

	"gatecamp/enforcement"
)

// writer is one place where events go.
type writer interface {
	// write tells the events in their order. It returns how many it need not be given again, also with an error.
	write(ctx context.Context, batch []Told) (int, error)
	// reopen is asked for by whoever moved a file away.
	reopen() error
	// patience is how often a batch is tried before it is given up; 0: for ever.
	patience() int
	close(ctx context.Context) error
	// cure is what a person does when it fails.
	cure() string
}

// outlet is a writer with its queue.
type outlet struct {
	name  string
	to    writer
	cfg   *Config
	queue chan Told
	wake  chan struct{}

	written, dropped, failed atomic.Uint64
	broken                   atomic.Bool

	toldDrops uint64
	saidDrops time.Time
}

// run writes until the context ends, and then what is left for a while.
func (o *outlet) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return o.flush(context.WithoutCancel(ctx), nil)
		case <-o.wake:
			o.outcome(ctx, o.to.reopen())
		case first := <-o.queue:
			if left := o.deliver(ctx, o.batch(ctx, first)); len(left) > 0 {
				return o.flush(context.WithoutCancel(ctx), left)
			}
		}
	}
}

// flush writes what is left, each once: the end does not wait for what fails. Then it closes.
func (o *outlet) flush(ctx context.Context, left []Told) error {
	within, end := context.WithTimeout(ctx, o.cfg.Flush)
	defer end()
	for within.Err() == nil {
		if len(left) == 0 {
			select {
			case first := <-o.queue:
				left = o.batch(ctx, first)
			default:
			}
		}
		if len(left) == 0 {
			break
		}
		n, err := o.to.write(within, left)
		o.written.Add(uint64(n))
		left = left[n:]
		if o.outcome(ctx, err); err != nil {
			break
		}
	}
	if lost := len(left) + len(o.queue); lost > 0 {
		o.dropped.Add(uint64(lost))
	}
	o.sayDrops(ctx, true)
	return o.to.close(ctx)
}

// batch takes what waits together with the first, and tells of what was dropped before it.
func (o *outlet) batch(ctx context.Context, first Told) []Told {
	batch := make([]Told, 0, min(len(o.queue)+2, mostAtOnce+1))
	if lost := o.dropped.Load() - o.toldDrops; lost > 0 {
		o.toldDrops += lost
		batch = append(batch, Told{enforcement.Event{
			Type: enforcement.EvaluationFailed, At: first.Observed, FailMode: enforcement.Open, Error: "events_dropped", Suppressed: int(lost), Summary: true,
		}, first.Observed})
		o.sayDrops(ctx, false)
	}
	batch = append(batch, first)
	for len(batch) < cap(batch) {
		select {
		case next := <-o.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// deliver writes a batch, again and again if need be. It gives back what is left when the context ended.
func (o *outlet) deliver(ctx context.Context, batch []Told) []Told {
	for tries := 1; ; tries++ {
		n, err := o.to.write(ctx, batch)
		o.written.Add(uint64(n))
		batch = batch[n:]
		if ctx.Err() == nil {
			o.outcome(ctx, err)
		}
		if err == nil {
			return nil
		}
		if most := o.to.patience(); most > 0 && tries >= most && ctx.Err() == nil {
			o.dropped.Add(uint64(len(batch)))
			return nil
		}
		if !o.rest(ctx) {
			return batch
		}
	}
}

// rest waits before the next try; false if the context ended.
func (o *outlet) rest(ctx context.Context) bool {
	t := time.NewTimer(o.cfg.Pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// outcome says when an outlet begins to fail, and when it works again; not each time in between.
func (o *outlet) outcome(ctx context.Context, err error) {
	if err != nil {
		o.failed.Add(1)
		if !o.broken.Swap(true) {
			o.cfg.Log.ErrorContext(ctx, "events cannot be told; they wait, and what there is no room for is lost", "outlet", o.name, "error", enforcement.Bound(err.Error()), "cure", o.to.cure())
		}
		return
	}
	if o.broken.Swap(false) {
		o.cfg.Log.InfoContext(ctx, "events are told again", "outlet", o.name, "lost", o.dropped.Load())
	}
}

// sayDrops logs losses, once in a while.
func (o *outlet) sayDrops(ctx context.Context, last bool) {
	now, lost := o.cfg.Now(), o.dropped.Load()
	if lost == 0 || (!last && now.Sub(o.saidDrops) < sayDropsOnce) {
		return
	}
	o.saidDrops = now
	o.cfg.Log.WarnContext(ctx, "events were lost: there was no room for them", "outlet", o.name, "lost", lost)
}
