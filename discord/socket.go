package discord

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/gorilla/websocket"
)

// errNoMoreTries is the one error after which disgo does not try to connect again.
var errNoMoreTries = discord.ErrGatewayAlreadyConnected

// errSilent ends a connection that was cut since nothing came over it. It must not look like one that we closed: disgo resumes then.
var errSilent = errors.New("the gateway's connection was cut: nothing came over it")

const (
	dialWithin  = 15 * time.Second
	writeWithin = 10 * time.Second
	// unread is how much may have come and wait to be read. When all members are read, megabytes of them come at once, and whatever comes
	// behind them waits until they are taken: a moderator's command, too. What does not fit waits at Discord.
	unread = 64 << 10
)

// socket is a connection that cannot hang: a half-open one would keep disgo's locks, and with them heartbeats, for a quarter of an hour.
type socket struct {
	net.Conn
	silence time.Duration
	isCut   atomic.Bool
}

// Read fails when nothing came for too long; heartbeats are acknowledged, so something always comes.
func (s *socket) Read(p []byte) (int, error) {
	if err := s.SetReadDeadline(time.Now().Add(s.silence)); err != nil {
		return 0, s.reason(err)
	}
	n, err := s.Conn.Read(p)
	return n, s.reason(err)
}

func (s *socket) reason(err error) error {
	var late net.Error
	if err != nil && s.isCut.Load() || errors.As(err, &late) && late.Timeout() {
		return errSilent
	}
	return err
}

// Write fails when the other side takes nothing for too long.
func (s *socket) Write(p []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}

// cut ends the connection as if the network had: the session stays, and disgo resumes it.
func (s *socket) cut() {
	s.isCut.Store(true)
	s.Conn.Close() //nolint:errcheck,gosec // it is gone either way
}

// dialer connects a shard as long as it is open. disgo goes on connecting in the background after it was closed otherwise.
func (c *Client) dialer(shard int) *websocket.Dialer {
	quit := c.shardQuit(shard)
	return &websocket.Dialer{
		HandshakeTimeout: dialWithin, Proxy: http.ProxyFromEnvironment,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			select {
			case <-quit:
				return nil, errClosing()
			default:
			}
			d := net.Dialer{Timeout: dialWithin}
			conn, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if t, is := conn.(*net.TCPConn); is {
				if err := t.SetReadBuffer(unread); err != nil {
					return nil, errors.Join(err, conn.Close())
				}
			}
			s := &socket{Conn: conn, silence: c.cfg.Silence}
			c.connected(shard, s)
			return s, nil
		},
	}
}
