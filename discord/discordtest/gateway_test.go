package discordtest_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"gatecamp/discord/discordtest"
)

const (
	intentsOurs = 1 | 2 | 4
	intentsBare = 1
)

func TestTheGatewayClosesWithDiscordsCodes(t *testing.T) {
	for name, c := range map[string]struct {
		want int
		act  func(*rig, *line)
	}{
		"a wrong token":   {4004, func(r *rig, l *line) { l.send(2, map[string]any{"token": "wrong", "intents": 1}) }},
		"an empty token":  {4004, func(r *rig, l *line) { l.send(2, map[string]any{"token": "", "intents": 1}) }},
		"unknown intents": {4013, func(r *rig, l *line) { l.send(2, map[string]any{"token": r.token, "intents": 1 << 30}) }},
		"no intents":      {4013, func(r *rig, l *line) { l.send(2, map[string]any{"token": r.token}) }},
		"intents switched off": {4014, func(r *rig, l *line) {
			if err := r.s.AllowIntents(r.s.Bot(discordtest.BotGatecamp).UserID, 0); err != nil {
				r.Fatal(err)
			}
			l.send(2, map[string]any{"token": r.token, "intents": 2})
		}},
		"an invalid shard":  {4010, func(r *rig, l *line) { l.send(2, map[string]any{"token": r.token, "intents": 1, "shard": []int{2, 2}}) }},
		"an unknown opcode": {4001, func(r *rig, l *line) { l.send(77, nil) }},
		"not authenticated": {4003, func(r *rig, l *line) { l.send(8, map[string]any{}) }},
		"a second identify": {4005, func(r *rig, l *line) {
			l.send(2, map[string]any{"token": r.token, "intents": 1})
			l.send(2, map[string]any{"token": r.token, "intents": 1})
		}},
		"no JSON": {4002, func(r *rig, l *line) {
			if err := l.ws.Write(r.Context(), websocket.MessageText, []byte("nonsense")); err != nil {
				r.Fatal(err)
			}
		}},
		"too many messages": {4008, func(r *rig, l *line) {
			for range 121 {
				l.send(1, nil)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, discordtest.Config{})
			l := r.dial()
			c.act(r, l)
			if got := l.closed(); got != c.want {
				t.Errorf("closed with %d, want %d", got, c.want)
			}
		})
	}
}

func TestABotThatStopsBeatingIsClosed(t *testing.T) {
	r := newRig(t, discordtest.Config{HeartbeatInterval: 20 * time.Millisecond})
	l, _ := r.connect(intentsOurs)
	if got := l.closed(); got != 4009 {
		t.Errorf("closed with %d, want 4009", got)
	}
}

func TestAResumeReplaysWhatWasMissedInOrder(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, session := r.connect(intentsOurs)
	r.cut(l)
	for range 2 {
		r.must(r.s.TakeRole(r.guild, 201, 30, 0))
		r.must(r.s.GiveRole(r.guild, 201, 30, 0))
	}
	l = r.dial()
	l.send(6, map[string]any{"token": r.token, "session_id": session, "seq": 2})
	want := slices.Repeat([]string{"GUILD_MEMBER_UPDATE", "GUILD_AUDIT_LOG_ENTRY_CREATE"}, 4)
	if d := cmp.Diff(append(want, "RESUMED"), l.names(9)); d != "" {
		t.Errorf("the replay differs (-want +got):\n%s", d)
	}
	r.must(r.s.TakeRole(r.guild, 201, 30, 0))
	if m := l.read(); m.Name != "GUILD_MEMBER_UPDATE" || *m.Seq != 12 {
		t.Errorf("then comes %s with number %d, want the update with 12", m.Name, *m.Seq)
	}
}

// cut drops the connection and waits until the server knows.
func (r *rig) cut(l *line) {
	r.Helper()
	r.must(r.s.CloseConnection(r.s.Connections()[0].ID, 0))
	if got := l.closed(); got > 0 {
		r.Fatalf("cut with code %d, want none", got)
	}
	r.settled(func() bool { return len(r.s.Connections()) == 0 })
}

// settled waits for something that the server does by itself; a request over REST gives it the time.
func (r *rig) settled(is func() bool) {
	r.Helper()
	for !is() {
		if r.Context().Err() != nil {
			r.Fatal("it never settled")
		}
		r.do("GET", "/gateway", "")
	}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func TestAResumeIsRefusedWhen(t *testing.T) {
	for name, c := range map[string]struct {
		between func(*rig)
		resume  func(session string) (string, int)
		closes  int
	}{
		"the buffer ran over": {between: func(r *rig) {
			for range 3 {
				r.must(r.s.TakeRole(r.guild, 201, 30, 0))
				r.must(r.s.GiveRole(r.guild, 201, 30, 0))
			}
		}},
		"minutes have passed":    {between: func(r *rig) { r.clock.Advance(5 * time.Minute) }},
		"the session is unknown": {resume: func(string) (string, int) { return "unknown", 2 }},
		"the number is too high": {resume: func(s string) (string, int) { return s, 99 }, closes: 4007},
		"a fault says so":        {between: func(r *rig) { r.fault(discordtest.Fault{Name: "resume_refused"}) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, discordtest.Config{World: parse(t, hierarchy), ReplayBuffer: 10})
			l, session := r.connect(intentsOurs)
			r.cut(l)
			if c.between != nil {
				c.between(r)
			}
			seq := 2
			if c.resume != nil {
				session, seq = c.resume(session)
			}
			l = r.dial()
			l.send(6, map[string]any{"token": r.token, "session_id": session, "seq": seq})
			if c.closes != 0 {
				if got := l.closed(); got != c.closes {
					t.Errorf("closed with %d, want %d", got, c.closes)
				}
				return
			}
			if m := l.read(); m.Op != 9 || string(m.Data) != "false" {
				t.Fatalf("op %d %s, want op 9 false", m.Op, m.Data)
			}
			l.send(2, map[string]any{"token": r.token, "intents": 1}) // the socket goes on
			l.await("READY")
		})
	}
}

func (r *rig) fault(f discordtest.Fault) {
	r.Helper()
	if _, err := r.s.AddFault(f); err != nil {
		r.Fatal(err)
	}
}

func TestACleanCloseEndsTheSession(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	l, session := r.connect(intentsOurs)
	if err := l.ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	r.settled(func() bool { return len(r.s.Connections()) == 0 })
	l = r.dial()
	l.send(6, map[string]any{"token": r.token, "session_id": session, "seq": 2})
	if m := l.read(); m.Op != 9 {
		t.Errorf("op %d, want 9: a session that was closed with 1000 is over", m.Op)
	}
}

func TestIntentsAndRightsDecideWhatIsHeard(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, _ := r.connect(intentsBare)
	r.must(r.s.TakeRole(r.guild, 201, 30, 0)) // neither members nor moderation
	if _, err := r.s.CreateRole(r.guild, 0, discordtest.RoleEdit{}); err != nil {
		t.Fatal(err)
	}
	if got := l.read().Name; got != "GUILD_ROLE_CREATE" {
		t.Errorf("heard %s, want the role alone", got)
	}
	r.must(r.s.GiveRole(r.guild, 42, 30, 0)) // of itself a bot hears always
	if got := l.read().Name; got != "GUILD_MEMBER_UPDATE" {
		t.Errorf("heard %s, want the update of the bot itself", got)
	}
}

func TestChunks(t *testing.T) {
	type chunk struct {
		Members  []json.RawMessage
		Index    int      `json:"chunk_index"`
		Count    int      `json:"chunk_count"`
		NotFound []string `json:"not_found"`
		Nonce    string
	}
	r := newRig(t, discordtest.Config{World: world(t, "empty").Populate(2500, 1)})
	l, _ := r.connect(intentsOurs)
	all := map[string]any{"guild_id": r.guild.String(), "query": "", "limit": 0, "nonce": "n1"}
	l.send(8, all)
	total := 0
	for i := range 3 {
		var c chunk
		l.decode(l.await("GUILD_MEMBERS_CHUNK"), &c)
		if c.Index != i || c.Count != 3 || c.Nonce != "n1" {
			t.Errorf("chunk %d of %d, nonce %q; want %d of 3, n1", c.Index, c.Count, c.Nonce, i)
		}
		total += len(c.Members)
	}
	if total != 2503 {
		t.Errorf("%d members came, want 2,503", total)
	}
	r.clock.Advance(10 * time.Second)
	l.send(8, all)
	var limited struct {
		Opcode int
		Retry  float64 `json:"retry_after"`
		Meta   struct {
			Guild string `json:"guild_id"`
			Nonce string
		}
	}
	l.decode(l.await("RATE_LIMITED"), &limited)
	if limited.Opcode != 8 || limited.Retry != 20 || limited.Meta.Guild != r.guild.String() || limited.Meta.Nonce != "n1" {
		t.Errorf("the second request within 30 s: %+v, want to wait 20 s", limited)
	}
	l.send(8, map[string]any{"guild_id": r.guild.String(), "user_ids": []string{"41", "77"}})
	var some chunk
	l.decode(l.await("GUILD_MEMBERS_CHUNK"), &some)
	if len(some.Members) != 1 || cmp.Diff([]string{"77"}, some.NotFound) != "" {
		t.Errorf("by id came %d members, not found %v; want one, and 77", len(some.Members), some.NotFound)
	}
	r.clock.Advance(20 * time.Second)
	l.send(8, all)
	l.await("GUILD_MEMBERS_CHUNK")
}

func TestShardsHearOfTheirGuildsOnly(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	mine := int(uint64(r.guild) >> 22 % 2)
	for shard := range 2 {
		l := r.dial()
		l.send(2, map[string]any{"token": r.token, "intents": 1, "shard": []int{shard, 2}})
		var ready struct{ Guilds []json.RawMessage }
		l.decode(l.await("READY"), &ready)
		if got, want := len(ready.Guilds) == 1, shard == mine; got != want {
			t.Errorf("shard %d has the guild: %v, want %v", shard, got, want)
		}
	}
}

func TestSessionStartsRunOutAndTheTokenIsReset(t *testing.T) {
	r := newRig(t, discordtest.Config{})
	for range 1000 {
		l := r.dial()
		l.send(2, map[string]any{"token": r.token, "intents": 0})
		l.await("READY")
		l.ws.CloseNow()
	}
	left := into[struct {
		Limit struct{ Total, Remaining int } `json:"session_start_limit"`
	}](t, r.want(200, 0, "GET", "/gateway/bot", ""))
	if left.Limit.Total != 1000 || left.Limit.Remaining != 0 {
		t.Errorf("%d of %d are left, want 0 of 1,000", left.Limit.Remaining, left.Limit.Total)
	}
	l := r.dial()
	l.send(2, map[string]any{"token": r.token, "intents": 0})
	if m := l.read(); m.Op != 9 {
		t.Errorf("op %d, want 9", m.Op)
	}
	r.want(401, 0, "GET", "/gateway/bot", "")
}

func TestAStrictServerWantsFiveSecondsBetweenIdentifies(t *testing.T) {
	r := newRig(t, discordtest.Config{StrictIdentify: true})
	r.connect(intentsOurs)
	l := r.dial()
	l.send(2, map[string]any{"token": r.token, "intents": 1})
	if m := l.read(); m.Op != 9 || string(m.Data) != "false" {
		t.Errorf("op %d, want 9", m.Op)
	}
	r.clock.Advance(5 * time.Second)
	r.connect(intentsOurs)
}

func TestAnOutageIsToldAndWhatHappensMeanwhileIsNot(t *testing.T) {
	r := newRig(t, discordtest.Config{World: parse(t, hierarchy)})
	l, _ := r.connect(intentsOurs)
	r.must(r.s.SetDown(r.guild, true))
	r.must(r.s.TakeRole(r.guild, 201, 30, 0))
	r.must(r.s.SetDown(r.guild, false))
	down := l.read()
	var d struct{ Unavailable bool }
	l.decode(down, &d)
	if down.Name != "GUILD_DELETE" || !d.Unavailable {
		t.Errorf("%s unavailable %v, want GUILD_DELETE true", down.Name, d.Unavailable)
	}
	if got := l.read().Name; got != "GUILD_CREATE" {
		t.Errorf("then %s, want GUILD_CREATE", got)
	}
}

func TestServeSaysWhereItIsAndEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(chan []byte, 1)
	ended := make(chan error, 1)
	go func() { ended <- discordtest.Serve(ctx, discordtest.Config{}, writer(lines)) }()
	var h map[string]any
	if err := json.Unmarshal(next(t, lines), &h); err != nil {
		t.Fatal(err)
	}
	if h["schema"] != "gatecamp.local-discord/1" || h["application_id"] != "42" || cmp.Diff([]any{"900000000000000001"}, h["guild_ids"]) != "" {
		t.Errorf("the first line is %v", h)
	}
	bots, _ := h["bots"].([]any)
	if len(bots) != 2 {
		t.Errorf("%d bots, want gatecamp and auth", len(bots))
	}
	cancel()
	if err := next(t, ended); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// writer hands lines on.
type writer chan []byte

func (w writer) Write(p []byte) (int, error) {
	w <- slices.Clone(p)
	return len(p), nil
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "192.0.2.1:0", ":0", "nonsense"} {
		if _, err := discordtest.New(discordtest.Config{Listen: address}); err == nil {
			t.Errorf("%s is taken", address)
		}
	}
}
