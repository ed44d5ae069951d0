package discordtest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"
)

// Request is one REST call, answered.
type Request struct {
	Number   int             `json:"number"` // from 1, in the order of the answers
	Time     int64           `json:"time"`   // arrival, Unix microseconds of the clock
	Bot      string          `json:"bot"`    // name of the bot; "" (null) for calls without a bot token
	Method   string          `json:"method"`
	Route    string          `json:"route"` // template, e.g. /guilds/{g}/members/{u}
	Path     string          `json:"path"`  // concrete, without /api and version, tokens masked
	Query    string          `json:"query"`
	Version  int             `json:"version"` // 9, 10, 0 for the unversioned API
	Body     json.RawMessage `json:"body"`
	Bucket   string          `json:"bucket"`
	Status   int             `json:"status"`
	Reason   string          `json:"reason"` // audit-log reason, decoded
	Duration float64         `json:"duration_ms"`
	Fault    string          `json:"fault"`
}

// MarshalJSON writes empty texts as null.
func (r Request) MarshalJSON() ([]byte, error) {
	type plain Request
	return json.Marshal(struct {
		plain
		Bot    *string         `json:"bot"`
		Bucket *string         `json:"bucket"`
		Reason *string         `json:"reason"`
		Fault  *string         `json:"fault"`
		Body   json.RawMessage `json:"body"`
	}{plain(r), orNull(r.Bot), orNull(r.Bucket), orNull(r.Reason), orNull(r.Fault), nullable(r.Body)})
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func nullable(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

// requestLog keeps the newest calls.
type requestLog struct {
	mu    sync.Mutex
	count int
	list  []Request
	more  chan struct{} // closed and replaced at each call
}

// keptRequests is how many calls are remembered.
const keptRequests = 200_000

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	r.Number = l.count
	if len(l.list) >= keptRequests {
		l.list = slices.Delete(l.list, 0, keptRequests/10)
	}
	l.list = append(l.list, r)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *requestLog) since(n int) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, _ := slices.BinarySearchFunc(l.list, n+1, func(r Request, n int) int { return cmp.Compare(r.Number, n) })
	return append([]Request{}, l.list[at:]...)
}

// maskBody hides credentials in a body before it is remembered.
func maskBody(body json.RawMessage) json.RawMessage {
	if !strings.Contains(string(body), "access_token") {
		return body
	}
	var o map[string]any
	if json.Unmarshal(body, &o) != nil {
		return nil
	}
	o["access_token"] = "***"
	return encode(o)
}

// File is an attachment as a person gets it.
type File struct {
	Name string `json:"name"`
	Size int    `json:"size"`
	Data []byte `json:"base64"`
}

func viewFiles(files []file) []File {
	out := []File{}
	for _, f := range files {
		out = append(out, File{Name: f.Name, Size: len(f.data), Data: f.data})
	}
	return out
}

// view is a message as a person sees it: Discord's object with the files' content.
func (m *message) view() object {
	o := m.object()
	o["files"] = viewFiles(m.files)
	return o
}

// Edit is one change of a message, and the message after it.
type Edit struct {
	At      int64           `json:"at"` // Unix microseconds of the clock
	Message json.RawMessage `json:"message"`
}

// Interaction is what became of an interaction.
type Interaction struct {
	ID            snowflake.ID      `json:"id"`
	User          snowflake.ID      `json:"user"`
	Name          string            `json:"name"`
	AnsweredAfter *int64            `json:"answered_after_ms"` // null: not answered
	Response      json.RawMessage   `json:"response"`
	Original      json.RawMessage   `json:"original"` // null while the bot "is thinking", or where there is no message
	Followups     []json.RawMessage `json:"followups"`
	Edits         []Edit            `json:"edits"`
}

// view tells what became of it. mu is held.
func (i *interaction) view() Interaction {
	v := Interaction{
		ID: i.id, User: i.member.id, Name: i.name, Response: nullable(i.answer), Original: json.RawMessage("null"),
		Followups: []json.RawMessage{}, Edits: []Edit{},
	}
	if i.answerType != 0 {
		ms := i.answered.Sub(i.at).Milliseconds()
		v.AnsweredAfter = &ms
	}
	if m := i.original; m != nil {
		if m.flags&flagLoading == 0 {
			v.Original = encode(m.view())
		}
		v.addEdits(i, m)
	}
	for _, m := range i.followups {
		if !m.deleted {
			v.Followups = append(v.Followups, encode(m.view()))
		}
		v.addEdits(i, m)
	}
	slices.SortStableFunc(v.Edits, func(a, b Edit) int { return cmp.Compare(a.At, b.At) })
	return v
}

// addEdits takes over the edits of a message: all of one's own, of a foreign one those made by this interaction.
func (v *Interaction) addEdits(i *interaction, m *message) {
	for _, e := range m.edits {
		if m.interaction == i || e.by == i {
			v.Edits = append(v.Edits, Edit{At: e.at.UnixMicro(), Message: e.message})
		}
	}
}

// Connection is one socket of a bot.
type Connection struct {
	ID            int     `json:"id"`
	Bot           string  `json:"bot"`
	SessionID     string  `json:"session_id"`
	Shard         [2]int  `json:"shard"`
	Intents       Intents `json:"intents"`
	LastHeartbeat int64   `json:"last_heartbeat"` // Unix microseconds of this machine's time
	Sequence      int     `json:"sequence"`
	Compress      string  `json:"compress"` // "", "zlib-stream", "zstd-stream" or "payload"
}

func (c *conn) view() Connection {
	v := Connection{ID: c.id, LastHeartbeat: c.lastBeat.UnixMicro(), Compress: c.codec.name()}
	if c.app != nil {
		v.Bot = c.app.name
	}
	if s := c.session; s != nil {
		v.SessionID, v.Shard, v.Intents, v.Sequence = s.id, s.shard, s.intents, s.seq
	}
	return v
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func microTime(us int64) time.Time { return time.UnixMicro(us).UTC() }
