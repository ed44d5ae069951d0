package discord

import (
	"slices"
	"testing"
	"time"

	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/enforcement"
)

var seen = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

var payloads = map[gateway.EventType][]string{
	gateway.EventTypeGuildMemberAdd:    {`{"guild_id":"900","user":{"id":"100","username":"x"},"roles":["1"],"joined_at":"2020-01-01T00:00:00Z","pending":true}`, `{"guild_id":"900"}`, `{}`},
	gateway.EventTypeGuildMemberUpdate: {`{"guild_id":"900","user":{"id":"100"},"roles":["1","1","77"]}`, `{"guild_id":"900","user":{"id":"100"},"roles":null,"joined_at":null}`},
	gateway.EventTypeGuildMemberRemove: {`{"guild_id":"900","user":{"id":"100"}}`},
	gateway.EventTypeGuildRoleCreate:   {`{"guild_id":"900","role":{"id":"5","name":"n","permissions":"8","position":3}}`},
	gateway.EventTypeGuildRoleUpdate:   {`{"guild_id":"900","role":{"id":"1","name":"n","permissions":"0","position":3,"managed":true}}`},
	gateway.EventTypeGuildRoleDelete:   {`{"guild_id":"900","role_id":"1"}`, `{"guild_id":"900"}`},
	gateway.EventTypeGuildCreate: {
		`{"id":"900","name":"g","owner_id":"7","roles":[{"id":"900","permissions":"0"},{"id":"1","permissions":"8"}],"members":[{"user":{"id":"42"},"roles":["1"]}],"member_count":3}`,
		`{"id":"900","unavailable":true}`,
	},
	gateway.EventTypeGuildUpdate: {`{"id":"900","name":"h","owner_id":"8"}`},
	gateway.EventTypeGuildDelete: {`{"id":"900","unavailable":true}`, `{"id":"900"}`},
	gateway.EventTypeGuildAuditLogEntryCreate: {
		`{"guild_id":"900","id":"5","action_type":25,"target_id":"100","user_id":"200","changes":[{"key":"$add","new_value":[{"id":"1","name":"a"},{"id":"2","name":"b"}]},{"key":"$remove","new_value":[{"id":"3","name":"c"}]}],"reason":"because"}`,
		`{"guild_id":"900","id":"5","action_type":25,"target_id":null,"user_id":null,"changes":null}`,
		`{"guild_id":"900","id":"5","action_type":25,"target_id":"100","user_id":null,"changes":[{"key":"$add","new_value":"nonsense"}]}`,
		`{"guild_id":"900","id":"5","action_type":999,"target_id":"100"}`,
		`{"guild_id":"900","id":"6","action_type":31,"target_id":"5","user_id":"100","changes":[{"key":"permissions","old_value":"2","new_value":"11"}]}`,
		`{"guild_id":"900","id":"7","action_type":21,"target_id":null,"user_id":"100","options":{"members_removed":"70"}}`,
	},
	gateway.EventTypeReady:       {`{"v":10,"user":{"id":"42"},"guilds":[{"id":"900","unavailable":true}],"session_id":"s","resume_gateway_url":"ws://x"}`},
	gateway.EventTypeResumed:     {`{}`},
	gateway.EventTypeRateLimited: {`{"opcode":8,"retry_after":1.5,"meta":{"guild_id":"900","nonce":"n"}}`, `{"opcode":99,"retry_after":-1,"meta":{}}`},
}

func TestAnEntryOfTheAuditLogSaysWhoGaveWhat(t *testing.T) {
	data, err := gateway.UnmarshalEventData([]byte(payloads[gateway.EventTypeGuildAuditLogEntryCreate][0]), gateway.EventTypeGuildAuditLogEntryCreate)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := translate(data, 3, seen)
	want := audit.Event{
		Guild: 900, Scope: audit.OneMember, Member: 100, Why: audit.EntryWritten, Seen: seen, Shard: 3,
		Grant: audit.Grant{Entry: 5, Actor: 200, Added: []snowflake.ID{1, 2}, Removed: []snowflake.ID{3}, Reason: "because"},
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("ok %v, event (-want +got):\n%s", ok, diff)
	}
}

func TestWhatHasNoIdsIsNothing(t *testing.T) {
	for _, data := range []gateway.EventData{
		gateway.EventGuildMemberAdd{},
		gateway.EventGuildRoleDelete{},
		gateway.EventGuildCreate{},
		gateway.EventGuildDelete{},
		gateway.EventGuildAuditLogEntryCreate{},
		gateway.EventUnknown{},
		gateway.EventTypingStart{},
		nil,
	} {
		if e, ok := translate(data, 0, seen); ok {
			t.Errorf("%T became %v", data, e)
		}
	}
}

// FuzzPayload gives one client a payload twice: nothing of it may harm what is known, or bring about a reason without ids.
func FuzzPayload(f *testing.F) {
	for t, list := range payloads {
		for _, p := range list {
			f.Add(string(t), []byte(p))
		}
	}
	f.Add("NEVER_HEARD_OF", []byte(`{"x":1}`))
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		data, err := gateway.UnmarshalEventData(payload, gateway.EventType(kind))
		if err != nil {
			t.Skip("disgo does not take it")
		}
		c, events := quietClient()
		var told []enforcement.Incident
		c.cfg.OnIncident = func(i enforcement.Incident) { told = append(told, i) }
		c.watch(gatewayOfShard{}, 1, gateway.EventTypeReady, gateway.EventReady{})
		known, err := gateway.UnmarshalEventData([]byte(payloads[gateway.EventTypeGuildCreate][0]), gateway.EventTypeGuildCreate)
		if err != nil {
			t.Fatal(err)
		}
		c.watch(gatewayOfShard{}, 2, gateway.EventTypeGuildCreate, known)
		for n := range 2 {
			c.watch(gatewayOfShard{}, 3+n, gateway.EventType(kind), data)
		}
		for _, e := range *events {
			if e.Scope == audit.OneMember && (e.Member == 0 || e.Guild == 0) || e.Scope == audit.RoleHolders && (e.Role == 0 || e.Guild == 0) {
				t.Errorf("a reason without ids: %+v", e)
			}
		}
		for _, i := range told {
			if i.Type == "" || i.Actor.Guild == 0 || i.Actor.User == uint64(c.Bot()) && i.Actor.User != 0 {
				t.Errorf("an incident of nobody, of nowhere or of ourselves: %+v", i)
			}
		}
		for _, g := range c.guilds {
			guild, members, _ := g.m.picture()
			for _, m := range members {
				for i := range m.Roles.All() {
					if i >= len(guild.Roles) {
						t.Fatalf("member %d holds role %d of %d", m.ID, i, len(guild.Roles))
					}
				}
			}
			if !slices.IsSortedFunc(guild.Roles, func(a, b audit.Role) int { return int(int64(a.ID>>1) - int64(b.ID>>1)) }) {
				t.Errorf("roles are not in order: %v", guild.Roles)
			}
			g.m.miscounted(nil)
			g.Hierarchy()
		}
	})
}
