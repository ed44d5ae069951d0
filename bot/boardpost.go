package bot

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord"
	"gatecamp/i18n"
	"gatecamp/notify"
	"gatecamp/storage"
)

const (
	postWithin  = 15 * time.Second // for one message
	lastWithin  = 5 * time.Second  // for what is left when the program stops
	muteFailed  = 10 * time.Second // after an error that may pass
	muteBarred  = 10 * time.Minute // after one that a person must mend
	complainAll = time.Hour
)

// Run posts until the context ends, and then once more what is waiting. It never fails: the board is a remark, no part of the work.
func (b *Board) Run(ctx context.Context) error {
	b.goOn(ctx)
	b.last(ctx)
	return nil
}

func (b *Board) goOn(ctx context.Context) {
	for ctx.Err() == nil {
		job, wait := b.next(time.Now())
		if job != nil {
			within, end := context.WithTimeout(ctx, postWithin)
			b.settle(ctx, job(within))
			end()
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-b.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// last posts how the runs stand when the program stops.
func (b *Board) last(ctx context.Context) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), lastWithin)
	defer end()
	b.mu.Lock()
	b.mute, b.lined = time.Time{}, time.Time{}
	for _, p := range b.runs {
		p.last = time.Time{}
	}
	b.mu.Unlock()
	for ctx.Err() == nil {
		job, _ := b.next(time.Now())
		if job == nil || job(ctx) != nil {
			return
		}
	}
}

// idle is how long the board sleeps when nothing is to be done.
const idle = time.Hour

// next is the next message, or how long to wait for one.
func (b *Board) next(now time.Time) (job func(context.Context) error, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.mute.Sub(now); until > 0 {
		return nil, until
	}
	wait = idle
	if len(b.alerts)+len(b.troubles) > 0 {
		if wait = b.lined.Add(b.cfg.Lines).Sub(now); wait <= 0 {
			return b.postLines, 0
		}
	}
	if len(b.fired) > 0 {
		due := b.lined.Add(b.cfg.Lines).Sub(now)
		if due <= 0 {
			return b.postFired, 0
		}
		wait = min(wait, due)
	}
	for id, p := range b.runs {
		if !p.dirty {
			continue
		}
		if p.silent && p.posted == 0 && p.recalled {
			p.dirty = false
			if p.end != nil {
				delete(b.runs, id)
			}
			continue
		}
		due := p.last.Add(b.cfg.Edits).Sub(now)
		if due <= 0 {
			return func(ctx context.Context) error { return b.postRun(ctx, id) }, 0
		}
		wait = min(wait, due)
	}
	if len(b.gathered) > 0 {
		due := b.due.Sub(now)
		if due <= 0 {
			return b.postGathered, 0
		}
		wait = min(wait, due)
	}
	return nil, wait
}

// settle keeps quiet for a while after something could not be posted, and tells the log now and then.
func (b *Board) settle(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, wait := time.Now(), muteFailed
	if u, ok := errors.AsType[*discord.Undelivered](err); ok {
		switch u.Fate {
		case discord.Later:
			wait = max(u.RetryAfter, time.Second)
		case discord.Gone, discord.Barred:
			wait = muteBarred
		case discord.Rejected:
		}
	}
	b.mute = now.Add(wait)
	if now.Sub(b.complain) >= complainAll || b.complain.IsZero() {
		b.complain = now
		b.cfg.Log.WarnContext(ctx, "the admin channel cannot be told", "guild", b.cfg.Guild, "channel", b.cfg.Channel, "error", err, "again_in", wait)
	}
}

// postRun brings the message of a run up to date.
func (b *Board) postRun(ctx context.Context, id int64) (err error) {
	b.mu.Lock()
	p := b.runs[id]
	if p == nil {
		b.mu.Unlock()
		return nil
	}
	now := *p
	p.dirty, p.last = false, time.Now()
	b.mu.Unlock()
	defer func() {
		if err != nil {
			b.mu.Lock()
			p.dirty = p.dirty || !rejected(err)
			b.mu.Unlock()
		}
	}()
	if !now.recalled {
		if now.posted, err = b.recall(ctx, id); err != nil {
			return err
		}
		b.mu.Lock()
		p.posted, p.recalled = now.posted, true
		b.mu.Unlock()
		if now.silent && now.posted == 0 {
			b.finished(id, p, now.end)
			return nil
		}
	}
	m := b.progress(&now)
	if now.end != nil {
		m = *now.end
	}
	now.posted, err = b.put(ctx, id, now.posted, m)
	b.mu.Lock()
	p.posted = now.posted
	b.mu.Unlock()
	if err != nil || now.end == nil {
		return err
	}
	b.finished(id, p, now.end)
	if now.run.State == storage.Interrupted { // it goes on, and so does its message
		return nil
	}
	return b.cfg.Memory.Forget(ctx, b.cfg.Guild, placeName(id))
}

// finished lets a run go whose last message stands.
func (b *Board) finished(id int64, p *runPost, end *notify.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if end != nil && p.end == end {
		delete(b.runs, id)
	}
}

// put edits the message, or posts one where there is none, or none any more, and remembers it.
func (b *Board) put(ctx context.Context, run int64, message snowflake.ID, m notify.Message) (snowflake.ID, error) {
	if message != 0 {
		err := b.cfg.Post.Edit(ctx, b.cfg.Channel, message, m)
		u, ok := errors.AsType[*discord.Undelivered](err)
		if err == nil || !ok || u.Fate != discord.Gone {
			return message, err
		}
	}
	message, err := b.cfg.Post.Send(ctx, b.cfg.Channel, m)
	if err != nil {
		return 0, err
	}
	return message, b.remember(ctx, run, message)
}

func rejected(err error) bool {
	u, ok := errors.AsType[*discord.Undelivered](err)
	return ok && u.Fate == discord.Rejected
}

// linesAtOnce is how many lines one message has at most.
const linesAtOnce = 20

// firedAtOnce is how many lines about rules one message has: they are long.
const firedAtOnce = 8

// take takes the first lines away, to be posted; what could not be posted comes back by giveBack.
func take(from *[]boardLine) []boardLine { return takeSome(from, linesAtOnce) }

func takeSome(from *[]boardLine, most int) []boardLine {
	n := min(most, len(*from))
	taken := slices.Clone((*from)[:n])
	*from = slices.Delete(*from, 0, n)
	return taken
}

// postLines posts what is wrong, and privileged roles in the wrong hands.
func (b *Board) postLines(ctx context.Context) error {
	b.mu.Lock()
	alerts, troubles, dropped := take(&b.alerts), take(&b.troubles), b.dropped
	b.lined, b.dropped = time.Now(), 0
	b.mu.Unlock()
	_, err := b.cfg.Post.Send(ctx, b.cfg.Channel, b.lineMessage(ctx, alerts, troubles, dropped))
	if err == nil || rejected(err) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alerts, b.troubles = slices.Concat(alerts, b.alerts), slices.Concat(troubles, b.troubles)
	b.dropped += dropped
	return err
}

// postFired posts which rules did something.
func (b *Board) postFired(ctx context.Context) error {
	b.mu.Lock()
	fired := takeSome(&b.fired, firedAtOnce)
	b.lined = time.Now()
	b.mu.Unlock()
	_, err := b.cfg.Post.Send(ctx, b.cfg.Channel, notify.Message{
		Title: b.cfg.Printer().N(i18n.RuleAlerts, len(fired)), Tone: notify.Trouble, At: time.Now(), Text: bulleted(b.show(ctx, fired), mostText),
	})
	if err == nil || rejected(err) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fired = slices.Concat(fired, b.fired)
	b.fired = b.fired[:min(len(b.fired), mostLines)]
	return err
}

// postGathered posts the findings of the last while.
func (b *Board) postGathered(ctx context.Context) error {
	b.mu.Lock()
	lines := take(&b.gathered)
	more, dropped := len(b.gathered), b.dropped
	all := b.gathered
	b.gathered, b.due, b.dropped = nil, time.Time{}, 0
	b.mu.Unlock()
	_, err := b.cfg.Post.Send(ctx, b.cfg.Channel, b.gatheredMessage(ctx, lines, more+dropped))
	if err == nil || rejected(err) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gathered = slices.Concat(lines, all, b.gathered)
	b.gathered = b.gathered[:min(len(b.gathered), mostLines)]
	b.due = time.Now()
	b.dropped += dropped
	return err
}
