package discordtest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

const (
	chunkSize       = 1000
	chunkIDs        = 100 // ids in one request
	chunkQueryLimit = 100
	chunkNonce      = 32               // bytes
	chunkInterval   = 30 * time.Second // between requests for all members of a guild, per bot
	chunkEvent      = "GUILD_MEMBERS_CHUNK"
)

// looseIDs is one id or a list of them.
type looseIDs []LooseID

func (l *looseIDs) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]LooseID)(l))
	}
	if string(data) == "null" {
		return nil
	}
	var id LooseID
	err := json.Unmarshal(data, &id)
	*l = looseIDs{id}
	return err
}

type memberRequest struct {
	Guilds  looseIDs `json:"guild_id"`
	Query   *string  `json:"query"`
	Limit   int      `json:"limit"`
	UserIDs looseIDs `json:"user_ids"`
	Nonce   string   `json:"nonce"`
}

// requestMembers answers op 8. mu is held.
func (s *Server) requestMembers(c *conn, data json.RawMessage) {
	var r memberRequest
	err := json.Unmarshal(data, &r)
	both := r.UserIDs != nil && r.Query != nil && *r.Query != ""
	if err != nil || len(r.Guilds) != 1 || both || r.Query == nil && r.UserIDs == nil || len(r.UserIDs) > chunkIDs {
		s.shut(c, closeDecodeError, "Error while decoding payload.")
		return
	}
	sess := c.session
	g := s.guilds[snowflake.ID(r.Guilds[0])]
	if g == nil || g.down || !sess.owns(g) || g.members.by[sess.app.user.id] == nil {
		return // Discord stays silent
	}
	if len(r.Nonce) > chunkNonce {
		r.Nonce = ""
	}
	if r.UserIDs != nil {
		s.chunkByID(sess, g, r)
		return
	}
	if *r.Query == "" && sess.intents&IntentMembers == 0 {
		s.shut(c, closeDisallowedIntents, "Disallowed intent(s).")
		return
	}
	if *r.Query != "" || r.Limit != 0 {
		found := g.search(*r.Query, min(max(r.Limit, 1), chunkQueryLimit))
		s.sendChunk(sess, chunkPayload(g, found, 0, 1, nil, r.Nonce))
		return
	}
	s.chunkAll(c, sess, g, r.Nonce)
}

// search is up to limit members whose username or nickname starts with the prefix, whatever the case.
func (g *guild) search(prefix string, limit int) []*member {
	prefix = strings.ToLower(prefix)
	var found []*member
	for _, m := range g.members.order {
		if strings.HasPrefix(strings.ToLower(m.name), prefix) || m.nick != "" && strings.HasPrefix(strings.ToLower(m.nick), prefix) {
			if found = append(found, m); len(found) == limit {
				break
			}
		}
	}
	return found
}

func (s *Server) chunkByID(sess *session, g *guild, r memberRequest) {
	var found []*member
	missing := []snowflake.ID{}
	for _, id := range r.UserIDs {
		if m := g.members.by[snowflake.ID(id)]; m != nil {
			found = append(found, m)
		} else {
			missing = append(missing, snowflake.ID(id))
		}
	}
	s.sendChunk(sess, chunkPayload(g, found, 0, 1, missing, r.Nonce))
}

// chunkAll streams the whole guild, once per guild and bot in 30 s (change log of 2025-08-14).
func (s *Server) chunkAll(c *conn, sess *session, g *guild, nonce string) {
	now := s.clock.Now()
	wait := time.Duration(0)
	if last, ok := sess.app.askedAll[g.id]; ok && !s.cfg.Unlimited {
		wait = chunkInterval - now.Sub(last)
	}
	if s.fires(FaultChunksRateLimited, site{event: chunkEvent, bot: sess.app.name}) {
		wait = max(wait, chunkInterval)
	}
	if wait > 0 {
		meta := object{"guild_id": g.id}
		if nonce != "" {
			meta["nonce"] = nonce
		}
		sess.send("RATE_LIMITED", encode(object{"opcode": opRequestMembers, "retry_after": wait.Seconds(), "meta": meta}), true)
		return
	}
	sess.app.askedAll[g.id] = now
	list := append([]*member(nil), g.members.order...)
	s.work.Go(func() { s.streamChunks(c, sess, g, list, nonce) })
}

// streamChunks sends the members as they are when their chunk is written, without those who left meanwhile: a full read is no snapshot.
func (s *Server) streamChunks(c *conn, sess *session, g *guild, list []*member, nonce string) {
	count := (len(list) + chunkSize - 1) / chunkSize
	present := make([]*member, 0, chunkSize)
	for i := range count {
		if !c.waitRoom() {
			return
		}
		s.mu.Lock()
		if sess.conn != c || g.down {
			s.mu.Unlock()
			return
		}
		present = present[:0]
		for _, m := range list[i*chunkSize : min((i+1)*chunkSize, len(list))] {
			if !m.gone {
				present = append(present, m)
			}
		}
		s.sendChunk(sess, chunkPayload(g, present, i, count, nil, nonce))
		s.mu.Unlock()
	}
	s.mu.Lock()
	sess.flushHeld()
	s.mu.Unlock()
}

// sendChunk sends one chunk, or loses, doubles or keeps it back if a fault says so. mu is held.
func (s *Server) sendChunk(sess *session, data []byte) {
	at := site{event: chunkEvent, bot: sess.app.name}
	if s.fires(FaultChunkLost, at) {
		sess.seq++
		return
	}
	if s.fires(FaultChunksReordered, at) {
		sess.heldBack = append(sess.heldBack, data)
		return
	}
	doubled, after := s.fires(FaultChunkDoubled, at), s.pushFaults(sess, nil, at)
	sess.send(chunkEvent, data, false)
	if doubled {
		sess.send(chunkEvent, data, false)
	}
	sess.flushHeld()
	after()
}

func (sess *session) flushHeld() {
	for _, data := range sess.heldBack {
		sess.send(chunkEvent, data, false)
	}
	sess.heldBack = nil
}

func chunkPayload(g *guild, members []*member, index, count int, missing []snowflake.ID, nonce string) []byte {
	b := make([]byte, 0, 200+360*len(members))
	b = append(b, `{"guild_id":`...)
	b = appendID(b, g.id)
	b = append(b, `,"members":`...)
	b = appendMembers(b, members)
	b = append(b, `,"chunk_index":`...)
	b = strconv.AppendInt(b, int64(index), 10)
	b = append(b, `,"chunk_count":`...)
	b = strconv.AppendInt(b, int64(count), 10)
	if missing != nil {
		b = append(b, `,"not_found":`...)
		b = append(b, encode(missing)...)
	}
	if nonce != "" {
		b = append(b, `,"nonce":`...)
		b = appendString(b, nonce)
	}
	return append(b, '}')
}
