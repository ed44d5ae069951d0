package discordtest

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Gateway opcodes (topics/opcodes-and-status-codes).
const (
	opHeartbeat      = 1
	opIdentify       = 2
	opPresence       = 3
	opVoice          = 4
	opResume         = 6
	opReconnect      = 7
	opRequestMembers = 8
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatACK   = 11
	opSoundboard     = 31
)

// Gateway close codes (topics/opcodes-and-status-codes).
const (
	closeUnknownOpcode        = 4001
	closeDecodeError          = 4002
	closeNotAuthenticated     = 4003
	closeAuthenticationFailed = 4004
	closeAlreadyAuthenticated = 4005
	closeInvalidSequence      = 4007
	closeRateLimited          = 4008
	closeSessionTimedOut      = 4009
	closeInvalidShard         = 4010
	closeInvalidVersion       = 4012
	closeInvalidIntents       = 4013
	closeDisallowedIntents    = 4014
)

const (
	maxPayload      = 4096 // bytes of one message to the gateway
	sendLimit       = 120  // messages in sendWindow
	sendWindow      = 60 * time.Second
	maxQueue        = 100_000 // messages that wait for a bot to read them
	defaultInterval = 41250 * time.Millisecond
)

// unsent is how much the system keeps of what was written to a bot's socket. On loopback it would take a whole guild's members at once, faster
// than any network, and an event that comes after them would wait until the bot has taken them all.
const unsent = 16 << 10

// socketKey is where a request's context has its socket.
type socketKey struct{}

func remember(ctx context.Context, socket net.Conn) context.Context {
	return context.WithValue(ctx, socketKey{}, socket)
}

// conn is one socket. Its fields are guarded by the server's mu, the queue by its own.
type conn struct {
	server   *Server
	id       int
	ws       *websocket.Conn
	codec    *codec
	app      *application // nil before identify or resume
	session  *session
	parted   *session // after op 9 true: it can be resumed until the bot identifies here instead
	sends    window
	lastBeat time.Time
	overdue  *time.Timer
	closing  bool          // by the control port: gone for all but the socket
	done     chan struct{} // closed when the socket is gone

	mu      sync.Mutex
	queue   []outgoing
	pending int           // queued or being written
	wake    chan struct{} // something is queued
	room    chan struct{} // something was written
}

// outgoing is a message, or the close of the socket once everything before it is written.
type outgoing struct {
	text   []byte
	code   int
	reason string
}

// gatewayHandler is the door for sockets.
func (s *Server) gatewayHandler(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if enc := q.Get("encoding"); enc != "" && enc != "json" {
		http.Error(w, "the local Discord speaks json only", http.StatusBadRequest)
		return
	}
	codec, err := newCodec(q.Get("compress"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(1 << 16)
	if socket, is := r.Context().Value(socketKey{}).(*net.TCPConn); is {
		_ = socket.SetWriteBuffer(unsent) // an older one is no fault of the bot's
	}
	s.mu.Lock()
	drop := s.fires(FaultDropAfterAccept, site{event: "CONNECT"})
	s.connections++
	c := &conn{
		server: s, id: s.connections, ws: ws, codec: codec, lastBeat: time.Now(), done: make(chan struct{}),
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	if !drop {
		s.conns[c.id] = c
	}
	s.mu.Unlock()
	if drop {
		ws.CloseNow() //nolint:errcheck // it is gone either way
		return
	}
	c.run(s.ctx, q.Get("v"))
}

// run serves the socket until it ends.
func (c *conn) run(ctx context.Context, version string) {
	ctx, cancel := context.WithCancel(ctx)
	s := c.server
	var writer sync.WaitGroup
	writer.Go(func() { c.write(ctx) })
	c.overdue = time.AfterFunc(2*s.cfg.HeartbeatInterval, func() { s.closeConn(c, closeSessionTimedOut, "Session timed out.") })
	c.push(encode(object{"op": opHello, "d": object{"heartbeat_interval": s.cfg.HeartbeatInterval.Milliseconds(), "_trace": []int{}}, "s": nil, "t": nil}))
	if version != "" && version != "9" && version != "10" {
		c.close(closeInvalidVersion, "Invalid API version.")
	}
	err := c.read(ctx)
	c.overdue.Stop()
	s.detach(c, err)
	close(c.done)
	cancel()
	writer.Wait()
	c.ws.CloseNow() //nolint:errcheck // it is gone either way
	c.codec.close()
}

// read hears the bot until the socket fails or closes.
func (c *conn) read(ctx context.Context) error {
	for {
		_, data, err := c.ws.Read(ctx)
		if err != nil {
			return err
		}
		c.server.hear(c, data)
	}
}

// detach parts connection and session. A bot that closes with 1000 or 1001 ends its session.
func (s *Server) detach(c *conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c.id)
	sess := c.session
	if sess == nil {
		return
	}
	c.session, sess.conn, sess.cutAt = nil, nil, s.clock.Now()
	var ce websocket.CloseError
	if errors.As(err, &ce) && (ce.Code == websocket.StatusNormalClosure || ce.Code == websocket.StatusGoingAway) {
		s.forget(sess)
	}
}

// push queues a message.
func (c *conn) push(text []byte) { c.enqueue(outgoing{text: text}) }

// close closes the socket with a code once everything before it is written.
func (c *conn) close(code int, reason string) { c.enqueue(outgoing{code: code, reason: reason}) }

// cut drops the socket without a word; the session can be resumed.
func (c *conn) cut() { go c.ws.CloseNow() } //nolint:errcheck // it is gone either way

func (c *conn) enqueue(o outgoing) {
	c.mu.Lock()
	c.queue = append(c.queue, o)
	c.pending++
	tooMany := c.pending > maxQueue
	c.mu.Unlock()
	if tooMany {
		c.cut() // a bot that does not read; what it missed is in the replay as far as that reaches
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write sends what is queued, in order.
func (c *conn) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		c.mu.Lock()
		batch := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, o := range batch {
			if o.code != 0 {
				c.ws.Close(websocket.StatusCode(o.code), o.reason) //nolint:errcheck // it is gone either way
				return
			}
			typ, payload, err := c.codec.encode(o.text)
			if err == nil {
				err = c.ws.Write(ctx, typ, payload)
			}
			if err != nil {
				c.ws.CloseNow() //nolint:errcheck // it is gone already
				return
			}
			c.mu.Lock()
			c.pending--
			c.mu.Unlock()
			select {
			case c.room <- struct{}{}:
			default:
			}
		}
	}
}

// waitRoom waits until few messages are queued, so that a full read does not pile up in memory; false when the socket is gone.
func (c *conn) waitRoom() bool {
	const few = 4
	for {
		c.mu.Lock()
		n := c.pending
		c.mu.Unlock()
		if n < few {
			return true
		}
		select {
		case <-c.room:
		case <-c.done:
			return false
		}
	}
}

// closeConn closes the socket with a code and ends the session where Discord would.
func (s *Server) closeConn(c *conn, code int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut(c, code, reason)
}

// shut is closeConn with mu held.
func (s *Server) shut(c *conn, code int, reason string) {
	switch code {
	case closeAuthenticationFailed, closeInvalidSequence, closeSessionTimedOut, closeInvalidShard, 4011, closeInvalidVersion, closeInvalidIntents,
		closeDisallowedIntents:
		if c.session != nil {
			s.forget(c.session)
		}
	}
	c.close(code, reason)
}

// hear takes one message of the bot.
func (s *Server) hear(c *conn, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var msg struct {
		Op   *int            `json:"op"`
		Data json.RawMessage `json:"d"`
	}
	if len(data) > maxPayload || json.Unmarshal(data, &msg) != nil || msg.Op == nil {
		s.shut(c, closeDecodeError, "Error while decoding payload.")
		return
	}
	if !s.cfg.Unlimited && !c.sends.take(s.clock.Now(), sendLimit, sendWindow) {
		s.shut(c, closeRateLimited, "Rate limited.")
		return
	}
	switch *msg.Op {
	case opHeartbeat:
		s.beat(c)
	case opIdentify:
		s.identify(c, msg.Data)
	case opResume:
		s.tryResume(c, msg.Data)
	case opPresence, opVoice, opRequestMembers, opSoundboard:
		if c.app == nil {
			s.shut(c, closeNotAuthenticated, "Not authenticated.")
		} else if *msg.Op == opRequestMembers && c.session != nil {
			s.requestMembers(c, msg.Data)
		}
	default:
		s.shut(c, closeUnknownOpcode, "Unknown opcode.")
	}
}

func (s *Server) beat(c *conn) {
	c.lastBeat = time.Now()
	c.overdue.Reset(2 * s.cfg.HeartbeatInterval)
	name := ""
	if c.app != nil {
		name = c.app.name
	}
	if s.fires(FaultNoHeartbeatACK, site{event: "HEARTBEAT", bot: name}) {
		return
	}
	c.push([]byte(`{"op":11,"d":null,"s":null,"t":null}`))
}
