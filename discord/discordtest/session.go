package discordtest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// sessionLife is how long a session can be resumed after its connection went ("a few minutes", events/gateway).
const sessionLife = 3 * time.Minute

// session is what a bot identified: it outlives its connection, so that it can be resumed.
type session struct {
	id       string
	number   int // in the order of identifies
	app      *application
	shard    [2]int
	intents  Intents
	conn     *conn // nil while cut off
	cutAt    time.Time
	seq      int
	lost     int // everything up to this number can no longer be replayed
	replay   []replayed
	bound    int
	heldBack [][]byte // chunk kept back by the fault chunks_reordered
}

type replayed struct {
	seq  int
	text []byte
}

// owns tells whether the guild belongs to this session's shard.
func (sess *session) owns(g *guild) bool {
	return int(uint64(g.id)>>22%uint64(sess.shard[1])) == sess.shard[0]
}

// frame is a dispatch as text: {"t":…,"s":…,"op":0,"d":…}.
func frame(name string, seq int, data []byte) []byte {
	b := make([]byte, 0, len(data)+len(name)+40)
	b = append(b, `{"t":"`...)
	b = append(b, name...)
	b = append(b, `","s":`...)
	b = strconv.AppendInt(b, int64(seq), 10)
	b = append(b, `,"op":0,"d":`...)
	b = append(b, data...)
	return append(b, '}')
}

// dispatch sends an event to one session, keeps it for a resume, and lets the gateway's faults happen. mu is held.
func (s *Server) dispatch(sess *session, g *guild, name string, data []byte) {
	at := site{event: name, bot: sess.app.name}
	if name == "CHANNEL_CREATE" && s.fires(FaultUnknownChannelKind, at) {
		data = bytes.Replace(data, []byte(`"type":0`), []byte(`"type":`+strconv.Itoa(channelUnknown)), 1)
	}
	if s.fires(FaultMissedEvents, at) {
		sess.seq++ // the number is used up, the event never comes, not even in a replay
		return
	}
	after := s.pushFaults(sess, g, at)
	sess.send(name, data, true)
	after()
}

// pushFaults are what Discord does by itself in the middle of a stream. They are drawn before the dispatch is sent, so that a fault that is ordered
// once a bot has it counts from the next, and happen after it.
func (s *Server) pushFaults(sess *session, g *guild, at site) (happen func()) {
	connected := sess.conn != nil
	reconnect := connected && s.fires(FaultOp7, at)
	resumable, anew := connected && s.fires(FaultOp9Resumable, at), connected && s.fires(FaultOp9New, at)
	down := g != nil && s.fires(FaultGuildUnavailable, at)
	return func() {
		if reconnect && sess.conn != nil {
			sess.control(opReconnect, "null")
		}
		if resumable && sess.conn != nil {
			sess.control(opInvalidSession, "true")
			sess.conn.parted = sess
			s.unbind(sess)
		}
		if anew && sess.conn != nil {
			s.invalidate(sess)
		}
		if down {
			s.outage(g)
		}
	}
}

// outage takes a guild away for outageLength.
func (s *Server) outage(g *guild) {
	s.setDown(g, true)
	s.clock.AfterFunc(outageLength, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.setDown(g, false)
	})
}

// outageLength is how long the fault guild_unavailable lasts.
const outageLength = 5 * time.Second

// send numbers a dispatch and hands it to the connection. Chunks are numbered but not kept: a resume does not bring them back.
func (sess *session) send(name string, data []byte, keep bool) {
	sess.seq++
	text := frame(name, sess.seq, data)
	if keep {
		sess.replay = append(sess.replay, replayed{sess.seq, text})
	}
	if over := len(sess.replay) - sess.bound; over > 0 {
		sess.lost = sess.replay[over-1].seq
		sess.replay = append(sess.replay[:0], sess.replay[over:]...)
	}
	if sess.conn != nil {
		sess.conn.push(text)
	}
}

// control sends an opcode other than a dispatch.
func (sess *session) control(op int, data string) {
	if sess.conn != nil {
		sess.conn.push([]byte(`{"op":` + strconv.Itoa(op) + `,"d":` + data + `,"s":null,"t":null}`))
	}
}

// invalidate ends a session for good: op 9 false. mu is held.
func (s *Server) invalidate(sess *session) {
	sess.control(opInvalidSession, "false")
	s.forget(sess)
}

// forget drops a session; its connection, if any, goes on without one. mu is held.
func (s *Server) forget(sess *session) {
	delete(s.sessions, sess.id)
	s.unbind(sess)
}

// sessionsInOrder are the sessions in the order of their identifies, so that a fault that counts hits the same one each time. mu is held.
func (s *Server) sessionsInOrder() []*session {
	return slices.SortedFunc(maps.Values(s.sessions), func(a, b *session) int { return cmp.Compare(a.number, b.number) })
}

// unbind parts a session from its connection, on which the bot may identify or resume again: discord.js does so after op 9. mu is held.
func (s *Server) unbind(sess *session) {
	if sess.conn != nil {
		sess.conn.session, sess.conn.app = nil, nil
		sess.conn, sess.cutAt = nil, s.clock.Now()
	}
}

// newSession answers an identify. mu is held.
func (s *Server) newSession(c *conn, app *application, shard [2]int, intents Intents) *session {
	s.identified++
	sess := &session{id: secret(16), number: s.identified, app: app, shard: shard, intents: intents, conn: c, bound: s.replayBound(app)}
	s.sessions[sess.id] = sess
	if c.parted != nil {
		s.forget(c.parted)
	}
	c.session, c.parted = sess, nil
	guilds := []object{}
	for _, g := range s.guildsOf(app) {
		if sess.owns(g) {
			guilds = append(guilds, object{"id": g.id, "unavailable": true})
		}
	}
	sess.send("READY", encode(object{
		"v": 10, "user": userObject(app.user), "guilds": guilds, "session_id": sess.id, "resume_gateway_url": s.GatewayURL(),
		"session_type": "normal", "shard": shard, "application": object{"id": app.id, "flags": app.flags()}, "private_channels": []int{}, "relationships": []int{},
	}), true)
	for _, g := range s.guildsOf(app) {
		s.welcome(sess, g)
	}
	return sess
}

// welcome tells a new session of one guild. mu is held.
func (s *Server) welcome(sess *session, g *guild) {
	if !sess.owns(g) || g.down || sess.intents&IntentGuilds == 0 {
		return
	}
	at := site{event: "GUILD_CREATE", bot: sess.app.name}
	self := g.members.by[sess.app.user.id]
	if sess.intents&IntentMembers != 0 && s.fires(FaultEventBeforeGuildCreate, at) {
		s.dispatch(sess, g, "GUILD_MEMBER_UPDATE", appendMemberEvent(nil, g, g.members.order[0]))
	}
	s.dispatch(sess, g, "GUILD_CREATE", s.guildCreate(g, self, s.fires(FaultUnknownChannelKind, at)))
}

// replayBound is Discord's rule of 2016: max(100, min(3500, guilds * 75)).
func (s *Server) replayBound(app *application) int {
	if s.cfg.ReplayBuffer > 0 {
		return s.cfg.ReplayBuffer
	}
	return max(100, min(3500, len(s.guildsOf(app))*75))
}

// resume brings a cut session to a new connection and replays what it missed; false if that is not possible. mu is held.
func (s *Server) resume(c *conn, sess *session, seq int) bool {
	if sess.conn == nil && s.clock.Now().Sub(sess.cutAt) > sessionLife {
		delete(s.sessions, sess.id)
		return false
	}
	if seq < sess.lost || s.fires(FaultResumeRefused, site{event: "RESUME", bot: sess.app.name}) {
		s.forget(sess)
		return false
	}
	if old := sess.conn; old != nil && old != c {
		old.session = nil
		old.cut()
	}
	sess.conn, c.session = c, sess
	for _, r := range sess.replay {
		if r.seq > seq {
			c.push(r.text)
		}
	}
	sess.send("RESUMED", []byte(`{"_trace":[]}`), false)
	return true
}

// guildsOf are the guilds that the bot is in, ascending. mu is held.
func (s *Server) guildsOf(app *application) []*guild {
	var out []*guild
	for _, g := range s.guildOrder {
		if g.members.by[app.user.id] != nil {
			out = append(out, g)
		}
	}
	return out
}

// guildIDs are all guilds, ascending.
func (s *Server) guildIDs() []snowflake.ID {
	out := make([]snowflake.ID, 0, len(s.guildOrder))
	for _, g := range s.guildOrder {
		out = append(out, g.id)
	}
	return out
}
