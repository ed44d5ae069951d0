package reconcile_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/migrations"
	"gatecamp/storage"
	"gatecamp/storage/sqlite"
)

// The peer's rule "not for your own account" looks at a form field that its forms do not fill, and knows neither the protected list nor
// identities (A9).
func TestA9NobodyEntersTheirOwnAccountAlone(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "gatecamp.db"), Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := migrations.Up(t.Context(), db.SQL(), migrations.SQLite); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	engine := reconcile.New(db, nil, reconcile.Config{Guild: 900, Now: func() time.Time { return at }})
	dora := reconcile.Person{Ref: "discord:102", Discord: []snowflake.ID{102, 112}, Users: []int64{2}}
	finn := reconcile.Person{Ref: "discord:103", Discord: []snowflake.ID{103}, Users: []int64{3}}
	doraTwice := reconcile.Person{Ref: "discord:112", Discord: []snowflake.ID{102, 112}, Users: []int64{2}}
	console := reconcile.Person{Ref: "console:root"}
	by := func(p reconcile.Person) storage.Author {
		return storage.Author{Actor: p.Ref, Origin: "discord", Reason: "because of a test", At: at}
	}
	for name, x := range map[string]storage.Exception{
		"protection":           {Table: storage.Protections, Subject: 102},
		"bot account":          {Table: storage.BotAccounts, Subject: 102},
		"override":             {Table: storage.Overrides, Subject: 112, Action: "report"},
		"identity, by account": {Table: storage.Identities, Subject: 102, User: 77, Source: "operator"},
		"identity, by user":    {Table: storage.Identities, Subject: 5000, User: 2, Source: "operator"},
	} {
		t.Run(name, func(t *testing.T) {
			for who, approver := range map[string]*reconcile.Person{"nobody": nil, "herself": &dora, "her second account": &doraTwice, "the console": &console} {
				if _, err := engine.Except(t.Context(), dora, approver, x, by(dora)); problem.KindOf(err) != problem.Refused {
					t.Errorf("approved by %s: %v, want a refusal", who, err)
				}
			}
			stored, err := engine.Except(t.Context(), dora, &finn, x, by(dora))
			if err != nil {
				t.Fatal(err)
			}
			if stored.Approver != finn.Ref {
				t.Errorf("approver %q, want %q", stored.Approver, finn.Ref)
			}
			if x.Table != storage.Overrides && x.Table != storage.Identities {
				return
			}
			if _, err := engine.Lift(t.Context(), dora, nil, stored, by(dora)); problem.KindOf(err) != problem.Refused {
				t.Errorf("lifted by herself alone: %v, want a refusal", err)
			}
			if _, err := engine.Lift(t.Context(), dora, &finn, stored, by(dora)); err != nil {
				t.Error(err)
			}
			if _, err := engine.Lift(t.Context(), finn, nil, stored, by(finn)); !errors.Is(err, storage.ErrConflict) {
				t.Errorf("lifted twice: %v", err)
			}
		})
	}
	others := storage.Exception{Table: storage.Protections, Subject: 104}
	if stored, err := engine.Except(t.Context(), dora, nil, others, by(dora)); err != nil || stored.Approver != "" {
		t.Errorf("somebody else's account needs nobody: %+v, %v", stored, err)
	}
}
