package policyfile_test

import (
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
)

func TestTheCanonicalFormReadsBackAsTheSamePolicy(t *testing.T) {
	full := audit.DefaultPolicy()
	full.Rules[audit.LinkedNoPerm] = audit.Rule{
		Default: audit.Strip, ByState: map[string]audit.Act{"Guest": audit.StripKick},
		ByGroup:  map[string]audit.Act{"Directors": audit.Report, "a \"b\": [c]\t\u202e": audit.Strip, "": audit.Report},
		Realtime: audit.RealtimeAct, Grace: 36*time.Hour + time.Minute,
	}
	full.Rules[audit.UnknownGuest].Grace = 0
	full.PrivilegedRoles = []snowflake.ID{7, 1<<63 - 1}
	full.Limits[audit.MembersTouched][audit.PerDay] = audit.Brake{Set: true}
	full.Limits.DeriveRoles()
	full.Limits[audit.RolesRemoved][audit.PerRun] = audit.Brake{Floor: 1, BasisPoints: 7, Ceiling: 9, Set: true}
	for name, p := range map[string]audit.Policy{"the default": audit.DefaultPolicy(), "one with everything": full} {
		text := policyfile.Canonical(p)
		back, err := policyfile.Parse(text, "canonical")
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if diff := cmp.Diff(p, back); diff != "" {
			t.Errorf("%s is not what was written (-written +read):\n%s", name, diff)
		}
		again := policyfile.Canonical(back)
		if string(again) != string(text) {
			t.Errorf("%s: two texts for one policy:\n%s\n%s", name, text, again)
		}
	}
}

func TestTwoWaysOfWritingOnePolicyHaveOneCanonicalForm(t *testing.T) {
	texts := []string{
		"unknown_guest: strip\nlinked_no_perm: {default: report, by_group: {B: strip, A: report}}\n",
		`{"linked_no_perm": {"by_group": {"A": "report", "B": "strip"}, "grace": "72h"}, "unknown_guest": {"default": "strip", "grace": "3d"}}`,
		"linked_no_perm:\n  by_group:\n    A: report\n    B: strip\nunknown_guest: {default: strip}\nlimits: {kicks: {run: {ceiling: 3}}}\n",
	}
	var first string
	for i, text := range texts {
		p, err := policyfile.Parse([]byte(text), "policy")
		if err != nil {
			t.Fatal(err)
		}
		got := string(policyfile.Canonical(p))
		if i == 0 {
			first = got
		}
		if got != first {
			t.Errorf("text %d is another policy:\n%s\n%s", i, first, got)
		}
	}
}
