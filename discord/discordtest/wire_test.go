package discordtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// rig is a server with a manual clock and a bot that speaks raw REST.
type rig struct {
	*testing.T
	s     *discordtest.Server
	clock *discordtest.ManualClock
	guild snowflake.ID
	token string
	base  string // of REST

	bearer string // a person's token, instead of the bot's
}

func newRig(t *testing.T, cfg discordtest.Config) *rig {
	t.Helper()
	clock := discordtest.NewManualClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	if cfg.Clock == nil {
		cfg.Clock = clock
	}
	s := start(t, cfg)
	return &rig{T: t, s: s, clock: clock, guild: s.GuildIDs()[0], token: s.Bot(discordtest.BotGatecamp).Token, base: s.APIURL() + "/v10"}
}

// as is the rig with another bot.
func (r rig) as(bot string) *rig {
	r.token = r.s.Bot(bot).Token
	return &r
}

// unversioned is the rig on the paths that Alliance Auth uses.
func (r rig) unversioned() *rig {
	r.base = r.s.APIURL()
	return &r
}

func (r rig) control() *rig {
	r.base, r.token = r.s.ControlURL(), ""
	return &r
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is Discord's JSON error code.
func (a answer) code() int {
	var e struct {
		Code int `json:"code"`
	}
	if json.Unmarshal(a.body, &e) != nil {
		return 0
	}
	return e.Code
}

// into decodes the body.
func into[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

// do calls REST; headers come as pairs. {g} in the path is the guild.
func (r rig) do(method, path, body string, headers ...string) answer {
	r.Helper()
	path = strings.ReplaceAll(path, "{g}", r.guild.String())
	req, err := http.NewRequestWithContext(r.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bot "+r.token)
	}
	if r.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, data}
}

// want calls REST and wants a status and, if not 0, a JSON error code.
func (r rig) want(status, code int, method, path, body string, headers ...string) answer {
	r.Helper()
	a := r.do(method, path, body, headers...)
	if a.status != status || a.code() != code && status >= 400 {
		r.Errorf("%s %s: %d with code %d, want %d with %d: %s", method, path, a.status, a.code(), status, code, a.body)
	}
	return a
}

// message is one message of the gateway.
type message struct {
	Op   int             `json:"op"`
	Name string          `json:"t"`
	Seq  *int            `json:"s"`
	Data json.RawMessage `json:"d"`
}

// line is a raw gateway connection without compression.
type line struct {
	*testing.T
	ws *websocket.Conn
}

// dial connects and takes op 10.
func (r rig) dial() *line {
	r.Helper()
	ws, _, err := websocket.Dial(r.Context(), r.s.GatewayURL()+"/?v=10&encoding=json", nil)
	if err != nil {
		r.Fatal(err)
	}
	ws.SetReadLimit(1 << 28)
	r.Cleanup(func() { ws.CloseNow() })
	l := &line{r.T, ws}
	if m := l.read(); m.Op != 10 {
		r.Fatalf("first came op %d, want 10", m.Op)
	}
	return l
}

// connect dials, identifies and takes READY and GUILD_CREATE.
func (r rig) connect(intents int) (l *line, session string) {
	r.Helper()
	l = r.dial()
	l.send(2, map[string]any{"token": r.token, "intents": intents})
	var ready struct {
		Session string `json:"session_id"`
	}
	l.decode(l.await("READY"), &ready)
	l.await("GUILD_CREATE")
	return l, ready.Session
}

func (l *line) send(op int, data any) {
	l.Helper()
	b, err := json.Marshal(map[string]any{"op": op, "d": data})
	if err != nil {
		l.Fatal(err)
	}
	if err := l.ws.Write(l.Context(), websocket.MessageText, b); err != nil {
		l.Fatal(err)
	}
}

func (l *line) read() message {
	l.Helper()
	_, b, err := l.ws.Read(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		l.Fatalf("%s: %v", b, err)
	}
	return m
}

// await reads on until a dispatch of the name comes.
func (l *line) await(name string) message {
	l.Helper()
	for {
		if m := l.read(); m.Name == name {
			return m
		}
	}
}

// names reads n dispatches and gives their names.
func (l *line) names(n int) []string {
	l.Helper()
	var out []string
	for range n {
		out = append(out, l.read().Name)
	}
	return out
}

func (l *line) decode(m message, v any) {
	l.Helper()
	if err := json.Unmarshal(m.Data, v); err != nil {
		l.Fatalf("%s: %v", m.Data, err)
	}
}

// closed reads until the socket closes and gives the code.
func (l *line) closed() int {
	l.Helper()
	for {
		_, _, err := l.ws.Read(l.Context())
		if err == nil {
			continue
		}
		var ce websocket.CloseError
		if errors.As(err, &ce) {
			return int(ce.Code)
		}
		if errors.Is(err, io.EOF) {
			return 0
		}
		return -1
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tryDial connects without expecting op 10.
func (r rig) tryDial() *line {
	r.Helper()
	ws, _, err := websocket.Dial(r.Context(), r.s.GatewayURL(), nil)
	if err != nil {
		r.Fatal(err)
	}
	return &line{r.T, ws}
}

// start serves a world until the test ends.
func start(t *testing.T, cfg discordtest.Config) *discordtest.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // clients close first
	s, wait, err := discordtest.Start(ctx, cfg)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return s
}

func world(t *testing.T, name string) *discordtest.World {
	t.Helper()
	w, err := discordtest.LoadWorld(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// next waits for what a channel brings.
func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-t.Context().Done():
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
