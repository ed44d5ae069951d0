package commands

import (
	"context"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/storage"
)

// Store is what commands read and write.
type Store interface {
	storage.Runs
	storage.Findings
	storage.Plans
	storage.Actions
	storage.Brakes
	storage.Gates
	storage.Exceptions
	storage.Policies
	storage.Bindings
	storage.Grants
	storage.Sources
	storage.Trail
	storage.Changes
	storage.Invocations
	storage.Subscribers
	storage.Cards
	storage.Memory
	storage.RoleGrants
	storage.BlockReads
}

// Keeper keeps people out; *guard.Guard does.
type Keeper interface {
	Block(ctx context.Context, o guard.Order) (guard.Change, error)
	Unblock(ctx context.Context, ns enforcement.Namespace, sub enforcement.Subject, by storage.Author) error
	Mode(guild uint64) enforcement.Mode
}

// Rights says what somebody may do in a guild, as it is now; *reconcile.Rights satisfies it.
type Rights interface {
	Of(ctx context.Context, guild snowflake.ID, who reconcile.Asker) (*reconcile.Standing, error)
}

// Guilds finds the guilds that this process enforces.
type Guilds interface {
	Guild(id snowflake.ID) (House, bool)
}

// House is one guild and everything that commands need of it.
type House struct {
	Engine *reconcile.Engine
	Guilds reconcile.LiveGuilds
	Runner Runner
	REST   REST
	// Application is the bot's own; the definitions of commands belong to it.
	Application snowflake.ID
	// AdminChannel is where cards of runs are posted; zero: nowhere.
	AdminChannel snowflake.ID
	Locale       string // of what is posted for everybody
	// Status is what only the running process knows; may be nil.
	Status func() Status
	// People says what members are called; who is not known is left out. May be nil, and may take its time: it is asked with a deadline.
	People func(ctx context.Context, ids []snowflake.ID) map[snowflake.ID]Person
	// Marked has the blocked members who are present looked at again, after a lock or a pause was lifted; may be nil.
	Marked func(ctx context.Context)
}

// Person is what a member is called.
type Person struct {
	Name string // in the guild
	Main string // main character in EVE; empty: unknown
	User string // Auth user; empty: none
}

// Runner performs the runs of a guild, one at a time and in order.
type Runner interface {
	Start(run storage.Run) error
	Cancel(id int64) bool
}

// Status is what only the running process knows of a guild.
type Status struct {
	Connected bool      // there is a gateway session
	Complete  bool      // every member is known
	Working   int64     // the run at work; zero: none
	Done, Of  int       // how far it came
	Waiting   int       // runs that wait for their turn
	Next      time.Time // the next scheduled run; zero: none
	Schedule  string    // as it is set; empty: off

	Inbox      int           // members who wait to be looked at
	Oldest     time.Duration // how long the one waits who has waited longest
	Overflowed int64         // how often the inbox was full and a sweep took its place
	Looks      int64
	Sweeps     int64
	Healed     int64 // gaps in what was heard that were found and closed

	Auth   string    // the newest verdict on Auth; empty: none yet
	AuthAt time.Time // when it was reached

	WebhookDead time.Time // since when the webhook does not take anything; zero: it does, or there is none
}

// REST is what commands need of Discord.
type REST interface {
	Answers
	Posts
	Definitions
}

// Answers is how an interaction is answered after its first answer.
type Answers interface {
	UpdateInteractionResponse(application snowflake.ID, token string, update discord.MessageUpdate, opts ...rest.RequestOpt) (*discord.Message, error)
	DeleteInteractionResponse(application snowflake.ID, token string, opts ...rest.RequestOpt) error
	CreateFollowupMessage(application snowflake.ID, token string, create discord.MessageCreate, opts ...rest.RequestOpt) (*discord.Message, error)
}

// Posts is how messages of the bot's own get into a channel.
type Posts interface {
	CreateMessage(channel snowflake.ID, create discord.MessageCreate, opts ...rest.RequestOpt) (*discord.Message, error)
	UpdateMessage(channel, message snowflake.ID, update discord.MessageUpdate, opts ...rest.RequestOpt) (*discord.Message, error)
}

// Definitions is how Discord is told which commands there are.
type Definitions interface {
	GetGuildCommands(application, guild snowflake.ID, withLocalizations bool, opts ...rest.RequestOpt) ([]discord.ApplicationCommand, error)
	GetGuildCommandsPermissions(application, guild snowflake.ID, opts ...rest.RequestOpt) ([]discord.ApplicationCommandPermissions, error)
	SetGuildCommands(application, guild snowflake.ID, commands []discord.ApplicationCommandCreate, opts ...rest.RequestOpt) ([]discord.ApplicationCommand, error)
}
