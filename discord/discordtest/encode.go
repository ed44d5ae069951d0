package discordtest

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
)

// timeLayout is how Discord writes times.
const timeLayout = "2006-01-02T15:04:05.000000+00:00"

func discordTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// appendString writes a JSON string; plain text, the usual case, without a detour.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(s)
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendStringOrNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

func appendID(b []byte, id snowflake.ID) []byte {
	b = append(b, '"')
	b = strconv.AppendUint(b, uint64(id), 10)
	return append(b, '"')
}

func appendMicros(b []byte, micros int64) []byte {
	if micros == 0 {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = time.UnixMicro(micros).UTC().AppendFormat(b, timeLayout)
	return append(b, '"')
}

func appendUser(b []byte, u *user) []byte {
	b = append(b, `{"id":`...)
	b = appendID(b, u.id)
	b = append(b, `,"username":`...)
	b = appendString(b, u.name)
	b = append(b, `,"discriminator":"0","global_name":`...)
	b = appendStringOrNull(b, u.global)
	b = append(b, `,"avatar":null,"public_flags":0`...)
	if u.bot {
		b = append(b, `,"bot":true`...)
	}
	return append(b, '}')
}

// appendMember writes Discord's member object. Written by hand, since a full read asks for 250,000 of them.
func appendMember(b []byte, m *member) []byte {
	b = append(b, `{"user":`...)
	b = appendUser(b, m.user)
	return appendMemberRest(b, m)
}

func appendMemberRest(b []byte, m *member) []byte {
	b = append(b, `,"nick":`...)
	b = appendStringOrNull(b, m.nick)
	b = append(b, `,"avatar":null,"banner":null,"roles":[`...)
	for i, id := range m.roles {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendID(b, id)
	}
	b = append(b, `],"joined_at":`...)
	b = appendMicros(b, m.joined)
	b = append(b, `,"premium_since":`...)
	b = appendMicros(b, m.boosts)
	b = append(b, `,"deaf":false,"mute":false,"flags":`...)
	b = strconv.AppendUint(b, uint64(m.flags), 10)
	b = append(b, `,"pending":`...)
	b = strconv.AppendBool(b, m.pending)
	b = append(b, `,"communication_disabled_until":`...)
	b = appendMicros(b, m.timeout)
	return append(b, '}')
}

// appendMemberEvent is the member object with its guild, as events carry it.
func appendMemberEvent(b []byte, g *guild, m *member) []byte {
	b = append(b, `{"guild_id":`...)
	b = appendID(b, g.id)
	b = append(b, `,"user":`...)
	b = appendUser(b, m.user)
	return appendMemberRest(b, m)
}

func appendMembers(b []byte, list []*member) []byte {
	b = append(b, '[')
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMember(b, m)
	}
	return append(b, ']')
}

// encode is JSON of something that always encodes: our own structs and maps.
func encode(v any) json.RawMessage {
	switch raw := v.(type) {
	case []byte:
		return raw
	case json.RawMessage: // encoded already; Marshal would copy it
		return raw
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a bug: every type handed in is ours
	}
	return b
}

type object = map[string]any

func userObject(u *user) json.RawMessage     { return appendUser(nil, u) }
func memberObject(m *member) json.RawMessage { return appendMember(nil, m) }

// appObject is Discord's application object, as far as bots look. It belongs to the owner of the first guild; discord.py does not start without one.
func (s *Server) appObject(a *application) object {
	return object{
		"owner": userObject(s.users[s.guildOrder[0].owner]), "team": nil,
		"id": a.id, "name": a.name, "description": "", "icon": nil, "summary": "", "verify_key": "",
		"bot": userObject(a.user), "bot_public": true, "bot_require_code_grant": false, "flags": a.flags(),
		"approximate_guild_count": len(s.guildsOf(a)), "integration_types_config": object{"0": object{}},
	}
}

// flags shows which privileged intents are switched on, in the form for unreviewed applications (resources/application).
func (a *application) flags() int {
	f := 0
	for bit, intent := range map[int]Intents{13: IntentPresences, 15: IntentMembers, 19: IntentContent} {
		if a.intents&intent != 0 {
			f |= 1 << bit
		}
	}
	return f
}

// guildObject is Discord's guild object without channels and members.
func (g *guild) guildObject() object {
	mfa := 0
	if g.twoFactor {
		mfa = 1
	}
	return object{
		"id": g.id, "name": g.name, "owner_id": g.owner, "icon": nil, "splash": nil, "discovery_splash": nil, "afk_channel_id": nil, "afk_timeout": 300,
		"verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0, "roles": g.sortedRoles(), "emojis": []int{}, "stickers": []int{},
		"features": []string{"COMMUNITY"}, "mfa_level": mfa, "application_id": nil, "system_channel_id": nil, "system_channel_flags": 0, "rules_channel_id": nil,
		"max_members": 500000, "vanity_url_code": nil, "description": nil, "banner": nil, "premium_tier": 0, "premium_subscription_count": 0,
		"preferred_locale": g.locale, "public_updates_channel_id": nil, "nsfw_level": 0, "premium_progress_bar_enabled": false, "safety_alerts_channel_id": nil,
	}
}
