package discord

import (
	"errors"
	"fmt"
	"strings"

	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
)

func tooManyRoles(guild snowflake.ID, n int) error {
	return problem.New(problem.Failed, fmt.Sprintf("guild %d has %d roles, more than the %d that can be audited; nothing is judged or changed there", guild, n, audit.MaxRoles),
		"Discord's own limit is 250; delete roles that nobody holds")
}

func notInGuild(guild snowflake.ID) *problem.Problem {
	return problem.New(problem.Usage, fmt.Sprintf("the bot is not in guild %d; nothing was looked at", guild),
		"invite it with the scopes bot and applications.commands, or correct GATECAMP_GUILD_IDS")
}

func notInSight(guild snowflake.ID) *problem.Problem {
	return problem.New(problem.Failed, fmt.Sprintf("Discord does not show guild %d at the moment; nothing was looked at", guild),
		"it may be an outage (https://discordstatus.com); try again later")
}

// The codes of outcomes that are refused here, before anything is sent.
const (
	codeNobody       = "no_member"
	codeSelf         = "the_bot_itself"
	codeOwner        = "the_owner"
	codeBot          = "a_bot"
	codeOwnerUnknown = "owner_unknown"
	codeEveryone     = "everyone_role"
	codeManaged      = "managed_role"
	codeRoleUnknown  = "role_unknown"
	codeRoleAbove    = "role_above_bot"
	codeMemberAbove  = "member_above_bot"
	codeLacks        = "bot_lacks_" // and the permission
	codeUnknownKind  = "kind_not_supported"
	codeUnseen       = "guild_unseen"
	codeSent         = "sent_already"
	codeNotReserved  = "not_reserved"
)

// The codes of other outcomes.
const (
	codeDiscord    = "discord_"      // and Discord's JSON error code
	codeHTTP       = "http_"         // and the status, where Discord gives no code
	codeNetwork    = "network"       // no answer at all
	codeNotSent    = "not_sent"      // the rate limit, or the end of the program, came before
	codeNotHeld    = "role_not_held" // the role was not there any more
	codeLeft       = "member_left"
	codeStill      = "still_there" // accepted, and reading back shows no change
	codeGivenBack  = "given_back"  // gone after the write, there again 10 s later
	codeUnverified = "unverified"  // accepted, and nobody could look whether it took
	codeUnreadable = "member_unreadable"
	codeChanging   = "changing" // other writers change the member faster than it can be read
	codeLost       = "lost:"    // and the roles that went and were not named
)

// words for codes: what it means, and what an operator can do.
var words = map[string][2]string{
	codeSelf:                   {"it is the bot itself", ""},
	codeOwner:                  {"it is the owner of the guild, who cannot be removed", ""},
	codeOwnerUnknown:           {"nobody knows who the owner is, so nobody was removed", "wait until Discord shows the guild again"},
	codeEveryone:               {"everybody has this role", ""},
	codeBot:                    {"it is a bot, and bots are never contained", ""},
	codeManaged:                {"Discord itself manages the role", ""},
	codeRoleUnknown:            {"the guild has no such role any more", ""},
	codeRoleAbove:              {"the role is above the bot's highest role", "drag the bot's role above it in the server's settings, Roles"},
	codeMemberAbove:            {"the member holds a role above the bot's highest role", "drag the bot's role above it in the server's settings, Roles"},
	codeLacks + "manage_roles": {"the bot lacks the permission Manage Roles", "give it to the bot's role in the server's settings, Roles"},
	codeLacks + "kick_members": {"the bot lacks the permission Kick Members", "give it to the bot's role in the server's settings, Roles"},
	codeLacks + "ban_members":  {"the bot lacks the permission Ban Members", "give it to the bot's role in the server's settings, Roles"},
	codeUnseen:                 {"Discord does not show the guild at the moment", "it is looked at again once it does"},
	codeUnknownKind:            {"this kind of action is not performed", ""},
	codeNetwork:                {"Discord did not answer", "look again with the next run; what was sent may have been done"},
	codeNotSent:                {"it was not sent", "the next run tries again"},
	codeNotHeld:                {"the member did not hold the role any more", ""},
	codeLeft:                   {"the member has left", ""},
	codeStill:                  {"Discord accepted it, and the member looks as before", "the next run tries again; if it stays so, take the role by hand"},
	codeGivenBack:              {"somebody gave the role back within seconds", "look in Discord's audit log who did; it may be Alliance Auth or another bot"},
	codeUnverified:             {"Discord accepted it, and the member could not be read afterwards", "the next run looks again"},
	codeChanging:               {"somebody else was changing the member's roles", "the next run tries again"},
	codeLost:                   {"another role of the member was lost with it", "the roles are named in the trail; give them back by hand"},
	codeDiscord + "50013":      {"Discord says that the bot may not do this", "check the bot's permissions, and that its role is above the roles and members concerned"},
	codeDiscord + "50001":      {"Discord says that the bot has no access", "check that the bot is still in the server with its permissions"},
	codeDiscord + "50028":      {"Discord says that this role cannot be changed", "it is managed by Discord or another app"},
	codeDiscord + "60003":      {"the server requires two-factor authentication of moderators, and the account that owns the bot has none", "switch it on for the account that owns the application"},
	codeDiscord + "10003":      {"the channel does not exist any more", "name another one in the settings"},
	codeDiscord + "10008":      {"the message does not exist any more", ""},
	codeDiscord + "10015":      {"the webhook does not exist any more", "make a new one in the channel's settings"},
	codeDiscord + "50007":      {"they take no direct messages of the bot", "allow direct messages from members of the server in Discord's privacy settings"},
	codeDiscord + "10004":      {"the bot is not in the guild any more", "invite it again"},
	codeDiscord + "30035":      {"Discord allows no more bans of people who are not members at the moment", "try again tomorrow"},
	codeHTTP + "401":           {"Discord does not accept the bot's token", "copy it anew from the developer portal into GATECAMP_DISCORD_TOKEN"},
	codeHTTP + "403":           {"Discord refused it", "check the bot's permissions and its place among the roles"},
}

// Words says what the code of an outcome means, and what an operator can do; both empty for a code that is not Discord's or ours.
func Words(code string) (what, cure string) {
	if w, ok := words[code]; ok {
		return w[0], w[1]
	}
	switch {
	case strings.HasPrefix(code, codeLost):
		return words[codeLost][0], words[codeLost][1]
	case strings.HasPrefix(code, codeDiscord):
		return "Discord refused it with error " + strings.TrimPrefix(code, codeDiscord), "see https://discord.com/developers/docs/topics/opcodes-and-status-codes"
	case strings.HasPrefix(code, codeHTTP):
		return "Discord answered with status " + strings.TrimPrefix(code, codeHTTP), "look again with the next run"
	}
	return "", ""
}

// codeOf is the code of an error that Discord answered with.
func codeOf(err error) string {
	e, ok := errors.AsType[*rest.Error](err)
	switch {
	case errors.Is(err, ErrNotSent) || errors.Is(err, ErrLimiterClosed):
		return codeNotSent
	case !ok:
		return codeNetwork
	case e.Code != 0:
		return fmt.Sprint(codeDiscord, int(e.Code))
	}
	return fmt.Sprint(codeHTTP, e.Response.StatusCode)
}

// status is the HTTP status that Discord answered with; 0: no answer.
func status(err error) int {
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Response != nil {
		return e.Response.StatusCode
	}
	return 0
}
