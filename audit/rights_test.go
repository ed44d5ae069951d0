package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// Everyone in the tests of rights has the Discord id that is their user id times ten, but for the shared account 999.
func rightsDirectory() *audit.Directory {
	d := &audit.Directory{
		States: []string{"Member", "Guest"}, Groups: []string{"Directors", "Recruiters"},
		Permissions: []string{"aa_discord_audit.run_audit", "aa_discord_audit.view_auditrun", "gatecamp.apply"},
		Accounts: []audit.Account{
			{User: 1, Username: "root", Active: true, Superuser: true, Discord: 10},
			{User: 2, Username: "director", Active: true, Discord: 20, Groups: []int32{0}, Grants: &audit.Bits{0b001}},
			{User: 3, Username: "gone", Discord: 30, Superuser: true, Grants: &audit.Bits{0b111}},
			{User: 4, Username: "guest", Active: true, Discord: 40, State: 1},
			{User: 5, Username: "alt one", Active: true, Discord: 999, Groups: []int32{0, 1}, Superuser: true},
			{User: 6, Username: "alt two", Active: true, Discord: 999},
			{User: 7, Username: "kept", Active: true, Discord: 70, Groups: []int32{1}},
			{User: 8, Username: "left", Discord: 70, Superuser: true},
			{User: 9, Username: "named in auth", Active: true, Discord: 90, State: -1, Grants: &audit.Bits{0b100}},
		},
	}
	d.Index()
	return d
}

func TestWhoHoldsARightAndWhy(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	keys := audit.Keys{
		At: now, Auth: rightsDirectory(), Operators: []snowflake.ID{50, 999}, TrustSuperusers: true,
		Grants: []audit.GrantedRight{
			{ID: 1, Right: audit.RightApply, Kind: audit.ToDiscord, To: 60},
			{ID: 2, Right: audit.RightApply, Kind: audit.ToUser, Name: "director"},
			{ID: 3, Right: audit.RightPolicy, Kind: audit.ToAuthGroup, Name: "Recruiters"},
			{ID: 4, Right: audit.RightBind, Kind: audit.ToAuthState, Name: "Guest"},
			{ID: 5, Right: audit.RightViewRuns, Kind: audit.ToRole, To: 7000},
			{ID: 6, Right: audit.RightRemove, Kind: audit.ToRole, To: 7000}, // cannot be entered; must not count either
			{ID: 7, Right: audit.RightOnce, Kind: audit.ToDiscord, To: 60, Until: now},
			{ID: 8, Right: audit.RightBrake, Kind: audit.ToDiscord, To: 60, Until: now.Add(time.Second)},
			{ID: 9, Right: audit.RightApply, Kind: audit.ToDiscord, To: 20},
			{ID: 10, Right: audit.RightPause, Kind: audit.ToUser, Name: "alt one"},
			{ID: 11, Right: audit.RightPause, Kind: audit.ToDiscord, To: 999},
			{ID: 12, Right: audit.RightViewRuns, Kind: audit.ToUser, Name: "gone"},
		},
	}
	for _, tc := range []struct {
		name  string
		who   snowflake.ID
		roles []snowflake.ID
		right audit.Right
		want  string
	}{
		{"an operator may run", 50, nil, audit.RightRun, "operator"},
		{"an operator may give rights", 50, nil, audit.RightGrant, "operator"},
		{"an operator may not take roles away", 50, nil, audit.RightApply, "none"},
		{"an operator may not change the policy", 50, nil, audit.RightPolicy, "none"},
		{"a superuser holds what is ours", 10, nil, audit.RightOnce, "superuser"},
		{"a superuser holds what is Auth's", 10, nil, audit.RightManageBots, "superuser"},
		{"a group's permission in Auth counts", 20, nil, audit.RightRun, "auth"},
		{"another permission does not", 20, nil, audit.RightViewRuns, "none"},
		{"of two grants the first is named", 20, nil, audit.RightApply, "grant:2"},
		{"a deactivated user has nothing, superuser or not", 30, nil, audit.RightRun, "none"},
		{"a grant to a deactivated user gives nothing", 30, nil, audit.RightViewRuns, "none"},
		{"a grant to a state", 40, nil, audit.RightBind, "grant:4"},
		{"a grant to a Discord account", 60, nil, audit.RightApply, "grant:1"},
		{"a grant that ends now has ended", 60, nil, audit.RightOnce, "none"},
		{"a grant that ends later has not", 60, nil, audit.RightBrake, "grant:8"},
		{"a role gives reading", 80, []snowflake.ID{6000, 7000}, audit.RightViewRuns, "grant:5"},
		{"a role gives no more than reading", 80, []snowflake.ID{7000}, audit.RightRemove, "none"},
		{"without the role, nothing", 80, []snowflake.ID{6000}, audit.RightViewRuns, "none"},
		{"two active users on one account: nothing through Auth", 999, nil, audit.RightPolicy, "several_users"},
		{"two active users on one account: no superuser", 999, nil, audit.RightManageBots, "several_users"},
		{"two active users on one account: a grant to the account itself counts", 999, nil, audit.RightPause, "operator"},
		{"the deactivated second user does not count", 70, nil, audit.RightPolicy, "grant:3"},
		{"nor gives a deactivated superuser anything", 70, nil, audit.RightApply, "none"},
		{"a permission that carries our name in Auth gives nothing", 90, nil, audit.RightApply, "none"},
		{"nobody in particular", 0, []snowflake.ID{7000}, audit.RightViewRuns, "none"},
		{"no such right", 10, nil, audit.Right(0), "none"},
		{"no such right either", 10, nil, audit.Right(99), "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := keys.Ask(audit.Caller{Discord: tc.who, Roles: tc.roles}, tc.right)
			if got.String() != tc.want {
				t.Errorf("%s for %d: %s, want %s", tc.right, tc.who, got, tc.want)
			}
			if held := tc.want != "none" && tc.want != "several_users"; got.Held() != held {
				t.Errorf("Held() is %v for %s", got.Held(), got)
			}
		})
	}
}

func TestSeveralUsersOnOneAccountKeepWhatDoesNotComeFromAuth(t *testing.T) {
	keys := audit.Keys{Auth: rightsDirectory(), Grants: []audit.GrantedRight{{ID: 4, Right: audit.RightPolicy, Kind: audit.ToDiscord, To: 999}}}
	if got := keys.Ask(audit.Caller{Discord: 999}, audit.RightPolicy); got.String() != "grant:4" {
		t.Errorf("a grant to the account itself: %s", got)
	}
}

func TestUntrustedSuperusersKeepWhatAuthItselfGives(t *testing.T) {
	keys := audit.Keys{Auth: rightsDirectory()}
	if got := keys.Ask(audit.Caller{Discord: 10}, audit.RightApply); got.Held() {
		t.Errorf("gatecamp.apply is held: %s", got)
	}
	if got := keys.Ask(audit.Caller{Discord: 10}, audit.RightRun); got.String() != "superuser" {
		t.Errorf("run_audit: %s", got)
	}
}

func TestWithoutAuthOnlyWhatDoesNotComeFromItIsLeft(t *testing.T) {
	keys := audit.Keys{
		Operators: []snowflake.ID{50}, TrustSuperusers: true,
		Grants: []audit.GrantedRight{
			{ID: 1, Right: audit.RightApply, Kind: audit.ToDiscord, To: 60},
			{ID: 2, Right: audit.RightPolicy, Kind: audit.ToUser, Name: "root"},
			{ID: 3, Right: audit.RightOnce, Kind: audit.ToDiscord, To: 60, Until: time.Unix(1, 0)},
		},
	}
	for _, tc := range []struct {
		who   snowflake.ID
		right audit.Right
		want  string
	}{
		{50, audit.RightPause, "operator"},
		{60, audit.RightApply, "grant:1"},
		{10, audit.RightPolicy, "auth_unreadable"},
		{10, audit.RightRun, "auth_unreadable"},
		{60, audit.RightOnce, "auth_unreadable"},
	} {
		if got := keys.Ask(audit.Caller{Discord: tc.who}, tc.right); got.String() != tc.want {
			t.Errorf("%s for %d: %s, want %s", tc.right, tc.who, got, tc.want)
		}
	}
}

func TestRightsAreWrittenAndReadBack(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range audit.Rights() {
		back, ok := audit.ParseRight(r.String())
		if !ok || back != r {
			t.Errorf("%s reads back as %v, %v", r, back, ok)
		}
		if seen[r.String()] {
			t.Errorf("%s stands for two rights", r)
		}
		seen[r.String()] = true
		if r.InAuth() != strings.HasPrefix(r.String(), "aa_discord_audit.") {
			t.Errorf("%s: InAuth is %v", r, r.InAuth())
		}
		if r.Reads() != strings.Contains(r.String(), ".view_") {
			t.Errorf("%s: Reads is %v", r, r.Reads())
		}
	}
	for _, name := range []string{"", "unknown", "apply", "gatecamp.Apply", "aa_discord_audit.run_audit_destructive", "gatecamp.blocks"} {
		if r, ok := audit.ParseRight(name); ok {
			t.Errorf("%q is taken for %s", name, r)
		}
	}
	for _, word := range []string{"discord", "user", "group", "state", "role"} {
		if k, ok := audit.ParseGranteeKind(word); !ok || k.String() != word {
			t.Errorf("%q reads as %s, %v", word, k, ok)
		}
	}
	if _, ok := audit.ParseGranteeKind(""); ok {
		t.Error("no word is taken for a kind")
	}
}
