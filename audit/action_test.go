package audit_test

import (
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
)

func TestAnActionIsUndoneByItsInverseOrByNothing(t *testing.T) {
	for kind, undoable := range map[audit.Kind]bool{audit.RemoveRole: true, audit.Contain: true, audit.KickMember: false, audit.BanMember: false, audit.GiveRoleBack: false} {
		a := audit.Action{Kind: kind, Member: 7, Role: 8, Budget: audit.PrivilegedBudget}
		back, ok := a.Inverse()
		if ok != undoable || ok && (back.Kind != audit.GiveRoleBack || back.Member != 7 || back.Role != 8) {
			t.Errorf("%s is undone by %+v, %v", kind, back, ok)
		}
	}
}

func TestAKeyNamesOneActionOfOnePlan(t *testing.T) {
	base := audit.Action{Kind: audit.RemoveRole, Member: 1, Role: 2}
	key := base.Key("digest", 9)
	if key != base.Key("digest", 9) || len(key) != 32 {
		t.Errorf("key %q", key)
	}
	seen := map[string]bool{key: true}
	for what, other := range map[string]string{
		"digest": base.Key("other", 9), "guild": base.Key("digest", 8), "member": audit.Action{Kind: audit.RemoveRole, Member: 3, Role: 2}.Key("digest", 9),
		"role": audit.Action{Kind: audit.RemoveRole, Member: 1, Role: 3}.Key("digest", 9), "kind": audit.Action{Kind: audit.Contain, Member: 1, Role: 2}.Key("digest", 9),
	} {
		if seen[other] {
			t.Errorf("another %s has the same key", what)
		}
		seen[other] = true
	}
}

func TestOnlyWhatChangedNothingIsGivenBack(t *testing.T) {
	for r, back := range map[audit.Result]bool{
		audit.Done: false, audit.AlreadySo: true, audit.Gone: true, audit.Refused: true, audit.NotTried: true, audit.NotApplied: false, audit.Collateral: false, audit.FailedCall: false,
	} {
		if r.GivesBack() != back {
			t.Errorf("%s gives back: %v", r, r.GivesBack())
		}
	}
}

func TestADigestIsOfGuildAndActionsOnly(t *testing.T) {
	s := "role Member at=5\nstate Member\naccess state:Member\naccount Ann state=Member discord=Ann\npolicy unknown_guest strip\nmember Eve roles=Member\nmember Ann roles=Member\n"
	base := tell(readWorld(t, s)).plan
	for what, more := range map[string]string{
		"time": "now 2026-11-23T12:00:00Z", "gate": "gate lock", "brake": "tripped members", "an untouched member": "member Guest", "another reason": "protect Ann",
	} {
		if got := tell(readWorld(t, s+more)).plan; got.Digest != base.Digest || got.Actions[0].Key != base.Actions[0].Key {
			t.Errorf("%s changes the digest", what)
		}
	}
	w := readWorld(t, s)
	w.Guild.ID = 77
	for what, other := range map[string]audit.Plan{"guild": tell(w).plan, "member": tell(readWorld(t, s+"member Mia roles=Member")).plan, "action": tell(readWorld(t, s+"policy unknown_guest strip_kick")).plan} {
		if other.Digest == base.Digest || len(other.Digest) != 64 {
			t.Errorf("another %s has the digest %q", what, other.Digest)
		}
	}
}

func TestASummaryCounts(t *testing.T) {
	s := tell(readWorld(t, "role Member at=5\nstate Member\naccess state:Member\naccount Ann state=Member discord=Ann\npolicy unknown_guest strip_kick\n"+
		"tripped kicks\nmember Eve roles=Member\nmember Mia roles=Member\nmember Ann roles=Member\n"))
	remove := s.plan.Free()
	if len(remove) != 2 {
		t.Fatalf("%d free actions", len(remove))
	}
	got := audit.Summarize(s.plan, []audit.Outcome{
		{Action: remove[0].Action, Result: audit.Done},
		{Action: remove[0].Action, Result: audit.Collateral},
		{Action: remove[1].Action, Result: audit.Refused, Code: "50013"},
	})
	want := audit.Summary{
		Guild: guildID, Digest: s.plan.Digest, Planned: map[string]int{"remove_role": 2, "kick": 2}, Held: map[string]int{"kicks": 2},
		Holds: []string{"kicks: tripped earlier, not reset"}, Results: map[string]int{"done": 1, "collateral": 1, "refused": 1},
		Codes: map[string]int{"50013": 1}, Members: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[audit.Category]int{audit.InOrder: 1}, s.plan.Untouched); diff != "" {
		t.Errorf("untouched: %s", diff)
	}
}

func TestAPlanOfNothingIsAPlan(t *testing.T) {
	p := audit.MakePlan(1, nil, audit.Population{}, audit.DefaultLimits(), audit.Used{}, audit.Gates{})
	if len(p.Actions) != 0 || len(p.Holds) != 0 || len(p.Trips()) != 0 || len(p.Free()) != 0 || len(p.HeldCounts()) != 0 || len(p.Digest) != 64 {
		t.Errorf("%+v", p)
	}
}

func TestOneDecisionTwiceIsOneAction(t *testing.T) {
	d := audit.Decision{Member: 5, Remove: audit.RoleSet{}.With(0), Kick: true}
	p := audit.MakePlan(1, []audit.Decision{d, d}, audit.Population{Roles: []audit.Role{{ID: 9}}}, audit.Limits{}, audit.Used{}, audit.Gates{})
	if len(p.Actions) != 2 {
		t.Errorf("%+v", p.Actions)
	}
}

func TestIdsToTheEndOfTheirRange(t *testing.T) {
	s := audit.Subjects{ProposalsBind: true, Auth: &audit.Directory{
		States: []string{"Member"}, Accounts: []audit.Account{{User: 1, Active: true, Access: true, Discord: 1}},
	}}
	s.Guild = audit.Guild{ID: 1, Owner: 2, BotTop: 9, Roles: []audit.Role{{ID: 1<<63 - 1, Name: "Member"}}}
	s.Auth.Index()
	policy := audit.DefaultPolicy()
	policy.Rules[audit.UnknownGuest].Default = audit.StripKick
	last := snowflake.ID(1<<63 - 1)
	d, _ := audit.Explain(audit.NewScene(s).Facts(audit.Member{ID: last, Roles: audit.RoleSet{}.With(0)}), &policy)
	if d.Member != last || !d.Kick || !d.Remove.Has(0) {
		t.Errorf("%+v", d)
	}
}
