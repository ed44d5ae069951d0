package discordtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// FaultName is something that goes wrong at Discord, or between Discord and a bot.
type FaultName int

// The faults (reference/local-discord.md); faultTable says what each does.
const (
	FaultMissedEvents FaultName = iota + 1
	FaultResumeRefused
	FaultDropAfterAccept
	FaultOp7
	FaultOp9Resumable
	FaultOp9New
	FaultNoHeartbeatACK
	FaultChunksRateLimited
	FaultChunkLost
	FaultChunkDoubled
	FaultChunksReordered
	FaultGuildUnavailable
	FaultUnknownChannelKind
	FaultEventBeforeGuildCreate
	FaultAuditBefore
	FaultAuditLate
	FaultAuditNever
	Fault429User
	Fault429Shared
	Fault429Global
	Fault429Cloudflare
	Fault5xxBefore
	Fault5xxAfter
	FaultOKWithoutEffect
	FaultDeletedRoleInMember
	FaultRoleDeleteSilent
	FaultForeignWrite
	FaultClockSkew
	FaultSlow
)

// FaultKind is a line of the list of faults.
type FaultKind struct {
	Name  string `json:"name"`
	Where string `json:"where"` // "rest" or "gateway"
	Doc   string `json:"doc"`
}

const (
	atRest    = "rest"
	atGateway = "gateway"
)

// faultTable is the list of faults, by FaultName - 1.
var faultTable = [...]FaultKind{
	{"missed_events", atGateway, "a dispatch uses up its number and never comes, not even when the session is resumed; counts dispatches"},
	{"resume_refused", atGateway, "a resume is answered with op 9 false and the session is gone; counts resumes"},
	{"drop_after_accept", atGateway, "the socket is cut right after it was accepted, before op 10; counts connections"},
	{"op7", atGateway, "Discord asks to reconnect after a dispatch; the session can be resumed; counts dispatches"},
	{"op9_resumable", atGateway, "op 9 true after a dispatch: the session can be resumed; counts dispatches"},
	{"op9_new", atGateway, "op 9 false after a dispatch: the session is gone; counts dispatches"},
	{"no_heartbeat_ack", atGateway, "a heartbeat is not acknowledged; counts heartbeats"},
	{"chunks_rate_limited", atGateway, "a request for all members is answered with RATE_LIMITED, 30 s; counts such requests"},
	{"chunk_lost", atGateway, "a chunk uses up its number and never comes; counts chunks"},
	{"chunk_doubled", atGateway, "a chunk comes twice; counts chunks"},
	{"chunks_reordered", atGateway, "a chunk comes after the one that follows it; counts chunks"},
	{"guild_unavailable", atGateway, "the guild goes down after a dispatch of it and comes back after 5 s; nothing of between is told; counts dispatches of guilds"},
	{"unknown_channel_kind", atGateway, "a guild or channel comes with a channel of type 99; counts GUILD_CREATE and CHANNEL_CREATE"},
	{"event_before_guild_create", atGateway, "a member update comes before the GUILD_CREATE of its guild; counts GUILD_CREATE of new sessions"},
	{"audit_before", atGateway, "the audit-log entry comes before the event that it explains; counts entries"},
	{"audit_late", atGateway, "the audit-log entry is written 5 s late; counts entries"},
	{"audit_never", atGateway, "the audit-log entry is never written; counts entries"},
	{"429_user", atRest, "429 of the route's bucket, scope user, retry after 1 s; nothing happened"},
	{"429_shared", atRest, "429 of the resource, scope shared, retry after 1 s; not counted as invalid; nothing happened"},
	{"429_global", atRest, "429 of the bot, scope global, without a bucket header, retry after 1 s; nothing happened"},
	{"429_cloudflare", atRest, "429 with a page of HTML and without Via, retry after 1 s; nothing happened"},
	{"5xx_before", atRest, "502 with a page of HTML; nothing happened"},
	{"5xx_after", atRest, "500; it did happen; counts writes"},
	{"ok_without_effect", atRest, "the answer says yes, nothing changed; counts writes of members, roles and bans"},
	{"deleted_role_in_member", atRest, "members keep or get the id of a role that was deleted; counts deletions of roles, and reads of members"},
	{"role_delete_silent", atGateway, "a role is deleted without an update for each of its holders; counts deletions of roles"},
	{"foreign_write", atRest, "another bot changes the member's roles right before the call; counts writes of members"},
	{"clock_skew", atRest, "Date and X-RateLimit-Reset are 90 s ahead; Reset-After is right"},
	{"slow", atRest, "the call waits 3 s before anything happens"},
}

// String is the name that the control port uses.
func (n FaultName) String() string {
	if n < 1 || int(n) > len(faultTable) {
		return fmt.Sprintf("FaultName(%d)", int(n))
	}
	return faultTable[n-1].Name
}

// FaultNames is every fault with what it does.
func FaultNames() []FaultKind { return slices.Clone(faultTable[:]) }

// Match narrows a fault to some calls; empty fields match all.
type Match struct {
	Method string `json:"method,omitempty"`
	Route  string `json:"route,omitempty"` // template as in Request.Route, or a concrete path; the names in braces do not matter
	Event  string `json:"event,omitempty"` // gateway faults: the dispatch
	Bot    string `json:"bot,omitempty"`
}

// Fault orders something to go wrong. With neither At nor Probability it happens at the first occasion.
type Fault struct {
	Name        string  `json:"name"`
	At          int     `json:"at,omitempty"`          // the n-th matching occasion from now, from 1
	Probability float64 `json:"probability,omitempty"` // of each matching occasion, instead of At
	Seed        uint64  `json:"seed,omitempty"`
	Count       int     `json:"count"` // how often it happens; 0 means 1
	Match       Match   `json:"match"`
}

// ActiveFault is a fault that was ordered, and how often it has happened.
type ActiveFault struct {
	ID int `json:"id"`
	Fault
	Fired int `json:"fired"`

	name FaultName
	seen int
	dice *rand.Rand
}

// site is an occasion for faults.
type site struct {
	method, route, path string // REST
	event               string // gateway
	bot                 string
}

// AddFault orders a fault; from now on matching occasions are counted.
func (s *Server) AddFault(f Fault) (ActiveFault, error) {
	at := slices.IndexFunc(faultTable[:], func(k FaultKind) bool { return k.Name == f.Name })
	switch {
	case at < 0:
		return ActiveFault{}, badRequest(0, fmt.Sprintf("no fault is named %q; GET /faults lists them", f.Name))
	case f.At < 0 || f.Count < 0 || f.Probability < 0 || f.Probability > 1:
		return ActiveFault{}, badRequest(0, "at and count are not negative, probability is from 0 to 1")
	case f.At > 0 && f.Probability > 0:
		return ActiveFault{}, badRequest(0, "give either at or probability")
	}
	if f.At == 0 && f.Probability == 0 {
		f.At = 1
	}
	f.Count = max(f.Count, 1)
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	s.faultCount++
	a := &ActiveFault{ID: s.faultCount, Fault: f, name: FaultName(at + 1), dice: rand.New(rand.NewPCG(f.Seed, 1))}
	s.faults = append(s.faults, a)
	return *a, nil
}

// Faults is every fault that was ordered and not cleared.
func (s *Server) Faults() []ActiveFault {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	out := make([]ActiveFault, 0, len(s.faults))
	for _, a := range s.faults {
		out = append(out, *a)
	}
	return out
}

// ClearFaults forgets all faults and ends outages.
func (s *Server) ClearFaults() {
	s.faultMu.Lock()
	s.faults = nil
	s.faultMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.guildOrder {
		s.setDown(g, false)
	}
}

// fires tells whether the fault happens here, and counts the occasion.
func (s *Server) fires(name FaultName, at site) bool {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	hit := false
	for _, a := range s.faults {
		if a.name == name && a.Match.fits(at) && a.roll() {
			hit = true
		}
	}
	return hit
}

func (a *ActiveFault) roll() bool {
	if a.Fired >= a.Count {
		return false
	}
	a.seen++
	if a.Probability > 0 && a.dice.Float64() >= a.Probability || a.Probability == 0 && a.seen < a.At {
		return false
	}
	a.Fired++
	return true
}

func (m Match) fits(at site) bool {
	return (m.Method == "" || strings.EqualFold(m.Method, at.method)) &&
		(m.Event == "" || m.Event == at.event) && (m.Bot == "" || m.Bot == at.bot) &&
		(m.Route == "" || plainRoute(m.Route) == plainRoute(at.route) || m.Route == at.path)
}

// plainRoute drops the version and the names in braces: two spellings of one template become equal.
func plainRoute(route string) string {
	_, route = splitVersion(route)
	parts := strings.Split(strings.TrimSuffix(route, "/"), "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") || strings.HasPrefix(p, ":") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

func isWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// MarshalJSON keeps the embedded fault flat.
func (a ActiveFault) MarshalJSON() ([]byte, error) {
	type flat struct {
		ID int `json:"id"`
		Fault
		Fired int `json:"fired"`
	}
	return json.Marshal(flat{a.ID, a.Fault, a.Fired})
}
