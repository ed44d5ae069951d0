package storagetest

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func testGates(t *testing.T, s suite) {
	t.Run("the lock is on until it is acknowledged, and again once it is re-armed", func(t *testing.T) {
		g := guild()
		_, err := s.Acknowledged(t.Context(), g)
		want(t, err, storage.ErrNotFound, "a new guild")
		a := storage.Acknowledgement{
			Guild: g, Run: newRun(t, s, g).ID, Digest: "d", PolicyVersion: 2, Fingerprint: "f", Bot: biggest, Kinds: []string{"remove_role"}, Actor: "discord:1",
			Reason: "looks right", At: noon,
		}
		stored := must(s.Acknowledge(t.Context(), a, "discord"))(t)
		a.ID = stored.ID
		same(t, a, must(s.Acknowledged(t.Context(), g))(t), "acknowledged")
		anew := a
		anew.Digest = "e"
		anew.ID = must(s.Acknowledge(t.Context(), anew, "discord"))(t).ID
		same(t, anew, must(s.Acknowledged(t.Context(), g))(t), "acknowledged anew")
		ok(t, s.Rearm(t.Context(), g, author(noon)))
		_, err = s.Acknowledged(t.Context(), g)
		want(t, err, storage.ErrNotFound, "re-armed")
		want(t, s.Rearm(t.Context(), g, author(noon)), storage.ErrNotFound, "re-armed twice")
		a.Run = newRun(t, s, guild()).ID
		_, err = s.Acknowledge(t.Context(), a, "discord")
		want(t, err, storage.ErrNotFound, "another guild's run")
		same(t, []string{"acknowledgement added", "acknowledgement changed", "acknowledgement removed"}, changes(t, s, g), "configuration changes")
	})
	t.Run("a pause is one at a time, survives and says who and why", func(t *testing.T) {
		g := guild()
		_, err := s.Paused(t.Context(), g)
		want(t, err, storage.ErrNotFound, "not paused")
		p := must(s.Pause(t.Context(), g, author(noon)))(t)
		same(t, storage.Pause{ID: p.ID, Guild: g, Actor: "console:root", Reason: "because", At: noon}, must(s.db.Open(t).Paused(t.Context(), g))(t), "pause")
		_, err = s.Pause(t.Context(), g, author(noon))
		want(t, err, storage.ErrConflict, "paused twice")
		p = must(s.Unpause(t.Context(), g, author(noon.Add(time.Hour))))(t)
		if !p.Ended.Equal(noon.Add(time.Hour)) || p.EndedBy != "console:root" {
			t.Errorf("ended pause is %+v", p)
		}
		_, err = s.Unpause(t.Context(), g, author(noon))
		want(t, err, storage.ErrNotFound, "unpaused twice")
		same(t, []string{"pause added", "pause removed"}, changes(t, s, g), "configuration changes")
	})
}

func testExceptions(t *testing.T, s suite) {
	t.Run("every table keeps its rows, and who is in force at an instant is one call", func(t *testing.T) {
		g := guild()
		rows := []storage.Exception{
			{Table: storage.Exemptions, Subject: biggest},
			{Table: storage.Protections, Subject: 2, Expires: noon.Add(time.Hour)},
			{Table: storage.BotAccounts, Subject: 3},
			{Table: storage.Overrides, Subject: 4, Action: "strip", SingleUse: true, Approver: "discord:9"},
			{Table: storage.Identities, Subject: 5, User: 77, Source: "operator"},
		}
		for i := range rows {
			rows[i].Guild = g
			rows[i] = must(s.AddException(t.Context(), rows[i], author(noon)))(t)
			if rows[i].ID == 0 || rows[i].Actor != "console:root" || rows[i].Reason != "because" || !rows[i].Created.Equal(noon) {
				t.Errorf("stored as %+v", rows[i])
			}
		}
		same(t, rows, must(s.Exceptions(t.Context(), g, storage.ExceptionFilter{}))(t), "all")
		for _, c := range []struct {
			at   time.Time
			want []storage.Exception
		}{
			{noon.Add(-time.Microsecond), nil},
			{noon, rows},
			{noon.Add(time.Hour - time.Microsecond), rows},
			{noon.Add(time.Hour), append(slices.Clone(rows[:1]), rows[2:]...)},
		} {
			same(t, c.want, must(s.ExceptionsAt(t.Context(), g, c.at))(t), "at "+c.at.String())
		}
		for _, r := range rows {
			if !r.InForce(noon) {
				t.Errorf("%+v is not in force", r)
			}
			gone := must(s.RemoveException(t.Context(), r.Table, g, r.ID, author(noon.Add(time.Minute))))(t)
			if gone.RemovedBy != "console:root" || gone.InForce(noon.Add(time.Minute)) {
				t.Errorf("removed as %+v", gone)
			}
			_, err := s.RemoveException(t.Context(), r.Table, g, r.ID, author(noon))
			want(t, err, storage.ErrConflict, "removed twice")
			_, err = s.RemoveException(t.Context(), r.Table, g, 1<<40, author(noon))
			want(t, err, storage.ErrNotFound, "removed what is not there")
		}
		if left := must(s.Exceptions(t.Context(), g, storage.ExceptionFilter{}))(t); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
		if all := must(s.Exceptions(t.Context(), g, storage.ExceptionFilter{All: true, Table: storage.Overrides}))(t); len(all) != 1 {
			t.Errorf("removed overrides: %+v", all)
		}
		if n := len(must(s.Changes(t.Context(), g, storage.ChangeFilter{}))(t)); n != 10 {
			t.Errorf("%d configuration changes, want 10", n)
		}
	})
	t.Run("a row that is in force is not doubled; one that ended may come again", func(t *testing.T) {
		g := guild()
		e := storage.Exception{Guild: g, Table: storage.Protections, Subject: 1, Expires: noon.Add(time.Hour)}
		must(s.AddException(t.Context(), e, author(noon)))(t)
		_, err := s.AddException(t.Context(), e, author(noon.Add(time.Minute)))
		want(t, err, storage.ErrConflict, "doubled")
		e.Expires = time.Time{}
		must(s.AddException(t.Context(), e, author(noon.Add(time.Hour))))(t)
		two := storage.Exception{Guild: g, Table: storage.Identities, Subject: 1, User: 1, Source: "operator"}
		must(s.AddException(t.Context(), two, author(noon)))(t)
		two.User = 2
		must(s.AddException(t.Context(), two, author(noon)))(t)
	})
	t.Run("nothing is added or removed without a reason", func(t *testing.T) {
		g := guild()
		by := author(noon)
		by.Reason = "  "
		_, err := s.AddException(t.Context(), storage.Exception{Guild: g, Table: storage.Exemptions, Subject: 1}, by)
		if problem.KindOf(err) != problem.Usage {
			t.Errorf("added without a reason: %v", err)
		}
		e := must(s.AddException(t.Context(), storage.Exception{Guild: g, Table: storage.Exemptions, Subject: 1}, author(noon)))(t)
		if _, err := s.RemoveException(t.Context(), e.Table, g, e.ID, by); problem.KindOf(err) != problem.Usage {
			t.Errorf("removed without a reason: %v", err)
		}
		same(t, []storage.Exception{e}, must(s.Exceptions(t.Context(), g, storage.ExceptionFilter{}))(t), "what is left")
	})
	t.Run("a single-use override is used once, also by two at once", func(t *testing.T) {
		g := guild()
		e := must(s.AddException(t.Context(), storage.Exception{Guild: g, Table: storage.Overrides, Subject: 1, Action: "strip", SingleUse: true}, author(noon)))(t)
		lasting := must(s.AddException(t.Context(), storage.Exception{Guild: g, Table: storage.Overrides, Subject: 2, Action: "strip"}, author(noon)))(t)
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = s.UseOverride(t.Context(), g, e.ID, noon.Add(time.Minute)) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Errorf("loser: %v", err)
			}
		}
		if won != 1 {
			t.Errorf("used %d times", won)
		}
		want(t, s.UseOverride(t.Context(), g, lasting.ID, noon), storage.ErrNotFound, "use of a lasting override")
		at := must(s.ExceptionsAt(t.Context(), g, noon.Add(time.Minute)))(t)
		same(t, []storage.Exception{lasting}, at, "in force after it was used")
	})
	t.Run("identities seen in Auth are noted once, and an operator's row stays", func(t *testing.T) {
		g := guild()
		must(s.AddException(t.Context(), storage.Exception{Guild: g, Table: storage.Identities, Subject: 1, User: 1, Source: "operator"}, author(noon)))(t)
		seen := []storage.Exception{{Subject: 1, User: 1}, {Subject: 2, User: 1}, {Subject: 2, User: 1}, {Subject: biggest, User: 2}}
		if n := must(s.NoteIdentities(t.Context(), g, seen, noon))(t); n != 2 {
			t.Errorf("%d were new, want 2", n)
		}
		if n := must(s.NoteIdentities(t.Context(), g, seen, noon))(t); n != 0 {
			t.Errorf("%d were new the second time, want 0", n)
		}
		got := must(s.Exceptions(t.Context(), g, storage.ExceptionFilter{Table: storage.Identities}))(t)
		if len(got) != 3 || got[0].Source != "operator" || got[2].Subject != biggest || got[2].Source != "historical" {
			t.Errorf("identities: %+v", got)
		}
		same(t, []string{"identity added"}, changes(t, s, g), "configuration changes")
	})
}

func testPolicies(t *testing.T, s suite) {
	t.Run("policies count up for each guild, and nobody overwrites what they have not seen", func(t *testing.T) {
		g := guild()
		_, err := s.Policy(t.Context(), g, 0)
		want(t, err, storage.ErrNotFound, "no policy")
		first := must(s.SetPolicy(t.Context(), g, 0, "a: 1\n", json.RawMessage(`{"a":1}`), author(noon)))(t)
		same(t, storage.Policy{Guild: g, Version: 1, Document: "a: 1\n", Canonical: json.RawMessage(`{"a":1}`), Actor: "console:root", Reason: "because", At: noon}, first, "first")
		_, err = s.SetPolicy(t.Context(), g, 0, "b", json.RawMessage(`{}`), author(noon))
		want(t, err, storage.ErrConflict, "set over a version that was not seen")
		second := must(s.SetPolicy(t.Context(), g, 1, "b", json.RawMessage(`{}`), author(noon)))(t)
		must(s.SetPolicy(t.Context(), g, -1, "c", json.RawMessage(`{}`), author(noon)))(t)
		same(t, second, must(s.Policy(t.Context(), g, 2))(t), "version 2")
		if p := must(s.Policy(t.Context(), g, 0))(t); p.Version != 3 {
			t.Errorf("newest is %d, want 3", p.Version)
		}
		_, err = s.Policy(t.Context(), g, 4)
		want(t, err, storage.ErrNotFound, "version 4")
		if all := must(s.PolicyHistory(t.Context(), g, storage.Page{Before: 3}))(t); len(all) != 2 || all[0].Version != 2 {
			t.Errorf("history before 3: %+v", all)
		}
		log := must(s.Changes(t.Context(), g, storage.ChangeFilter{Table: "policy"}))(t)
		if len(log) != 3 || log[2].Before != nil || string(log[1].Before) != `{"policy":{"a":1},"version":1}` || string(log[1].After) != `{"policy":{},"version":2}` {
			t.Errorf("configuration changes: %+v", log)
		}
	})
	t.Run("of many who set a policy at once each gets a version of its own", func(t *testing.T) {
		g, other := guild(), s.db.Open(t)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				_, errs[i] = store.SetPolicy(t.Context(), g, -1, "x", json.RawMessage(`{}`), author(noon))
			})
		}
		wg.Wait()
		ok(t, errors.Join(errs...))
		if p := must(s.Policy(t.Context(), g, 0))(t); p.Version != 8 {
			t.Errorf("newest is %d, want 8", p.Version)
		}
	})
	t.Run("bindings are all stored or none, and go by role", func(t *testing.T) {
		g := guild()
		b := []storage.Binding{{Role: biggest, Kind: storage.BoundGroup, Name: "Directors", RoleName: "Directors"}, {Role: 1, Kind: storage.BoundGuarded, RoleName: "Moderator"}}
		stored := must(s.Bind(t.Context(), g, b, author(noon)))(t)
		same(t, []storage.Binding{stored[1], stored[0]}, must(s.Bindings(t.Context(), g))(t), "bindings, by role")
		_, err := s.Bind(t.Context(), g, []storage.Binding{{Role: 2, Kind: storage.BoundState, Name: "Member"}, b[0]}, author(noon))
		want(t, err, storage.ErrConflict, "bound twice")
		if got := must(s.Bindings(t.Context(), g))(t); len(got) != 2 {
			t.Errorf("after a conflict: %+v", got)
		}
		must(s.Bind(t.Context(), g, []storage.Binding{{Role: biggest, Kind: storage.BoundState, Name: "Directors"}}, author(noon)))(t)
		if gone := must(s.Unbind(t.Context(), g, biggest, author(noon)))(t); len(gone) != 2 {
			t.Errorf("unbound: %+v", gone)
		}
		_, err = s.Unbind(t.Context(), g, biggest, author(noon))
		want(t, err, storage.ErrNotFound, "unbound twice")
		if n := len(changes(t, s, g)); n != 5 {
			t.Errorf("%d configuration changes, want 5: %v", n, changes(t, s, g))
		}
	})
	t.Run("grants are unique, sorted by byte, and gone when removed", func(t *testing.T) {
		g := guild()
		var all []storage.Grant
		for _, subject := range []string{"Zebra", "abc", "Äther"} {
			all = append(all, must(s.AddGrant(t.Context(), storage.Grant{Guild: g, Right: "gatecamp.apply", SubjectKind: "group", Subject: subject, Expires: noon.Add(time.Hour)}, author(noon)))(t))
		}
		same(t, all, must(s.Grants(t.Context(), g))(t), "grants")
		_, err := s.AddGrant(t.Context(), storage.Grant{Guild: g, Right: "gatecamp.apply", SubjectKind: "group", Subject: "abc"}, author(noon))
		want(t, err, storage.ErrConflict, "granted twice")
		same(t, all[1], must(s.RemoveGrant(t.Context(), g, all[1].ID, author(noon)))(t), "removed")
		_, err = s.RemoveGrant(t.Context(), g, all[1].ID, author(noon))
		want(t, err, storage.ErrNotFound, "removed twice")
		same(t, []string{"right_grant added", "right_grant added", "right_grant added", "right_grant removed"}, changes(t, s, g), "configuration changes")
	})
}

func testSettings(t *testing.T, s suite) {
	t.Run("a setting that does not change leaves no change", func(t *testing.T) {
		g := guild()
		_, err := s.Setting(t.Context(), g, "locale")
		want(t, err, storage.ErrNotFound, "not set")
		for _, v := range []string{"en", "en", "ru"} {
			ok(t, s.SetSetting(t.Context(), g, "locale", v, author(noon)))
		}
		same(t, map[string]string{"locale": "ru"}, must(s.Settings(t.Context(), g))(t), "settings")
		log := must(s.Changes(t.Context(), g, storage.ChangeFilter{Table: "setting", Key: "locale", Actor: "console:root"}))(t)
		if len(log) != 2 || string(log[0].Before) != `"en"` || string(log[0].After) != `"ru"` || log[0].Origin != "console" || !log[0].At.Equal(noon) {
			t.Errorf("configuration changes: %+v", log)
		}
	})
	t.Run("a retention is a whole number of days above the floor, or 0", func(t *testing.T) {
		g := guild()
		for _, v := range []string{"29", "-1", "", "1e3", "90 days", "99999999999999999999"} {
			if err := s.SetSetting(t.Context(), g, storage.SettingRetentionDays, v, author(noon)); problem.KindOf(err) != problem.Usage {
				t.Errorf("retention %q: %v", v, err)
			}
		}
		for _, v := range []string{"30", "0", "365"} {
			ok(t, s.SetSetting(t.Context(), g, storage.SettingRetentionDays, v, author(noon)))
		}
	})
	t.Run("guilds do not see each other", func(t *testing.T) {
		a, b := guild(), guild()
		ok(t, s.SetSetting(t.Context(), a, "x", "1", author(noon)))
		if got := must(s.Settings(t.Context(), b))(t); len(got) != 0 {
			t.Errorf("another guild's settings: %v", got)
		}
		if got := changes(t, s, b); got != nil {
			t.Errorf("another guild's changes: %v", got)
		}
	})
}
