package storage

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/trail"
)

// TrailRecord is an entry and the free text that belongs to it. The text is kept apart, and can be erased.
type TrailRecord struct {
	trail.Entry
	Text string // may be empty; erased with the subject, or the actor if there is no subject
}

// TrailFilter narrows a list of entries; the zero value takes all of a guild, oldest first.
type TrailFilter struct {
	Run     int64
	Subject trail.Key
	Since   time.Time
	Kinds   []trail.Kind
	After   int64 // only entries whose ID is greater
	Newest  bool  // the newest first; then only those whose ID is smaller than After, unless that is zero
	Limit   int   // zero: 1000
}

// Trail is the append-only record. The database itself refuses to change it; retention lets entries go by age.
type Trail interface {
	// AppendTrail writes all records, or none, in their order. An unknown key is ErrNotFound.
	AppendTrail(ctx context.Context, records []TrailRecord) error
	// TrailEntries lists entries, with their text unless it was erased.
	TrailEntries(ctx context.Context, guild snowflake.ID, filter TrailFilter) ([]TrailRecord, error)
}

// Person is who a key stands for. An erased person has only a key.
type Person struct {
	Key     trail.Key
	Guild   snowflake.ID
	Ref     string       // "discord:ID", "user:NAME", "console:NAME", "system": what the person is found by
	Discord snowflake.ID // zero: none
	Name    string       // as last seen
	Erased  time.Time    // zero: not erased
}

// People keeps who is behind the keys of the trail.
type People interface {
	// PersonKeys gives each person a key, making new ones; the order is that of the people. Key and Erased are ignored; a name that differs
	// from the stored one replaces it, an empty one does not.
	PersonKeys(ctx context.Context, guild snowflake.ID, people []Person) ([]trail.Key, error)
	// People reads who is behind keys; unknown keys are left out.
	People(ctx context.Context, guild snowflake.ID, keys []trail.Key) (map[trail.Key]Person, error)
	// ErasePerson forgets who is behind the person's keys in the guild, and their texts; the entries stay. What is kept of a Discord
	// account outside the record (cards, role grants, seen rights, subscription) goes. Whoever is seen again gets a new key. An unknown
	// ref is ErrNotFound. It leaves a configuration change that does not name the person.
	ErasePerson(ctx context.Context, guild snowflake.ID, ref string, by Author) error
}
