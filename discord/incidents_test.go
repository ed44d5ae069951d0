package discord

import (
	"slices"
	"testing"

	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rules"
)

// met is who is known in the tests of incidents: 200 is a moderator with role 1, 300 a bot.
type met struct{}

func (met) knows(id snowflake.ID) ([]uint64, bool, bool) {
	switch id {
	case 200:
		return []uint64{1}, false, true
	case 300:
		return nil, true, true
	}
	return nil, false, false
}

func incident(t *testing.T, kind gateway.EventType, payload string) (enforcement.Incident, bool) {
	t.Helper()
	data, err := gateway.UnmarshalEventData([]byte(payload), kind)
	if err != nil {
		t.Fatal(err)
	}
	return incidentOf(data, 42, func(snowflake.ID) acquaintance { return met{} })
}

func TestEntriesOfTheAuditLogAreWhatRulesLookAt(t *testing.T) {
	mod := enforcement.Actor{User: 200, Guild: 900, Roles: []uint64{1}}
	for name, c := range map[string]struct {
		entry string
		kind  string
		actor enforcement.Actor
		want  map[string]any // of the fields, those named
	}{
		"a kick":            {`"action_type":20,"target_id":"100","user_id":"200"`, rules.MemberKicked, mod, map[string]any{"target": "100", "by_bot": false}},
		"a ban":             {`"action_type":22,"target_id":"100","user_id":"200"`, rules.MemberBanned, mod, map[string]any{"target": "100"}},
		"a prune":           {`"action_type":21,"target_id":null,"user_id":"200","options":{"members_removed":"70","delete_member_days":"7"}`, rules.MembersPruned, mod, map[string]any{"members_removed": int64(70)}},
		"roles given":       {`"action_type":25,"target_id":"100","user_id":"200","changes":[{"key":"$add","new_value":[{"id":"1","name":"a"},{"id":"2","name":"b"}]}]`, rules.RoleGiven, mod, map[string]any{"target": "100", "roles": []string{"1", "2"}}},
		"given by a bot":    {`"action_type":25,"target_id":"100","user_id":"300","changes":[{"key":"$add","new_value":[{"id":"1","name":"a"}]}]`, rules.RoleGivenByBot, enforcement.Actor{User: 300, Guild: 900}, map[string]any{"by_bot": true}},
		"a channel deleted": {`"action_type":12,"target_id":"7","user_id":"200"`, rules.ChannelDeleted, mod, map[string]any{"target": "7"}},
		"a role deleted":    {`"action_type":32,"target_id":"5","user_id":"200"`, rules.RoleDeleted, mod, map[string]any{"target": "5"}},
		"a dangerous permission": {
			`"action_type":31,"target_id":"5","user_id":"200","changes":[{"key":"permissions","old_value":"2","new_value":"11"}]`, rules.RoleUpdated, mod,
			map[string]any{"change": []string{rules.ChangePermission}, "granted": []string{"ADMINISTRATOR"}, "changed_fields": []string{"permissions"}},
		},
		"a role made with one": {`"action_type":30,"target_id":"5","user_id":"200","changes":[{"key":"permissions","new_value":"4"},{"key":"name","new_value":"x"}]`, rules.RoleUpdated, mod, map[string]any{"change": []string{rules.ChangePermission}, "granted": []string{"BAN_MEMBERS"}}},
		"a harmless one":       {`"action_type":31,"target_id":"5","user_id":"200","changes":[{"key":"permissions","old_value":"8","new_value":"2048"}]`, rules.RoleUpdated, mod, map[string]any{"change": nil, "granted": nil}},
		"a renamed role":       {`"action_type":31,"target_id":"5","user_id":"200","changes":[{"key":"name","old_value":"a","new_value":"b"}]`, rules.RoleUpdated, mod, map[string]any{"change": nil, "changed_fields": []string{"name"}}},
		"a channel's own": {
			`"action_type":14,"target_id":"7","user_id":"200","changes":[{"key":"allow","old_value":"0","new_value":"536870912"}],"options":{"id":"5","type":"0","role_name":"r"}`,
			rules.OverwriteChanged, mod,
			map[string]any{"change": []string{rules.ChangePermission}, "granted": []string{"MANAGE_WEBHOOKS"}},
		},
		"a webhook":     {`"action_type":50,"target_id":"8","user_id":"200"`, rules.WebhookCreated, mod, map[string]any{"change": []string{rules.ChangeWebhook}}},
		"a bot":         {`"action_type":28,"target_id":"301","user_id":"200"`, rules.BotAdded, mod, map[string]any{"change": []string{rules.ChangeBot}, "target": "301"}},
		"by nobody":     {`"action_type":20,"target_id":"100","user_id":null`, rules.MemberKicked, enforcement.Actor{Guild: 900}, map[string]any{"target": "100"}},
		"by a stranger": {`"action_type":20,"target_id":"100","user_id":"999"`, rules.MemberKicked, enforcement.Actor{User: 999, Guild: 900}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := incident(t, gateway.EventTypeGuildAuditLogEntryCreate, `{"guild_id":"900","id":"5",`+c.entry+`}`)
			if !ok || got.Type != c.kind || got.Fields["entry"] != "5" {
				t.Fatalf("incident %+v, %v", got, ok)
			}
			if diff := cmp.Diff(c.actor, got.Actor, cmp.Comparer(sameActor)); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
			for field, want := range c.want {
				if diff := cmp.Diff(want, got.Fields[field]); diff != "" {
					t.Errorf("field %s (-want +got):\n%s", field, diff)
				}
			}
		})
	}
}

func sameActor(a, b enforcement.Actor) bool {
	return a.User == b.User && a.Guild == b.Guild && slices.Equal(a.Roles, b.Roles)
}

func TestWhatTheBotItselfDidFeedsNoRule(t *testing.T) {
	for kind := range entryKinds {
		entry := `{"guild_id":"900","id":"5","action_type":` + itoa(int(kind)) + `,"target_id":"100","user_id":"42","changes":[{"key":"$add","new_value":[{"id":"1","name":"a"}]}]}`
		if i, ok := incident(t, gateway.EventTypeGuildAuditLogEntryCreate, entry); ok {
			t.Errorf("our own entry %d is an incident: %+v", kind, i)
		}
	}
	if i, ok := incident(t, gateway.EventTypeGuildMemberAdd, `{"guild_id":"900","user":{"id":"42"},"roles":[]}`); ok {
		t.Errorf("our own coming is an incident: %+v", i)
	}
}

func itoa(n int) string { return snowflake.ID(n).String() }

func TestWhatNoRuleIsAboutIsNoIncident(t *testing.T) {
	for _, entry := range []string{
		`"action_type":24,"target_id":"100","user_id":"200"`,
		`"action_type":25,"target_id":"100","user_id":"200","changes":[{"key":"$remove","new_value":[{"id":"1","name":"a"}]}]`,
		`"action_type":25,"target_id":"100","user_id":"200","changes":[{"key":"$add","new_value":"nonsense"}]`,
		`"action_type":999,"target_id":"100","user_id":"200"`,
	} {
		if i, ok := incident(t, gateway.EventTypeGuildAuditLogEntryCreate, `{"guild_id":"900","id":"5",`+entry+`}`); ok {
			t.Errorf("%s is an incident: %+v", entry, i)
		}
	}
	if i, ok := incident(t, gateway.EventTypeGuildAuditLogEntryCreate, `{"id":"5","action_type":20,"target_id":"100","user_id":"200"}`); ok {
		t.Errorf("an entry of no guild is an incident: %+v", i)
	}
}

func TestAJoinTellsWhoAndHowOldTheAccountIs(t *testing.T) {
	i, ok := incident(t, gateway.EventTypeGuildMemberAdd, `{"guild_id":"900","user":{"id":"175928847299117063","username":"x"},"roles":[],"joined_at":"2016-05-01T12:00:00Z"}`)
	if !ok || i.Type != rules.MemberJoined || i.Actor.User != 175928847299117063 || i.Actor.Guild != 900 || i.Fields["member"] != "175928847299117063" ||
		i.Fields["account_days"] != int64(1) || i.Fields["bot"] != false {
		t.Errorf("incident %+v, %v", i, ok)
	}
	for _, payload := range []string{`{"guild_id":"900","user":{"id":"100"},"roles":null,"joined_at":null}`, `{"guild_id":"900"}`, `{}`} {
		i, ok := incident(t, gateway.EventTypeGuildMemberAdd, payload)
		if ok != (i.Actor.User != 0) {
			t.Errorf("%s: %+v, %v", payload, i, ok)
		}
	}
}

func TestAnEntryThatIsToldTwiceFeedsRulesOnce(t *testing.T) {
	c, _ := quietClient()
	var told []string
	c.cfg.OnIncident = func(i enforcement.Incident) { told = append(told, i.Type) }
	tell := func(id int) {
		data, err := gateway.UnmarshalEventData([]byte(`{"guild_id":"900","id":"`+itoa(id)+`","action_type":50,"target_id":"8","user_id":"200"}`), gateway.EventTypeGuildAuditLogEntryCreate)
		if err != nil {
			t.Fatal(err)
		}
		c.watch(gatewayOfShard{}, 1, gateway.EventTypeGuildAuditLogEntryCreate, data)
	}
	for id := range 3 * rememberedEntries {
		tell(id + 1)
		tell(id + 1)
	}
	tell(3*rememberedEntries - rememberedEntries/2)
	if len(told) != 3*rememberedEntries {
		t.Errorf("rules were told %d times of %d entries", len(told), 3*rememberedEntries)
	}
	if len(c.entries.ids) > rememberedEntries {
		t.Errorf("%d entries are remembered", len(c.entries.ids))
	}
}
