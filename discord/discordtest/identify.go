package discordtest

import (
	"encoding/json"
	"strings"
	"time"
)

const (
	sessionStarts    = 1000 // identifies in sessionStartReset
	sessionReset     = 24 * time.Hour
	identifyInterval = 5 * time.Second
)

type identifyData struct {
	Token    string  `json:"token"`
	Intents  *uint64 `json:"intents"`
	Shard    *[2]int `json:"shard"`
	Compress bool    `json:"compress"`
}

// identify starts a new session, or says by a close code why not. mu is held.
func (s *Server) identify(c *conn, data json.RawMessage) {
	var id identifyData
	if err := json.Unmarshal(data, &id); err != nil {
		s.shut(c, closeDecodeError, "Error while decoding payload.")
		return
	}
	if c.app != nil {
		s.shut(c, closeAlreadyAuthenticated, "Already authenticated.")
		return
	}
	app := s.appByToken(id.Token)
	if app == nil {
		s.shut(c, closeAuthenticationFailed, "Authentication failed.")
		return
	}
	shard := [2]int{0, 1}
	if id.Shard != nil {
		shard = *id.Shard
	}
	switch {
	case shard[1] < 1 || shard[0] < 0 || shard[0] >= shard[1]:
		s.shut(c, closeInvalidShard, "Invalid shard.")
		return
	case id.Intents == nil || Intents(*id.Intents)&^knownIntents != 0:
		s.shut(c, closeInvalidIntents, "Invalid intent(s).")
		return
	case Intents(*id.Intents)&privileged&^app.intents != 0:
		s.shut(c, closeDisallowedIntents, "Disallowed intent(s).")
		return
	}
	if !s.spendStart(app, shard[0]) {
		if app.sessionsLeft < 0 {
			s.resetToken(app)
		}
		c.push([]byte(`{"op":9,"d":false,"s":null,"t":null}`))
		return
	}
	c.app = app
	c.codec.payload = id.Compress && c.codec.kind == ""
	s.newSession(c, app, shard, Intents(*id.Intents))
}

// spendStart counts a session start; false when there are none left, or when the shard's bucket was used less than 5 s ago and the server is strict.
func (s *Server) spendStart(app *application, shard int) bool {
	now := s.clock.Now()
	if now.After(app.sessionsReset) {
		app.sessionsLeft, app.sessionsReset = sessionStarts, now.Add(sessionReset)
	}
	if app.sessionsLeft--; app.sessionsLeft < 0 {
		return false
	}
	bucket := shard % s.cfg.MaxConcurrency
	if last, ok := app.identified[bucket]; s.cfg.StrictIdentify && ok && now.Sub(last) < identifyInterval {
		return false
	}
	app.identified[bucket] = now
	return true
}

// resetToken is what Discord does to a bot that has used up its session starts: every session ends, the token is void.
func (s *Server) resetToken(app *application) {
	delete(s.tokens, app.token)
	app.token = botToken(app.id, secret(8))
	s.tokens[app.token] = app
	for _, c := range s.conns {
		if c.app == app {
			s.shut(c, closeAuthenticationFailed, "Authentication failed.")
		}
	}
}

func (s *Server) appByToken(token string) *application {
	return s.tokens[strings.TrimPrefix(token, "Bot ")]
}

// tryResume takes up a session again, or answers op 9 or a close code. mu is held.
func (s *Server) tryResume(c *conn, data json.RawMessage) {
	var r struct {
		Token     string `json:"token"`
		SessionID string `json:"session_id"`
		Seq       *int   `json:"seq"`
	}
	if err := json.Unmarshal(data, &r); err != nil || r.Seq == nil {
		s.shut(c, closeDecodeError, "Error while decoding payload.")
		return
	}
	if c.app != nil {
		s.shut(c, closeAlreadyAuthenticated, "Already authenticated.")
		return
	}
	app := s.appByToken(r.Token)
	if app == nil {
		s.shut(c, closeAuthenticationFailed, "Authentication failed.")
		return
	}
	sess := s.sessions[r.SessionID]
	if sess != nil && sess.app == app && *r.Seq > sess.seq {
		s.forget(sess)
		s.shut(c, closeInvalidSequence, "Invalid seq.")
		return
	}
	if sess == nil || sess.app != app || !s.resume(c, sess, *r.Seq) {
		c.push([]byte(`{"op":9,"d":false,"s":null,"t":null}`)) // the bot may identify on the same socket
		return
	}
	c.app = app
}
