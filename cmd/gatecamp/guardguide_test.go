package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatecamp/enforcement"
	"gatecamp/enforcement/rulefile"
	"gatecamp/enforcement/rules"
)

const guardGuide = "../../docs/coming-from-django-sec-audit-enforcement.md"

// guardNames are the names that django-sec-audit-enforcement 0.1.0a4 has, and the packages under it: settings, rules, actions, events,
// attributes, calls, checks, ids of Wazuh's rules.
func guardNames() []string {
	return strings.Fields(`
		enabled fail_open fail_closed_paths redis_url require_redis permanent_tier_enabled permanent_cache_ttl default_temp_ttl eval_safe_on_ingress
		apply_via_sink scope_specs block_precedence status_code message block_severity rule_actions block_rules rules block_cache_ttl
		rules_counter_store_backend rules_counter_store rules_history_store history_max_keys history_max_events_per_key history_max_window_seconds
		rule_engine_max_keys state_key_prefix rules_redis_url
		core.source core.ignore_paths core.ignore_status_codes core.sample_rate core.log_ok_responses core.log_request_bodies core.log_body_paths
		core.body_methods core.max_body_bytes core.body_field_allowlist core.sensitive_keys core.sensitive_key_allowlist core.sensitive_value_patterns
		logging.schema_version logging.projection_limits django.filters django.enrichers django.include_usernames django.emit_session_id
		django.drf_enabled django.model_events_enabled django.trusted_proxy_cidrs django.trusted_proxy_count
		threshold window paths field severity decision block_ttl fields model_labels tags
		brute_force_login login_throttle repeated_client_error repeated_route request_body_threshold resource_enumeration sensitive_field_change
		suspicious_proxy_header
		observe alert block temp_block persist_block
		audit.enforcement.blocked audit.enforcement.block_applied audit.enforcement.block_revoked audit.enforcement.alert audit.enforcement.evaluation_failed
		audit.http.request.pre http.response.success http.response.redirect http.response.client_error http.response.server_error
		auth.login.success auth.login.failed auth.logout.success auth.logout.failed auth.logout.unknown
		model.create model.update model.delete model.access audit.logging.malformed_record
		timestamp observed_timestamp severity_text severity_number body resource instrumentation_scope attributes event_name trace_id span_id trace_flags
		event_type schema_version scope.type scope.value security_rule.name security_rule.severity security_rule.description enforcement.action
		enforcement.ttl enforcement.expires_at enforcement.revoked_by enforcement.reason enforcement.fail_mode error.type http.response.status_code
		source.address session.id user.id
		block_subject unblock_subject is_blocked list_active_blocks list_temp_blocks block_user unblock_user is_user_blocked list_blocked_users
		E001 E002 W003 W004 W005 W006 W007 E004 E006 100080 100081 100082 100083 100084 100085`)
}

func TestTheGuideNamesEverythingThatTheEnforcementLayerHas(t *testing.T) {
	text := string(must[[]byte](t)(os.ReadFile(guardGuide)))
	before, _, _ := strings.Cut(text, "<!-- weaknesses -->")
	for _, name := range guardNames() {
		if !regexp.MustCompile("[`| (,]" + regexp.QuoteMeta(name) + "[`| ),:]").MatchString(before) {
			t.Errorf("%s does not say where %s is", filepath.Base(guardGuide), name)
		}
	}
	for _, r := range rules.All() {
		if !strings.Contains(before, "`"+r.Name+"`") {
			t.Errorf("%s does not name our rule %s", filepath.Base(guardGuide), r.Name)
		}
	}
	for _, e := range enforcement.EventTypes() {
		if !strings.Contains(before, "`"+e.Name()+"`") {
			t.Errorf("%s does not name our event %s", filepath.Base(guardGuide), e.Name())
		}
	}
	for n := 1; n <= 50; n++ {
		if c := strings.Count(before, fmt.Sprintf("\n| %d | ", n)); c != 1 {
			t.Errorf("feature %d has %d rows", n, c)
		}
	}
}

func TestTheRulesInTheGuideAreTaken(t *testing.T) {
	text := string(must[[]byte](t)(os.ReadFile(guardGuide)))
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Error("no rule is shown")
	}
	for _, b := range blocks {
		c, err := rulefile.Parse([]byte(b[1]), "the guide")
		if err != nil || c.Validate() != nil {
			t.Errorf("%v, %v:\n%s", err, c.Validate(), b[1])
		}
	}
}

// Whatever the guide says to show something must be there: a scenario, or a test.
func TestEveryWeaknessHasARowAndWhatShowsItIsThere(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(raw, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(must[[]byte](t)(os.ReadFile(guardGuide))), "<!-- weaknesses -->")
	var seen []int
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		id, is := strings.CutPrefix(strings.TrimSpace(cells[0]), "W")
		n, err := strconv.Atoi(id)
		if !is || err != nil {
			continue
		}
		seen = append(seen, n)
		shown := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 4 || len(shown) == 0 {
			t.Errorf("W%d: %d cells, %d that show it", n, len(cells), len(shown))
		}
		for _, m := range shown {
			if _, err := os.Stat("../../enforcement/testdata/scenarios/" + m[1] + ".json"); err != nil && !tests[m[1]] {
				t.Errorf("W%d: there is neither a scenario nor a test %s", n, m[1])
			}
		}
	}
	slices.Sort(seen)
	for n := 1; n <= 43; n++ {
		if n > len(seen) || seen[n-1] != n {
			t.Fatalf("the rows are %v", seen)
		}
	}
}
