package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// MessagePause is how long after a direct message the next one to the same person for the same reason may go out.
const MessagePause = 24 * time.Hour

// Subscriber wants a direct message about runs.
type Subscriber struct {
	Guild       snowflake.ID
	Discord     snowflake.ID
	Since       time.Time
	Failures    int       // in a row
	LastFailure time.Time // zero: none
	LastError   string    // a code; empty: the last message arrived
}

// Subscribers remembers who wants direct messages, and keeps anyone from getting many.
type Subscribers interface {
	// Subscribe is for good, until Unsubscribe. Whoever subscribes again keeps Since and begins without failures.
	Subscribe(ctx context.Context, guild, discord snowflake.ID, at time.Time) error
	// Unsubscribe drops a subscriber; ErrNotFound if there is none.
	Unsubscribe(ctx context.Context, guild, discord snowflake.ID) error
	// Subscribers lists those of a guild, by id.
	Subscribers(ctx context.Context, guild snowflake.ID) ([]Subscriber, error)
	// AdmitMessage notes that a message for the reason goes to the person now. It is false, and notes nothing, when one was admitted
	// less than MessagePause before; of two who ask at once one is admitted. The person need not be a subscriber.
	AdmitMessage(ctx context.Context, guild, discord snowflake.ID, reason string, at time.Time) (bool, error)
	// NoteMessage notes what became of a message to a subscriber: a failure (a code) counts, an empty one begins the count anew.
	// ErrNotFound for someone who does not subscribe.
	NoteMessage(ctx context.Context, guild, discord snowflake.ID, reason, failure string, at time.Time) error
}
