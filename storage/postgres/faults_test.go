package postgres_test

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/trail"
)

var noon = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

// wantProblem checks that an error is the sentinel and tells a person what to do.
func wantProblem(t *testing.T, err, sentinel error) {
	t.Helper()
	p, isProblem := errors.AsType[*problem.Problem](err)
	if !errors.Is(err, sentinel) || !isProblem || p.What == "" || p.Cure == "" {
		t.Errorf("error %v, want %v with what happened and the cure", err, sentinel)
	}
}

func TestAServerThatIsNotThereIsGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once: a port where nobody listens
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = postgres.Open(t.Context(), secret.New("postgres://user:canary2@"+address+"/db"), postgres.Config{})
	wantProblem(t, err, storage.ErrGone)
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestAnAddressThatCannotBeUnderstoodKeepsItsSecret(t *testing.T) {
	for _, address := range []string{"postgres://user:canary2@host:port/db", "postgres://user:canary%ter2@host/db", "user=a password='canary2", "mysql://user:canary2@host/db"} {
		_, err := postgres.Open(t.Context(), secret.New(address), postgres.Config{Connect: 50 * time.Millisecond})
		if problem.KindOf(err) != problem.Usage || strings.Contains(err.Error(), "canary") {
			t.Errorf("error %v, want a usage problem without the password", err)
		}
	}
}

func TestALostConnectionIsGoneAndTheNextCallConnectsAgain(t *testing.T) {
	s := fresh(t).(schema)
	store := s.open(t)
	err := postgres.Exec(t.Context(), store, `SELECT pg_terminate_backend(pg_backend_pid())`)
	wantProblem(t, err, storage.ErrGone)
	if _, err := store.Bindings(t.Context(), 1); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestADatabaseThatWasNotMigratedSaysSo(t *testing.T) {
	store := empty(t).open(t)
	_, err := store.Bindings(t.Context(), 1)
	wantProblem(t, err, storage.ErrOutdated)
}

func TestADatabaseThatCannotBeWrittenSaysSo(t *testing.T) {
	s := fresh(t).(schema)
	u, err := url.Parse(s.address.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("default_transaction_read_only", "on")
	u.RawQuery = q.Encode()
	store := schema{secret.New(u.String())}.open(t)
	_, err = store.Accept(t.Context(), storage.Invocation{Guild: 1, User: "a", First: noon})
	wantProblem(t, err, storage.ErrReadOnly)
}

func TestTheDatabaseRefusesToEmptyOrChangeRecords(t *testing.T) {
	store := fresh(t).(schema).open(t)
	if err := store.AppendTrail(t.Context(), []storage.TrailRecord{{Entry: trail.Entry{Guild: 1, At: time.Now(), Kind: trail.Seen}}}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`TRUNCATE trail CASCADE`, `TRUNCATE run CASCADE`, `TRUNCATE config_change`, `TRUNCATE finding CASCADE`, `TRUNCATE action CASCADE`, `TRUNCATE invocation`,
		`TRUNCATE policy`, `TRUNCATE finding_change`, `DELETE FROM trail`, `UPDATE trail SET what = 'x'`,
	} {
		if err := postgres.Exec(t.Context(), store, statement); !errors.Is(err, storage.ErrAppendOnly) {
			t.Errorf("%s: %v, want ErrAppendOnly", statement, err)
		}
	}
}

func TestNobodyTakesALeaseOverBetweenTheCheckAndTheIntention(t *testing.T) {
	s := fresh(t).(schema)
	owner, heir, watcher := s.open(t), s.open(t), s.SQL(t)
	l, err := owner.AcquireLease(t.Context(), 1, storage.Owner{ID: "owner", Since: noon})
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan error, 1)
	err = postgres.WhileFenced(t.Context(), owner, l.Fence, func() {
		go func() {
			_, err := heir.AcquireLease(t.Context(), 1, storage.Owner{ID: "heir", Since: noon})
			taken <- err
		}()
		for waiting := 0; waiting == 0; {
			select {
			case err := <-taken:
				t.Errorf("the lease was taken, or refused, while an intention rested on it: %v", err)
				taken <- err
				return
			default:
			}
			if err := watcher.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity
				WHERE wait_event_type = 'Lock' AND query LIKE '%FROM lease%FOR UPDATE%' AND pid <> pg_backend_pid()`).Scan(&waiting); err != nil {
				t.Error(err)
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-taken; !errors.Is(err, storage.ErrConflict) {
		t.Errorf("afterwards: %v, want ErrConflict, since the owner lives", err)
	}
}
