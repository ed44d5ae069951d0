package commands

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/i18n"
	"gatecamp/storage"
)

// closed is a card that was used: its buttons are off, and above it stands what became of it.
func (c *Commands) closed(k posted) discord.MessageUpdate {
	p := c.cfg.Texts.For(k.Locale)
	sign := toneOver.sign()
	if k.Outcome == outcomeDone {
		sign = toneDone.sign()
	}
	text := sign + " " + p.T(i18n.FrameCardClosed, i18n.Args{"Outcome": outcomeWords(p, k.Outcome), "By": whoWords(k.UsedBy), "At": stamp(k.Used)})
	if k.Outcome == outcomeExpired {
		text = sign + " " + p.T(i18n.FrameCardExpired, i18n.Args{"At": stamp(k.Expires)})
	}
	parts := c.buttons(k, p, true)
	return discord.MessageUpdate{Content: &text, Components: &parts, AllowedMentions: nobody()}
}

// Expire greys out the guild's cards whose time is over, also those that an earlier process posted.
func (c *Commands) Expire(ctx context.Context, guild snowflake.ID) {
	house, served := c.cfg.Guilds.Guild(guild)
	if !served {
		return
	}
	overdue, err := c.cfg.Store.OverdueCards(ctx, guild, c.now())
	if err != nil {
		if ctx.Err() == nil {
			c.log.WarnContext(ctx, "expired cards not found", "guild", guild, "error", err)
		}
		return
	}
	for _, card := range overdue {
		k := posted{Card: card}
		_, known := c.kinds[card.Kind]
		known = json.Unmarshal(card.Args, &k.args) == nil && known // else of another version, which is closed and left as it looks
		k.Card, err = c.cfg.Store.UseCard(ctx, guild, card.ID, outcomeExpired, "system", c.now())
		switch {
		case errors.Is(err, storage.ErrConflict): // somebody was faster
		case err != nil:
			c.log.WarnContext(ctx, "card not closed", "guild", guild, "error", err)
		case known:
			c.grey(ctx, house, k)
		}
	}
}

// greyOut shows a card that has expired as such, for whoever pressed it.
func (x *call) greyOut(ctx context.Context, k posted) { x.grey(ctx, x.house, k) }

// grey changes a card's message: by its own way back while that lives, which is the only one to a message that a single person sees;
// else as the bot's own message.
func (c *Commands) grey(ctx context.Context, house House, k posted) {
	u := c.closed(k)
	if l := c.alive.take(k.ID); l != nil {
		if l.turn(ctx, u) == nil {
			return
		}
	}
	if house.REST == nil {
		return
	}
	_, err := house.REST.UpdateMessage(k.Channel, k.Message, u, rest.WithCtx(ctx))
	if err != nil && ctx.Err() == nil { // deleted, or for one person alone: a press is refused all the same
		c.log.DebugContext(ctx, "expired card not changed", "guild", k.Guild, "error", err)
	}
}

// alive are the ways back to cards that were answers. They are credentials, so they are in memory alone, and no longer than a card lives.
type alive struct {
	mu    sync.Mutex
	lines map[string]aliveLine
}

type aliveLine struct {
	line  *line
	until time.Time
}

// aliveSlack is how much longer than its card a way back is kept, for the sweep that greys the card out.
const aliveSlack = time.Minute

func (a *alive) keep(card string, l *line, expires time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lines == nil {
		a.lines = map[string]aliveLine{}
	}
	for id, old := range a.lines {
		if old.until.Add(aliveSlack).Before(expires.Add(-cardLife)) {
			delete(a.lines, id)
		}
	}
	a.lines[card] = aliveLine{l, expires}
}

// take gives the way back once.
func (a *alive) take(card string) *line {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lines[card].line
	delete(a.lines, card)
	return l
}

func (a *alive) forget(card string) { a.take(card) }

// outcomeWords says what became of a card.
func outcomeWords(p *i18n.Printer, outcome string) string {
	switch outcome {
	case outcomeDone:
		return p.T(i18n.FrameOutcomeDone)
	case outcomeCancelled:
		return p.T(i18n.FrameOutcomeCancelled)
	}
	return p.T(i18n.FrameOutcomeExpired)
}

// whoWords names who did something, as the record has them: a person of Discord as a mention, everybody else as code.
func whoWords(actor string) string {
	if id, is := strings.CutPrefix(actor, "discord:"); is {
		return "<@" + id + ">"
	}
	return quoted(actor)
}
