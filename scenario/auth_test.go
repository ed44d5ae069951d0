package scenario

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatecamp/discord/discordtest"
)

// TestBesideARealAllianceAuth is a story in which Auth is real: its database in MariaDB, its Discord service and its worker, over the
// same local Discord as gatecamp.
func TestBesideARealAllianceAuth(t *testing.T) {
	for _, name := range []string{"GATECAMP_TEST_AUTH_PYTHON", "GATECAMP_TEST_MARIADB_URL", "GATECAMP_TEST_REDIS_URL"} {
		if os.Getenv(name) == "" {
			t.Skip(name + " is not set: needs a real Alliance Auth, MariaDB and Redis, see .ci/run")
		}
	}
	t.Parallel()
	tell(t, filepath.Join("testdata", "auth", "beside-a-real-auth.txtar"))
}

// liveAuth is a real Alliance Auth at work.
type liveAuth struct {
	mu      sync.Mutex
	orders  io.WriteCloser
	answers *bufio.Scanner
	said    log
	ended   chan struct{}
}

// startAuth starts it, and points gatecamp at its database with the user that may only read.
func (s *story) startAuth() error {
	admin, err := url.Parse(os.Getenv("GATECAMP_TEST_MARIADB_URL"))
	if err != nil {
		return err
	}
	admin.Path = "/gatecamp_live_auth"
	reader := *admin
	reader.User = url.UserPassword("live_reader", "reads-only")
	project := filepath.Join(s.dir, "auth")
	if err := os.Mkdir(project, 0o700); err != nil {
		return err
	}
	script, err := filepath.Abs(filepath.Join("..", ".ci", "auth", "live.py"))
	if err != nil {
		return err
	}
	a := &liveAuth{ended: make(chan struct{})}
	cmd := exec.CommandContext(context.Background(), os.Getenv("GATECAMP_TEST_AUTH_PYTHON"), script, "--project", project, "--admin", admin.String(),
		"--reader", reader.String(), "--redis", os.Getenv("GATECAMP_TEST_REDIS_URL"), "--discord", s.discord.APIURL(), "--guild", s.guild.String(),
		"--token", s.discord.Bot(discordtest.BotAuth).Token)
	cmd.Env = append(os.Environ(), "HOME="+project, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = &a.said
	if a.orders, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	a.answers = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.t.Cleanup(func() {
		_ = a.orders.Close()
		if err := cmd.Wait(); err != nil || s.t.Failed() {
			s.t.Logf("Alliance Auth ended with %v and said:\n%s", err, a.said.String())
		}
	})
	if _, err := a.hear(); err != nil {
		return err
	}
	s.live = a
	return s.setting("GATECAMP_AUTH_URL", reader.String())
}

func (a *liveAuth) hear() (answer map[string]any, err error) {
	if !a.answers.Scan() {
		return nil, errors.Join(a.answers.Err(), errors.New("Alliance Auth does not answer:\n"+a.said.String()))
	}
	return answer, json.Unmarshal(a.answers.Bytes(), &answer)
}

func (a *liveAuth) ask(order map[string]any) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	if _, err := a.orders.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	return a.hear()
}

// inAuth is what happens in Alliance Auth: aa start · aa group NAME · aa user NAME ID GROUP… [superuser] · aa groups NAME +GROUP -GROUP · aa update-all ·
// aa idle, until its worker has nothing to do.
func (s *story) inAuth(a []string) error {
	if a[0] == "start" {
		return s.startAuth()
	}
	if s.live == nil {
		return errors.New("Alliance Auth is not at work")
	}
	switch order := a[0]; order {
	case "user":
		return s.newUser(a[1:])
	case "groups":
		var add, remove []string
		for _, g := range a[2:] {
			if name, is := strings.CutPrefix(g, "+"); is {
				add = append(add, name)
			} else {
				remove = append(remove, strings.TrimPrefix(g, "-"))
			}
		}
		_, err := s.live.ask(map[string]any{"do": "groups", "name": a[1], "add": some(add), "remove": some(remove)})
		return err
	case "group":
		_, err := s.live.ask(map[string]any{"do": "group", "name": a[1]})
		return err
	case "update-all":
		_, err := s.live.ask(map[string]any{"do": "update_all"})
		return err
	case "idle":
		return s.until(func() error {
			answer, err := s.live.ask(map[string]any{"do": "busy"})
			if err == nil && answer["tasks"] != 0.0 {
				err = fmt.Errorf("Auth's worker has %v tasks", answer["tasks"])
			}
			return err
		})
	default:
		return fmt.Errorf("Auth knows no %q", order)
	}
}

func (s *story) newUser(a []string) error {
	order := map[string]any{"do": "user", "name": a[0], "discord": a[1]}
	var groups []string
	for _, word := range a[2:] {
		if word == "superuser" {
			order["superuser"] = true
		} else {
			groups = append(groups, word)
		}
	}
	order["groups"] = some(groups)
	answer, err := s.live.ask(order)
	if err == nil && (answer["state"] != "Member" || answer["access"] != true) {
		err = fmt.Errorf("%s is %v", a[0], answer)
	}
	return err
}

// some is a list that JSON writes as one, also without anything in it.
func some(list []string) []string { return append([]string{}, list...) }
