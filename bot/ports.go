// Package bot keeps one guild honest: what the gateway hints at comes in, looks and runs go out.
//
// What must stay true: whatever the order, the doubling or the loss of events, every member who was marked is looked at at least
// once after the last mark, or a look at everybody stands for it; and nobody who hands something in here ever waits.
package bot

import (
	"context"
	"log/slog"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/storage"
)

// Line is the audit line of the guild; *reconcile.Engine is one.
type Line interface {
	One(ctx context.Context, ids []snowflake.ID, guilds reconcile.LiveGuilds, w reconcile.Writer) (*reconcile.Report, error)
	Sweep(ctx context.Context, run storage.Run, guilds reconcile.Guilds, w reconcile.Writer) (*reconcile.Report, error)
	Order(ctx context.Context, o storage.Order) (storage.Run, error)
	TakeOver(ctx context.Context, id int64) (storage.Run, error)
	Recover(ctx context.Context, guilds reconcile.Guilds) (settled int, err error)
	BlockedPresent(ctx context.Context, guilds reconcile.LiveGuilds) ([]snowflake.ID, error)
	// IsBlocked says what is known in process; it waits for nobody.
	IsBlocked(member snowflake.ID) bool
	// Contain takes every privileged role from one member, under gates and a rest of its own.
	Contain(ctx context.Context, c reconcile.Contain, guilds reconcile.LiveGuilds, w reconcile.Writer) (*reconcile.Report, error)
	DiscordIDs(ctx context.Context, sub enforcement.Subject) ([]snowflake.ID, error)
}

// Sight is what is known of the guild besides its picture.
type Sight interface {
	// Holds are a member's roles as far as they are known, as indexes into the list; it asks nobody and copies nothing.
	Holds(member snowflake.ID) (audit.RoleSet, []audit.Role)
	// Reach says what keeps the bot from acting in the guild; empty: nothing.
	Reach() string
	// Drift says where Discord's own count of a role's holders differs from what is known; empty: nowhere.
	Drift(ctx context.Context) (string, error)
	// AuditEntries reads the guild's audit log after an entry, oldest first, as events, and gives the newest entry that was read. With
	// an error, the events before it are good. After zero there is nothing to compare with: no event, and the newest entry.
	AuditEntries(ctx context.Context, after snowflake.ID) (events []audit.Event, last snowflake.ID, err error)
}

// Store are the parts of storage that the bot needs; what it decides and does is written by the line.
type Store interface {
	Run(ctx context.Context, run int64) (storage.Run, error)
	Runs(ctx context.Context, guild snowflake.ID, filter storage.RunFilter) ([]storage.Run, error)
	MoveRun(ctx context.Context, m storage.Move) (storage.Run, error)
	Findings(ctx context.Context, guild snowflake.ID, filter storage.FindingFilter) ([]storage.Finding, error)
	Policy(ctx context.Context, guild snowflake.ID, version int64) (storage.Policy, error)
	Paused(ctx context.Context, guild snowflake.ID) (storage.Pause, error)
	Acknowledged(ctx context.Context, guild snowflake.ID) (storage.Acknowledgement, error)
	NoteRoleGrants(ctx context.Context, grants []storage.RoleGrant) error
	Remember(ctx context.Context, guild snowflake.ID, name string, value []byte, at time.Time) error
	Recall(ctx context.Context, guild snowflake.ID, name string) ([]byte, time.Time, error)
}

// Teller is told what people should hear. It must not wait.
type Teller interface {
	RunBegan(run storage.Run)
	RunWent(run storage.Run, done, of int)
	RunEnded(report *reconcile.Report, err error) // the report may be nil
	Looked(report *reconcile.Report)              // a live look that opened, changed or closed findings, acted, or put off a kick
	Trouble(guild snowflake.ID, code, detail string)
}

// The codes of Trouble.
const (
	TroubleOverflow = "overflow"              // more happened than could be kept apart; everybody is looked at instead
	TroubleSlow     = "slow_reads"            // members could not be read in time; everybody is looked at instead
	TroubleMissed   = "missed_events"         // events may have been missed; everybody is looked at
	TroubleDrift    = "drift"                 // Discord counts other holders of a role than we know of; everybody is looked at
	TroubleLost     = "guild_lost"            // the guild is out of sight; nothing is looked at until it is back
	TroubleBack     = "guild_back"            // it is in sight again
	TroubleReach    = "reach"                 // the bot cannot do everything in the guild; an empty detail: it can again
	TroubleLook     = "look_failed"           // a look ended with an error; it is tried again
	TroubleLookOver = "look_recovered"        // looks end well again
	TroubleGaveUp   = "gave_up"               // what was to be done to a member failed too often; it is left to the next event or sweep
	TroubleFight    = "fight"                 // somebody gives back what we take; both stopped for that member and role
	TroubleRejoins  = "blocked_rejoins"       // a blocked member comes back again and again; each time another one
	TroubleContain  = "contain_failed"        // somebody was to be contained and it went wrong; each time another one
	TroubleAuditLog = "audit_log"             // Discord's audit log could not be read; who granted a role may be unknown
	TroubleStore    = "store"                 // our own database cannot be written; nothing is done until it can
	TroubleEntries  = "audit_entries_missing" // many role changes come without an entry in the audit log
	TroubleAuth     = "auth_unreachable"      // Auth could not be compared with the last read
	TroubleAuthBack = "auth_recovered"        // it can be again
	TroubleAuthWait = "auth_not_believed"     // Auth is blind or doubtful; members who wait for it are looked at once it is back
	TroubleRun      = "run_failed"            // a run could not be begun or ended with an error
	TroubleGateway  = "gateway_silent"        // a connection looked alive and was not; it was closed, to be resumed
	TroubleWebhook  = "webhook_dead"          // the webhook for summaries is gone
	TroubleRule     = "rule_failed"           // a rule failed too often and is off
	TroubleRules    = "rules_file"            // the file with the rules has a mistake; the rules stay as they were
	TroubleDropped  = "rules_dropped"         // more happened than rules could look at
	TroubleOverdue  = "overdue"               // no audit has succeeded for twice the time between two
)

// Config says what a Guild works with and how patient it is. The zero durations and numbers are replaced by the defaults.
type Config struct {
	Guild  snowflake.ID
	Bot    snowflake.ID // its own user; zero: unknown
	Line   Line
	Guilds reconcile.LiveGuilds
	Writer reconcile.Writer // nil: nothing is performed
	Sight  Sight
	Store  Store
	Teller Teller       // nobody is told if nil
	Log    *slog.Logger // discarded if nil

	Quiet    time.Duration // after the last mark of a member before the look; 750 ms
	Longest  time.Duration // after the first mark, however many follow; 5 s
	ReadIn   time.Duration // within which members must be read, else everybody is looked at; 10 s
	Bound    int           // members who wait at once; 10,000
	Crowd    int           // members who wait before one look at everybody is cheaper; 1,000
	Spacing  time.Duration // between two looks at everybody that we order ourselves; 10 s
	Deadline time.Duration // of a run that we order ourselves; 60 min
	Drift    time.Duration // between two comparisons of role counts, up to half as long again; 10 min
	AuthWait time.Duration // after which members who wait for Auth are tried again; 60 s
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	for d, otherwise := range map[*time.Duration]time.Duration{
		&c.Quiet: 750 * time.Millisecond, &c.Longest: 5 * time.Second, &c.ReadIn: 10 * time.Second, &c.Spacing: 10 * time.Second,
		&c.Deadline: time.Hour, &c.Drift: 10 * time.Minute, &c.AuthWait: time.Minute,
	} {
		if *d <= 0 {
			*d = otherwise
		}
	}
	if c.Bound <= 0 {
		c.Bound = 10_000
	}
	if c.Crowd <= 0 {
		c.Crowd = 1_000
	}
	if c.Teller == nil {
		c.Teller = silent{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// silent tells nobody.
type silent struct{}

func (silent) RunBegan(storage.Run)                 {}
func (silent) RunWent(storage.Run, int, int)        {}
func (silent) RunEnded(*reconcile.Report, error)    {}
func (silent) Looked(*reconcile.Report)             {}
func (silent) Trouble(snowflake.ID, string, string) {}
