package policyfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecamp/audit"
	"gatecamp/audit/policyfile"
	"gatecamp/internal/problem"
)

// The example that operators copy.
const example = `unknown_guest: {default: strip, realtime: act, grace: 72h}
linked_no_perm: {default: report, by_state: {Guest: strip_kick}, by_group: {Directors: report}}
surplus_roles: {default: report}
limits:                         # whole numbers; share in basis points of the population
  members:  {run: {floor: 5, share: 500, ceiling: 50}, live_15m: {floor: 3, share: 100, ceiling: 10}, day: {floor: 10, share: 1000, ceiling: 50}}
  one_role: {run: {floor: 2, share: 2500, ceiling: 50}, day: {floor: 2, share: 2500, ceiling: 50}}
  kicks:    {run: {ceiling: 3}, live_15m: {ceiling: 3}, day: {ceiling: 10}}
`

func read(t testing.TB, text string) audit.Policy {
	t.Helper()
	p, err := policyfile.Parse([]byte(text), "policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExampleMeansWhatItSays(t *testing.T) {
	want := audit.DefaultPolicy() // whose limits are the example's
	want.Rules[audit.UnknownGuest] = audit.Rule{Default: audit.Strip, Realtime: audit.RealtimeAct, Grace: 72 * time.Hour}
	want.Rules[audit.LinkedNoPerm] = audit.Rule{
		Default: audit.Report, Grace: 72 * time.Hour,
		ByState: map[string]audit.Act{"Guest": audit.StripKick}, ByGroup: map[string]audit.Act{"Directors": audit.Report},
	}
	if diff := cmp.Diff(want, read(t, example)); diff != "" {
		t.Error(diff)
	}
}

func TestFormsOfOneMeaning(t *testing.T) {
	for name, pair := range map[string][2]string{
		"shorthand":              {"unknown_guest: strip", "unknown_guest: {default: strip}"},
		"JSON":                   {`{"unknown_guest": {"default": "strip", "by_group": {}}}`, "unknown_guest: strip"},
		"days":                   {"unknown_guest: {grace: 3d}", "unknown_guest: {grace: 72h0m0s}"},
		"no grace":               {"unknown_guest: {grace: 0}", `unknown_guest: {grace: "0"}`},
		"nothing":                {"{}", "surplus_roles: report"},
		"null is absent":         {"unknown_guest: {default: strip, grace: null, by_state: ~}\nlimits:\nsurplus_roles:", "unknown_guest: strip"},
		"off as YAML 1.1":        {"unknown_guest: {realtime: false}", "unknown_guest: {realtime: off}"},
		"flat brake":             {"limits: {kicks: {run: {ceiling: 7}}}", "limits: {kicks: {run: {floor: 7, share: 0, ceiling: 7}}}"},
		"share without floor":    {"limits: {members: {run: {share: 100, ceiling: 7}}}", "limits: {members: {run: {floor: 0, share: 100, ceiling: 7}}}"},
		"key that looks like 1":  {"linked_no_perm: {by_group: {1: strip, true: report, null: strip}}", `linked_no_perm: {by_group: {"1": strip, "true": report, "null": strip}}`},
		"ids as numbers or text": {"privileged_roles: [9223372036854775807, 5, '5']", "privileged_roles: ['5', '9223372036854775807']"},
		"byte order mark":        {"\uFEFFunknown_guest: strip", "unknown_guest: strip"},
		"block text":             {"unknown_guest: >-\n  strip\n", "unknown_guest: strip"},
		"a document mark":        {"---\nunknown_guest: strip\n", "unknown_guest: strip"},
	} {
		if diff := cmp.Diff(read(t, pair[1]), read(t, pair[0])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWindowsThatAreNotWrittenKeepTheirDefaults(t *testing.T) {
	got := read(t, "limits: {kicks: {run: {ceiling: 20}}, roles_removed: {run: {ceiling: 99}}, members: {day: {ceiling: 8}}}").Limits
	want := audit.DefaultLimits()
	want[audit.MembersTouched][audit.PerDay] = audit.Brake{Floor: 8, Ceiling: 8, Set: true}
	want.DeriveRoles()
	want[audit.Kicks][audit.PerRun] = audit.Brake{Floor: 20, Ceiling: 20, Set: true}
	want[audit.RolesRemoved][audit.PerRun] = audit.Brake{Floor: 99, Ceiling: 99, Set: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := got[audit.RolesRemoved][audit.PerDay].Allows(1_000); n != 24 {
		t.Errorf("role removals in a day: %d allowed, want three times the 8 members", n)
	}
}

// Each fault with its line, its column, its path and the cure.
func TestFaultsHaveTheirPlaceAndTheCure(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown category", "unknown_gest: strip", "line 1, column 1: unknown_gest: unknown category; did you mean unknown_guest? There are bot_filtered, undecidable, unknown_guest"},
		{"odd category", "zzz: strip", "line 1, column 1: zzz: unknown category; there are bot_filtered"},
		{"in order", "in_order: report", "line 1, column 1: in_order: nothing is wrong with these members"},
		{"unknown action", "unknown_guest:\n  default: kick", `line 2, column 12: unknown_guest.default: "kick" is no action; there are report, strip, strip_kick`},
		{"near action", "unknown_guest: stripkick", `line 1, column 16: unknown_guest: "stripkick" is no action; did you mean strip_kick`},
		{"action a list", "unknown_guest: [strip]", "unknown_guest: a list is no action"},
		{"too much", "surplus_roles: strip_kick", "line 1, column 16: surplus_roles.default: strip_kick is too much for surplus_roles, which allows at most strip"},
		{"too much for a group", "surplus_roles: {by_group: {A: strip_kick}}", "line 1, column 28: surplus_roles.by_group.A: strip_kick is too much"},
		{"report only", "missing_roles: strip", "missing_roles.default: strip is too much for missing_roles, which allows at most report"},
		{"bots", "bot_filtered: {default: strip}", "bot_filtered.default: strip is too much"},
		{"unknown key", "unknown_guest: {defualt: strip}", "line 1, column 17: unknown_guest.defualt: unknown; did you mean default? There are default, by_state, by_group, realtime, grace"},
		{"key twice", "unknown_guest: strip\nunknown_guest: report", "line 2, column 1: unknown_guest: written twice"},
		{"inner key twice", "linked_no_perm: {by_group: {A: strip, A: report}}", "linked_no_perm.by_group.A: written twice"},
		{"limits twice", "limits: {}\nlimits: {}", "line 2, column 1: limits:"},
		{"realtime", "unknown_guest: {realtime: on}", `unknown_guest.realtime: "on" is not known; there are off, report, act`},
		{"negative grace", "unknown_guest: {grace: -1h}", `unknown_guest.grace: "-1h" is less than nothing`},
		{"negative days", "unknown_guest: {grace: -3d}", `unknown_guest.grace: "-3d" is less than nothing`},
		{"grace without unit", "unknown_guest: {grace: 72}", "unknown_guest.grace: 72 is no duration; write a number and a unit"},
		{"grace forever", "unknown_guest: {grace: 99999d}", `unknown_guest.grace: "99999d" is longer than ten years`},
		{"grace of huge days", "unknown_guest: {grace: 2147483647d}", "is longer than ten years"},
		{"grace a word", "unknown_guest: {grace: soon}", `"soon" is no duration`},
		{"unknown dimension", "limits: {member: {}}", "limits.member: unknown; did you mean members? There are members, roles_removed, one_role, kicks, privileged, block_kicks"},
		{"unknown window", "limits: {kicks: {week: {ceiling: 1}}}", "limits.kicks.week: unknown; "},
		{"fraction", "limits: {kicks: {run: {ceiling: 3.0}}}", "limits.kicks.run.ceiling: 3.0; write a whole number from 0 to"},
		{"quoted", `limits: {kicks: {run: {ceiling: "3"}}}`, `limits.kicks.run.ceiling: "3"; write a whole number`},
		{"NaN", "limits: {kicks: {run: {ceiling: .nan}}}", "limits.kicks.run.ceiling: .nan; write a whole number"},
		{"infinity", "limits: {kicks: {run: {ceiling: .inf}}}", "limits.kicks.run.ceiling: .inf; write a whole number"},
		{"negative", "limits: {kicks: {run: {ceiling: -3}}}", "limits.kicks.run.ceiling: -3; write a whole number"},
		{"hexadecimal", "limits: {kicks: {run: {ceiling: 0x10}}}", "limits.kicks.run.ceiling: 0x10; write a whole number"},
		{"octal", "limits: {kicks: {run: {ceiling: 010}}}", "limits.kicks.run.ceiling: 010; write a whole number"},
		{"underscores", "limits: {kicks: {run: {ceiling: 1_0}}}", "limits.kicks.run.ceiling: 1_0; write a whole number"},
		{"huge", "limits: {kicks: {run: {ceiling: 99999999999999999999}}}", `limits.kicks.run.ceiling: "99999999999999999999"; write a whole number`},
		{"share over all", "limits: {members: {run: {share: 10001, ceiling: 5}}}", "limits.members.run.share: 10001; write a whole number from 0 to 10000 basis points"},
		{"floor over ceiling", "limits:\n  members:\n    run: {floor: 6, ceiling: 5}", "line 3, column 5: limits.members.run: the floor 6 is above the ceiling 5"},
		{"no ceiling", "limits: {members: {run: {floor: 6}}}", "limits.members.run.ceiling: missing; write the most"},
		{"brake a number", "limits: {kicks: {run: 3}}", "limits.kicks.run: 3, where a table of keys should be: floor, share, ceiling"},
		{"privileged text", "privileged_roles: Directors", `privileged_roles: "Directors", where a list of role ids should be`},
		{"privileged name", "privileged_roles: [Directors, 0]", `privileged_roles[0]: "Directors" is no role id`},
		{"privileged too large", "privileged_roles: [9223372036854775808]", "privileged_roles[0]: 9223372036854775808 is no role id"},
		{"a list", "- unknown_guest", "a list, where a table of keys should be"},
		{"a word", "strip", `"strip", where a table of keys should be`},
		{"empty", "", "empty; a policy that only reports is written {}"},
		{"a remark", "# nothing\n", "empty;"},
		{"null", "~", "empty;"},
		{"two documents", "unknown_guest: strip\n---\nunknown_guest: report", "a second document begins here"},
		{"anchor", "a: &x [*x]", "line 1, column 4: anchors and aliases"},
		{"alias", "unknown_guest: *x", "anchors and aliases"},
		{"merge", "unknown_guest:\n  <<: {default: strip}", "anchors and aliases"},
		{"tag", "unknown_guest: !!str strip", "tags and directives"},
		{"odd key", "? unknown_guest\n: strip", "keys with ? are not used"},
		{"list as key", "[a]: b", ""},
		{"not YAML", "unknown_guest: {default: strip", "not YAML:"},
		{"tab", "\tunknown_guest: strip", "not YAML:"},
		{"not UTF-8", "unknown_guest: strip\nlinked_no_perm: \xff", "line 2, column 17: not UTF-8"},
		{"deep", strings.Repeat("[", 100), "nested too deeply"},
		{"deep dashes", strings.Repeat("- ", 100), "nested too deeply"},
		{"huge document", strings.Repeat("#", 300<<10), "a policy has at most"},
		{"endless document", strings.Repeat("a:\n", 20_000), "words and signs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := policyfile.Parse([]byte(test.text), "policy.yaml")
			if err == nil {
				t.Fatalf("accepted: %+v", p)
			}
			if !strings.HasPrefix(err.Error(), "policy.yaml: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
			if problem.KindOf(err) != problem.Usage {
				t.Errorf("kind %s, want usage", problem.KindOf(err))
			}
		})
	}
}

func TestEveryFaultIsToldAtOnceInTheOrderOfTheirPlaces(t *testing.T) {
	_, err := policyfile.Parse([]byte("surplus_roles: strip_kick\nunknown_guest: {grace: -1h, defalt: x}\nlimits: {kicks: {run: {ceiling: 1.5}}}\nx: y\n"), "p.yaml")
	var faults policyfile.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v", err)
	}
	var paths []string
	for _, f := range faults {
		paths = append(paths, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Path))
	}
	want := []string{"1:16 surplus_roles.default", "2:24 unknown_guest.grace", "2:29 unknown_guest.defalt", "3:33 limits.kicks.run.ceiling", "4:1 x"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(err.Error(), "p.yaml: 5 things are wrong, nothing was changed:\n") {
		t.Errorf("got %s", err)
	}
}

func TestNamesThatAuthDoesNotHaveAreFoundWithTheirPlace(t *testing.T) {
	d, err := policyfile.Read([]byte("linked_no_perm:\n  by_group:\n    Directors: report\n    directors: report\n  by_state: {Guest: strip, Gest: strip}\n"), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(nil); err != nil {
		t.Errorf("refused though Auth is unknown: %v", err)
	}
	err = d.Check(&audit.Directory{Groups: []string{"Directors"}, States: []string{"Guest"}})
	for _, want := range []string{"line 4, column 5: linked_no_perm.by_group.directors: Auth has no group of this name", "line 5, column 28: linked_no_perm.by_state.Gest: Auth has no state"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := d.Check(&audit.Directory{Groups: []string{"Directors", "directors"}, States: []string{"Guest", "Gest"}}); err != nil {
		t.Errorf("refused names that exist: %v", err)
	}
}

func TestFormatWritesWhatReadsTheSame(t *testing.T) {
	names := []string{"Directors", "with: colon", "\"quoted\"", "ünï", "", "null", "1", " blank ", "line\nend", "\u202eodd", "😀", "#", "- a", "<<", "\\", "\x00", "\u2028"}
	rapid.Check(t, func(t *rapid.T) {
		p := audit.DefaultPolicy()
		for c := range audit.Categories() {
			if c == audit.InOrder {
				continue
			}
			acts := func(label string) map[string]audit.Act {
				m := rapid.MapOfN(rapid.OneOf(rapid.SampledFrom(names), rapid.String()), rapid.Map(rapid.IntRange(int(audit.Report), int(c.Severest())), func(i int) audit.Act { return audit.Act(i) }), 0, 3).Draw(t, label)
				if len(m) == 0 {
					return nil
				}
				return m
			}
			p.Rules[c] = audit.Rule{
				Default:  audit.Act(rapid.IntRange(int(audit.Report), int(c.Severest())).Draw(t, "act")),
				Realtime: audit.Realtime(rapid.IntRange(0, int(audit.RealtimeAct)).Draw(t, "realtime")),
				Grace:    time.Duration(rapid.Int64Range(0, int64(100*24*time.Hour)).Draw(t, "grace")),
				ByGroup:  acts("groups"), ByState: acts("states"),
			}
		}
		for d := range p.Limits {
			for w := range p.Limits[d] {
				if audit.Dimension(d) != audit.RolesRemoved && rapid.Bool().Draw(t, "brake") {
					ceiling := rapid.IntRange(0, 1000).Draw(t, "ceiling")
					p.Limits[d][w] = audit.Brake{Floor: rapid.IntRange(0, ceiling).Draw(t, "floor"), BasisPoints: rapid.IntRange(0, 10_000).Draw(t, "share"), Ceiling: ceiling, Set: true}
				}
			}
		}
		p.Limits.DeriveRoles()
		if rapid.Bool().Draw(t, "roles") {
			p.Limits[audit.RolesRemoved][audit.PerDay] = audit.Brake{Floor: 1, BasisPoints: 1, Ceiling: 1, Set: true}
		}
		for range rapid.IntRange(0, 2).Draw(t, "privileged") {
			p.PrivilegedRoles = append(p.PrivilegedRoles, snowflake.ID(1<<62)+snowflake.ID(len(p.PrivilegedRoles)))
		}
		text := policyfile.Format(p)
		back, err := policyfile.Parse(text, "p.yaml")
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(p, back); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
	})
}

// Whatever people write ends in a sentence or in a policy that reads the same after it was written.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	for _, s := range []string{"{}", `{"unknown_guest": "strip"}`, "a: &b c", "? a\n: b", "a: |\n  b", "- - -", "limits: {kicks: {run: {ceiling: .nan}}}", "privileged_roles: [1]", "a: 'b", "unknown_guest: {grace: 1h, by_group: {\"x\": strip}}", "%YAML 1.2\n---\na: b\n...\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := policyfile.Parse(data, "p")
		if err != nil {
			if problem.KindOf(err) != problem.Usage {
				t.Fatalf("no sentence for a person: %v", err)
			}
			return
		}
		text := policyfile.Format(p)
		back, err := policyfile.Parse(text, "p")
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(p, back); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
	})
}
