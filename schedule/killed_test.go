package schedule

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"gatecamp/internal/secret"
	"gatecamp/notify"
	"gatecamp/storage/sqlite"
)

const victimFile = "GATECAMP_TEST_VICTIM"

// stuck says on standard output that it is at work, and never ends.
type stuck struct{ *sender }

func (stuck) Post(context.Context, secret.String, notify.Message, ...notify.File) error {
	_, _ = os.Stdout.WriteString("at work\n")
	select {}
}

// TestVictim is the process that the test below kills; by itself it does nothing.
func TestVictim(t *testing.T) {
	path := os.Getenv(victimFile)
	if path == "" {
		return
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	q, err := Open(riversqlite.New(s.SQL()), Config{Store: s, Sender: stuck{}, Texts: texts(t)})
	if err != nil {
		t.Fatal(err)
	}
	q.Keep(Guild{ID: guildID, Webhooks: map[string]secret.String{SummaryWebhook: address}})
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := q.Post(t.Context(), Post{Guild: guildID, Webhook: SummaryWebhook, Message: message}); err != nil {
		t.Fatal(err)
	}
	select {}
}

// The process is killed with a message in its hand, as by kill -9: the next one delivers it.
func TestAMessageInTheHandOfAKilledProcessIsDelivered(t *testing.T) {
	db := sqliteBase(t)
	var path string
	if err := db.open(t).sql.QueryRowContext(t.Context(), `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$") //nolint:gosec // this very test
	victim.Env = append(os.Environ(), victimFile+"="+filepath.Clean(path))
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	working := false
	for lines := bufio.NewScanner(out); !working && lines.Scan(); {
		working = strings.Contains(lines.Text(), "at work")
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	heir := newProcess(t, db)
	if states, _ := heir.jobs(t); !cmp.Equal(states, []string{"post running"}) {
		t.Fatalf("the killed process left %v", states)
	}
	heir.Keep(heir.guild("off", t))
	heir.start(t)
	if d := next(t, heir.sender.sent, "the message"); !cmp.Equal(d.message, message) {
		t.Errorf("delivered %+v", d.message)
	}
	if states := heir.drained(t); !cmp.Equal(states, []string{"post completed"}) {
		t.Errorf("in the end: %v", states)
	}
}
