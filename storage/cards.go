package storage

import (
	"context"
	"encoding/json"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Card is a message with buttons that waits for a press. Its ID is all that a custom id holds, and all that a press proves.
type Card struct {
	ID      string // 128 random bits in base32: 26 characters
	Guild   snowflake.ID
	Channel snowflake.ID
	Message snowflake.ID // zero: not posted yet
	Kind    string
	Digest  string // of what the buttons would do; empty: none
	Run     int64  // zero: none
	Args    json.RawMessage
	Locale  string
	Invoker snowflake.ID
	Created time.Time
	Expires time.Time

	Used    time.Time // zero: open
	UsedBy  string    // who pressed, as in an Author; empty: nobody
	Outcome string    // "done", "cancelled", "expired"; empty: open
}

// Cards remembers what the buttons under a message stand for, so that they work after a restart and only once.
type Cards interface {
	// MakeCard stores an open card; an ID that is there already is ErrConflict.
	MakeCard(ctx context.Context, c Card) error
	// PlaceCard notes where the card was posted; ErrNotFound if the guild has no such card.
	PlaceCard(ctx context.Context, guild snowflake.ID, id string, channel, message snowflake.ID) error
	// Card reads one of the guild; ErrNotFound if there is none, or if it is another guild's.
	Card(ctx context.Context, guild snowflake.ID, id string) (Card, error)
	// UseCard closes an open card, once: again is ErrConflict, and the card that comes with it tells who was first. It does not look
	// at the expiry, which is the caller's to judge.
	UseCard(ctx context.Context, guild snowflake.ID, id, outcome, by string, at time.Time) (Card, error)
	// OverdueCards lists the open cards that were posted and whose time is over at the instant, by expiry: their buttons are to be
	// greyed out.
	OverdueCards(ctx context.Context, guild snowflake.ID, at time.Time) ([]Card, error)
}
