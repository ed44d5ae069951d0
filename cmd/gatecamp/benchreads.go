package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"gatecamp/auth/authtest"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

// read reads every member by chunks, and weighs what is kept of them.
func (b *discordBench) read(ctx context.Context) (_ map[string]float64, err error) {
	world, err := discordtest.LoadWorld("empty")
	if err != nil {
		return nil, err
	}
	up, down := context.WithCancel(ctx)
	server, wait, err := discordtest.Start(up, discordtest.Config{World: world.Populate(b.members, 1)})
	if err != nil {
		down()
		return nil, err
	}
	defer func() {
		down()
		err = errors.Join(err, wait())
	}()
	before := heap()
	hello := server.Hello()
	client, err := discord.Open(ctx, discord.Config{Token: secret.New(hello.Bots[0].Token), APIURL: hello.API})
	if err != nil {
		return nil, err
	}
	defer client.Close(context.WithoutCancel(ctx))
	guild := client.Guild(hello.GuildIDs[0])
	if err := guild.WaitVisible(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	n, err := pictured(ctx, guild)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	return map[string]float64{
		"members_per_second": float64(n) / took.Seconds(), "seconds": took.Seconds(), "heap_megabytes": float64(heap()-before) / 1e6,
	}, nil
}

// pictured reads the guild and keeps nothing of the picture.
func pictured(ctx context.Context, guild *discord.Guild) (int, error) {
	p, err := guild.Picture(ctx)
	if err == nil && !p.Complete {
		err = problem.New(problem.Failed, "the list is not complete: "+p.Doubt, "")
	}
	return len(p.Members), err
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers let go
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// sweep is a report-only run of a process of its own, beside a local Discord that is another one.
func (b *discordBench) sweep(ctx context.Context, dir string) (_ map[string]float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	people := authtest.Large().World()
	if err := authtest.File(ctx, filepath.Join(dir, "auth.sqlite3"), people); err != nil {
		return nil, err
	}
	if err := writeCrowd(filepath.Join(dir, "world.txtar"), people, b.members, false); err != nil {
		return nil, err
	}
	hello, stop, err := serveBeside(ctx, self, filepath.Join(dir, "world.txtar"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	set := tableSettings(dir, hello)
	set["GATECAMP_AUTH_URL"] = "sqlite:" + filepath.Join(dir, "auth.sqlite3")
	cmd := exec.CommandContext(ctx, self, "audit", "run")
	cmd.Dir, cmd.Env = dir, environ(set)
	began := time.Now()
	peak, err := weighed(cmd)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	history := exec.CommandContext(ctx, self, "audit", "history", "--json")
	history.Dir, history.Env = dir, environ(set)
	line, err := history.Output()
	if err != nil {
		return nil, err
	}
	var last struct {
		Started, Ended time.Time
		Counts         struct{ Members int }
	}
	if err := json.Unmarshal(line, &last); err != nil {
		return nil, err
	}
	if last.Counts.Members < b.members {
		return nil, problem.New(problem.Failed, fmt.Sprintf("the run saw %d members", last.Counts.Members), "")
	}
	return map[string]float64{
		"seconds_of_the_run": last.Ended.Sub(last.Started).Seconds(), "seconds_of_the_process": took.Seconds(), "peak_megabytes": float64(peak) / 1e6,
	}, nil
}

// weighed runs a process and says the most memory that it had. What the system counts for a child that has ended begins with what its
// parent had (getrusage(2), across fork), so it is asked while it works.
func weighed(cmd *exec.Cmd) (peak int64, err error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(weighEvery)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				err = fmt.Errorf("the run ended with %w:\n%s", err, output.Bytes())
			}
			return peak, err
		case <-look.C:
			peak = max(peak, peakRSS(strconv.Itoa(cmd.Process.Pid)))
		}
	}
}

const weighEvery = 10 * time.Millisecond

func environ(set map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} { // how Go collects may be measured too
		if value, is := os.LookupEnv(name); is {
			list = append(list, name+"="+value)
		}
	}
	for _, name := range sortedKeys(set) {
		list = append(list, name+"="+set[name])
	}
	return list
}

// serveBeside starts a local Discord as a process of its own.
func serveBeside(ctx context.Context, self, world string) (hello discordtest.Hello, stop func() error, err error) {
	ctx, end := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, self, "local-discord", "--world", world)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		end()
		return hello, nil, err
	}
	stop = func() error {
		end()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &hello)
	}
	if err != nil {
		return hello, nil, errors.Join(fmt.Errorf("the local Discord did not start: %w", err), stop())
	}
	return hello, stop, nil
}

// The ids of a crowd: roles from crowdRole on, states first, then groups; strangers from crowdStranger on, crowdStep apart.
const (
	crowdRole     = 5000
	crowdStranger = 200_000_000_000_000_000
	crowdStep     = 7_919
)

// writeCrowd is a world of the people of an Auth, who hold what Auth gives, and strangers up to so many members. One in a hundred
// holds a role too many, unless it is tidy: then nobody does, and the role of the first group is an administrator's.
func writeCrowd(path string, w authtest.World, members int, tidy bool) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	ids := map[string]string{}
	var roles []string
	add := func(name string) {
		permissions := "0"
		if tidy && len(roles) == len(w.States) {
			permissions = "8"
		}
		ids[name] = fmt.Sprint(crowdRole + len(roles))
		roles = append(roles, fmt.Sprintf(`{"id": %q, "name": %q, "position": %d, "permissions": %q}`, ids[name], name, len(roles)+1, permissions))
	}
	for _, s := range w.States {
		add(s.Name)
	}
	for _, g := range w.Groups {
		add(g.Name)
	}
	fmt.Fprintf(out, "Made up to be measured.\n-- guild.json --\n{\"guild\": {\"id\": \"900000000000000001\", \"owner_id\": \"41\", \"name\": \"Bench\"},\n \"guild_roles\": [%s],\n \"guild_members\": [[\n", strings.Join(roles, ",\n"))
	fmt.Fprint(out, `{"user": {"id": "41", "username": "owner"}, "roles": []}`)
	n := 1
	member := func(id int64, held []string) {
		n++
		fmt.Fprintf(out, ",\n{\"user\": {\"id\": \"%d\", \"username\": \"pilot%d\"}, \"roles\": [%s], \"joined_at\": \"2020-01-01T00:00:00Z\"}", id, n, strings.Join(held, ","))
	}
	for i, u := range w.Users {
		if u.Discord <= 0 || n >= members {
			continue
		}
		held := []string{}
		for _, name := range append([]string{u.State}, u.Groups...) {
			held = append(held, fmt.Sprintf("%q", ids[name]))
		}
		if extra := w.Groups[i%len(w.Groups)].Name; !tidy && i%100 == 0 && !strings.Contains(strings.Join(u.Groups, "\n")+"\n", extra+"\n") {
			held = append(held, fmt.Sprintf("%q", ids[extra]))
		}
		member(u.Discord, held)
	}
	for id := int64(crowdStranger); n < members; id += crowdStep {
		var held []string
		if !tidy && n%1000 == 0 {
			held = []string{fmt.Sprintf("%q", ids[w.States[0].Name])}
		}
		member(id, held)
	}
	fmt.Fprint(out, "\n]]}\n")
	return out.Flush()
}
