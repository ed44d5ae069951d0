package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Memory keeps what a process wants to find again after a restart, under a name that it chooses. It is no configuration and leaves no
// change record. Guild 0 stands for the process as a whole; what is kept there never goes by age.
type Memory interface {
	// Remember stores the value in place of the one before.
	Remember(ctx context.Context, guild snowflake.ID, name string, value []byte, at time.Time) error
	// Recall reads a value and when it was stored; ErrNotFound if there is none.
	Recall(ctx context.Context, guild snowflake.ID, name string) (value []byte, at time.Time, err error)
	// Forget drops a value; there being none is no error.
	Forget(ctx context.Context, guild snowflake.ID, name string) error
}
