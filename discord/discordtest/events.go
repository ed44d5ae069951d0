package discordtest

import (
	"encoding/json"

	"github.com/disgoorg/snowflake/v2"
)

// Intents say which events a session gets (events/gateway).
type Intents uint64

// The intents that decide about the events that the local Discord sends.
const (
	IntentGuilds     Intents = 1 << 0
	IntentMembers    Intents = 1 << 1 // privileged
	IntentModeration Intents = 1 << 2
	IntentWebhooks   Intents = 1 << 5
	IntentPresences  Intents = 1 << 8 // privileged
	IntentMessages   Intents = 1 << 9
	IntentDMs        Intents = 1 << 12
	IntentContent    Intents = 1 << 15 // privileged
)

// privileged intents must be switched on for the application, else close code 4014.
const privileged = IntentMembers | IntentPresences | IntentContent

// knownIntents are those that Discord has given a meaning: any other bit is close code 4013.
const knownIntents Intents = 1<<17 - 1 | 1<<20 | 1<<21 | 1<<24 | 1<<25

// event is something that happened, before it is known who hears of it.
type event struct {
	name    string
	guild   *guild // nil: not about a guild (direct messages): shard 0
	intent  Intents
	perm    Permissions  // what a bot needs in the guild to hear of it
	channel *Channel     // which it must be able to see
	about   snowflake.ID // a bot hears of itself without the intent
	app     *application // only this one hears of it
	outside bool         // also heard by a bot that is no longer in the guild
	data    func() []byte
	each    func(*session) []byte // instead of data, where sessions see different things
}

// emit sends an event to every session that may have it. mu is held.
func (s *Server) emit(e event) {
	if e.guild != nil && e.guild.down && !e.outside {
		return // what happens during an outage is never told
	}
	var data []byte
	for _, sess := range s.sessionsInOrder() {
		if !sess.hears(e) {
			continue
		}
		if e.each != nil {
			s.dispatch(sess, e.guild, e.name, e.each(sess))
			continue
		}
		if data == nil {
			data = e.data()
		}
		s.dispatch(sess, e.guild, e.name, data)
	}
}

func (sess *session) hears(e event) bool {
	if e.app != nil && e.app != sess.app {
		return false
	}
	self := e.about != 0 && e.about == sess.app.user.id
	if sess.intents&e.intent != e.intent && !self {
		return false
	}
	if e.guild == nil {
		return sess.shard[0] == 0
	}
	if !sess.owns(e.guild) {
		return false
	}
	if e.outside {
		return true
	}
	m := e.guild.members.by[sess.app.user.id]
	if m == nil {
		return false
	}
	if e.perm != 0 && !e.guild.permissions(m).Has(e.perm) {
		return false
	}
	return e.channel == nil || e.guild.permissionsIn(m, e.channel).Has(ViewChannel)
}

// guildCreate is the payload of GUILD_CREATE: the guild with channels and roles, and of the members only the bot itself,
// as Discord does without the presences intent.
func (s *Server) guildCreate(g *guild, self *member, strange bool) []byte {
	o := g.guildObject()
	channels := make([]any, 0, len(g.channels)+1)
	for _, c := range g.channels {
		channels = append(channels, c)
	}
	if strange {
		channels = append(channels, object{"id": s.newID(), "type": channelUnknown, "name": "from-the-future", "position": 99})
	}
	none := []int{}
	for _, k := range []string{"threads", "presences", "voice_states", "stage_instances", "guild_scheduled_events", "soundboard_sounds"} {
		o[k] = none
	}
	o["channels"] = channels
	o["members"] = []any{memberObject(self)}
	o["member_count"] = len(g.members.order)
	o["large"] = len(g.members.order) > 250
	o["unavailable"] = false
	o["joined_at"] = json.RawMessage(appendMicros(nil, self.joined))
	return encode(o)
}

// setDown starts or ends an outage of the guild: GUILD_DELETE with unavailable, later GUILD_CREATE. mu is held.
func (s *Server) setDown(g *guild, down bool) {
	if g.down == down {
		return
	}
	g.down = down
	for _, sess := range s.sessionsInOrder() {
		m := g.members.by[sess.app.user.id]
		switch {
		case m == nil || !sess.owns(g) || sess.intents&IntentGuilds == 0:
		case down:
			s.dispatch(sess, g, "GUILD_DELETE", encode(object{"id": g.id, "unavailable": true}))
		default:
			s.dispatch(sess, g, "GUILD_CREATE", s.guildCreate(g, m, false))
		}
	}
}
