// Package audit decides who someone is and what should change. It is pure: no clock, no context, no I/O, no errors.
//
// What must stay true: equal facts give equal plans; what is not managed is never touched; no plan asks for more than its
// limits allow; absence is never proof.
package audit

import (
	"iter"
	"math/bits"

	"github.com/disgoorg/snowflake/v2"
)

// MaxRoles is the most roles a guild may have here. Discord's own limit is 250
// (https://support.discord.com/hc/en-us/articles/33694251638295).
const MaxRoles = 256

// Role is one role of the guild.
type Role struct {
	ID          snowflake.ID
	Name        string
	Managed     bool // by Discord: a bot's, the boosters', a linked role; never touched
	Position    int  // higher is more; @everyone is 0
	Permissions Permissions
}

// Guild is the guild and its roles as they are now. Everything but Roles may be unknown (zero).
type Guild struct {
	ID     snowflake.ID
	Name   string
	Owner  snowflake.ID // zero: unknown, then nobody can be kicked
	Bot    snowflake.ID // gatecamp's own user; zero: unknown
	BotTop int          // position of the bot's highest role; -1: unknown, then reach is unknown
	Roles  []Role       // at most MaxRoles; a RoleSet holds indexes into it

	BotTopRole snowflake.ID // that role; zero: unknown, then roles on its position are out of reach
}

// Reaches reports whether a role is below the bot's highest one. Of roles on one position the lower id is the higher role
// (https://discord.com/developers/docs/topics/permissions). What is unknown is within reach: Discord then has the last word.
func (g *Guild) Reaches(r Role) bool {
	switch {
	case g.BotTop < 0 || r.Position < g.BotTop:
		return true
	case r.Position == g.BotTop:
		return g.BotTopRole != 0 && r.ID > g.BotTopRole
	}
	return false
}

// MemberFlags are facts of a member that take one bit each.
type MemberFlags uint8

// The flags.
const (
	IsBot     MemberFlags = 1 << iota // Discord's bot flag
	IsPending                         // membership screening is open
)

// Member is one member of the guild.
type Member struct {
	ID     snowflake.ID
	Joined int64 // Unix microseconds, UTC; 0: unknown
	Roles  RoleSet
	Flags  MemberFlags
}

// Is reports whether all of the flags are set.
func (m Member) Is(f MemberFlags) bool { return m.Flags&f == f }

// RoleSet is a set of roles by their index in Guild.Roles, 0 to MaxRoles-1. It is a value: comparing and combining costs four words.
type RoleSet [MaxRoles / 64]uint64

// With returns the set and the role at index i.
func (s RoleSet) With(i int) RoleSet {
	s[i/64] |= 1 << (i % 64)
	return s
}

// Has reports whether the role at index i is in the set.
func (s RoleSet) Has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// And is what both sets hold.
func (s RoleSet) And(t RoleSet) RoleSet {
	return RoleSet{s[0] & t[0], s[1] & t[1], s[2] & t[2], s[3] & t[3]}
}

// Or is what either set holds.
func (s RoleSet) Or(t RoleSet) RoleSet {
	return RoleSet{s[0] | t[0], s[1] | t[1], s[2] | t[2], s[3] | t[3]}
}

// Minus is what s holds and t does not.
func (s RoleSet) Minus(t RoleSet) RoleSet {
	return RoleSet{s[0] &^ t[0], s[1] &^ t[1], s[2] &^ t[2], s[3] &^ t[3]}
}

// Empty reports whether nothing is in the set.
func (s RoleSet) Empty() bool { return s[0]|s[1]|s[2]|s[3] == 0 }

// Len counts the roles in the set.
func (s RoleSet) Len() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2]) + bits.OnesCount64(s[3])
}

// All yields the indexes in the set, ascending.
func (s RoleSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for w, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(w*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// Permissions are Discord's permission bits (https://discord.com/developers/docs/topics/permissions).
type Permissions uint64

// The permissions that make a role privileged.
const (
	KickMembers     Permissions = 1 << 1
	BanMembers      Permissions = 1 << 2
	Administrator   Permissions = 1 << 3
	ManageChannels  Permissions = 1 << 4
	ManageGuild     Permissions = 1 << 5
	MentionEveryone Permissions = 1 << 17
	ManageRoles     Permissions = 1 << 28
	ManageWebhooks  Permissions = 1 << 29

	// Privileged are the permissions that raise an alert when a finding's member holds them.
	Privileged = KickMembers | BanMembers | Administrator | ManageChannels | ManageGuild | MentionEveryone | ManageRoles | ManageWebhooks
)
