package discordtest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Role is Discord's role object.
type Role struct {
	ID           snowflake.ID    `json:"id"`
	Name         string          `json:"name"`
	Description  *string         `json:"description"`
	Color        int             `json:"color"`
	Colors       RoleColors      `json:"colors"` // Primary is always Color
	Hoist        bool            `json:"hoist"`
	Icon         *string         `json:"icon"`
	UnicodeEmoji *string         `json:"unicode_emoji"`
	Position     int             `json:"position"`
	Permissions  Permissions     `json:"permissions"`
	Managed      bool            `json:"managed"`
	Mentionable  bool            `json:"mentionable"`
	Flags        int             `json:"flags"`
	Tags         json.RawMessage `json:"tags,omitempty"` // as Discord: null means true, absent means false
}

// RoleColors are the colours of a role, of which Color is the first (topics/permissions, role colors object).
type RoleColors struct {
	Primary   int  `json:"primary_color"`
	Secondary *int `json:"secondary_color"` // gradients
	Tertiary  *int `json:"tertiary_color"`
}

// The kinds of channel overwrites, and of channels that a bot can post in.
const (
	overwriteRole   = 0
	overwriteMember = 1

	channelText    = 0
	channelDM      = 1
	channelUnknown = 99 // fault unknown_channel_kind
)

// Overwrite is one line of a channel's permissions.
type Overwrite struct {
	ID    snowflake.ID `json:"id"`
	Type  int          `json:"type"` // 0 role, 1 member
	Allow Permissions  `json:"allow"`
	Deny  Permissions  `json:"deny"`
}

// Channel is Discord's channel object, with what was posted in it.
type Channel struct {
	ID               snowflake.ID  `json:"id"`
	Type             int           `json:"type"`
	GuildID          snowflake.ID  `json:"guild_id,omitzero"`
	Name             string        `json:"name,omitempty"`
	Position         int           `json:"position"`
	Topic            *string       `json:"topic"`
	ParentID         *snowflake.ID `json:"parent_id"`
	NSFW             bool          `json:"nsfw"`
	RateLimitPerUser int           `json:"rate_limit_per_user"`
	LastMessageID    *snowflake.ID `json:"last_message_id"`
	Overwrites       []Overwrite   `json:"permission_overwrites"`

	guild     *guild     // nil for direct messages
	recipient *user      // of direct messages
	bot       *user      // the other end of direct messages
	messages  []*message // ascending by id, without the deleted and the ephemeral
}

// user is an account, in the guild or not.
type user struct {
	id     snowflake.ID
	name   string
	global string // display name; "" is null
	bot    bool
}

// member is an account in a guild. 250,000 of them must fit: role sets are shared, rare things are numbers.
type member struct {
	*user
	roles   []snowflake.ID // ascending; shared, never written to
	nick    string
	joined  int64 // Unix microseconds; 0 is null
	boosts  int64 // premium_since, likewise
	timeout int64 // communication_disabled_until, likewise
	flags   uint32
	pending bool
	gone    bool // left since a chunk request took it up
}

func (m *member) has(role snowflake.ID) bool {
	_, ok := slices.BinarySearch(m.roles, role)
	return ok
}

// guild is one guild and everything in it.
type guild struct {
	id, owner   snowflake.ID
	name        string
	locale      string
	created     time.Time
	roles       map[snowflake.ID]*Role
	left        map[snowflake.ID]bool // who was here once
	ghost       snowflake.ID          // the newest deleted role
	members     memberTable
	channels    []*Channel // ascending by position, then id
	bans        map[snowflake.ID]*ban
	strangers   int // bans of people who were not members
	audit       []*auditEntry
	onboarding  onboarding
	twoFactor   bool // mfa_level 1
	down        bool // an outage: Discord says unavailable
	roleCreates window
}

type ban struct {
	user   *user
	reason string
}

// onboarding is Discord's guild onboarding object.
type onboarding struct {
	GuildID  snowflake.ID      `json:"guild_id"`
	Prompts  []json.RawMessage `json:"prompts"`
	Channels []string          `json:"default_channel_ids"`
	Enabled  bool              `json:"enabled"`
	Mode     int               `json:"mode"`
}

// application is a bot with its token and commands.
type application struct {
	id             snowflake.ID
	name           string
	token          string
	user           *user
	intents        Intents // the privileged ones that are switched on
	ownerTwoFactor bool
	global         []*command
	guildCommands  map[snowflake.ID][]*command
	creates        map[snowflake.ID]*window // commands created a day, by guild (0: global)
	sessionsLeft   int
	sessionsReset  time.Time
	identified     map[int]time.Time          // last identify by shard bucket
	askedAll       map[snowflake.ID]time.Time // last op 8 for all members, by guild
}

// sortedRoles is the guild's roles ascending by position, @everyone first.
func (g *guild) sortedRoles() []*Role {
	roles := make([]*Role, 0, len(g.roles))
	for _, r := range g.roles {
		roles = append(roles, r)
	}
	slices.SortFunc(roles, func(a, b *Role) int {
		switch {
		case a == b:
			return 0
		case above(a, b):
			return 1
		default:
			return -1
		}
	})
	return roles
}

func (g *guild) channel(id snowflake.ID) *Channel {
	for _, c := range g.channels {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// firstText is the channel where things happen when nobody says where.
func (g *guild) firstText() *Channel {
	for _, c := range g.channels {
		if c.Type == channelText {
			return c
		}
	}
	return nil
}
