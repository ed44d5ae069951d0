package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
	"gatecamp/storage/sqlite"
)

// step does one line of the story.
func (s *story) step(where, line string) {
	words, err := split(line)
	if err == nil {
		_, err = s.do(words)
	}
	if err != nil {
		s.t.Errorf("%s: %s\n%v", filepath.Base(s.path), where, err)
	}
}

// split takes a line apart; what stands in quotes is one word.
func split(line string) (words []string, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] == '"' {
			end := strings.IndexByte(line[1:], '"')
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			words, line = append(words, line[1:end+1]), line[end+2:]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		words, line = append(words, word), rest
	}
	return words, nil
}

// verbs are the steps, each with how many words it needs after its name.
func (s *story) verbs() map[string]struct {
	needs int
	do    func(a []string) error
} {
	type verb = struct {
		needs int
		do    func(a []string) error
	}
	return map[string]verb{
		"setup":  {0, func([]string) error { return s.setUp() }},
		"$":      {1, s.command},
		"says":   {1, func(a []string) error { return s.says(a[0], true) }},
		"silent": {1, func(a []string) error { return s.says(a[0], false) }},
		"before": {4, func(a []string) error { return s.hook(a, 0, false) }},
		"after":  {4, func(a []string) error { return s.hook(a, 0, true) }},
		"each":   {5, s.each},
		"kill":   {0, func([]string) error { return s.kill() }},
		"auth":   {1, func(a []string) error { return s.auth(strings.Join(a, " ")) }},
		"fault":  {1, s.fault},
		"give":   {2, func(a []string) error { return s.hands(a, s.discord.GiveRole) }},
		"take":   {2, func(a []string) error { return s.hands(a, s.discord.TakeRole) }},
		"join": {2, func(a []string) error {
			return s.discord.Join(s.guild, discordtest.Arrival{ID: id(a[0]), Username: a[1]})
		}},
		"heard": {2, s.heard},
		"leave": {1, func(a []string) error { return s.discord.Leave(s.guild, id(a[0])) }},
		"delete-role": {1, func(a []string) error {
			return s.onRole(a[0], func(r snowflake.ID) error { return s.discord.DeleteRole(s.guild, r, 0) })
		}},
		"raise":       {2, s.raise},
		"permissions": {2, s.permissions},
		"down":        {0, func([]string) error { return s.discord.SetDown(s.guild, true) }},
		"up":          {0, func([]string) error { return s.discord.SetDown(s.guild, false) }},
		"advance":     {1, s.advance},
		"intents":     {1, s.intents},
		"token":       {1, s.token},
		"auth-writes": {1, s.authWrites},
		"two-factor":  {0, func([]string) error { return s.discord.RequireTwoFactor(s.guild, true, false) }},
		"dead":        {0, func([]string) error { return s.dead() }},
		"guild":       {1, s.otherGuild},
		"holds":       {1, s.holds},
		"gone":        {1, func(a []string) error { return s.present(a[0], false) }},
		"here":        {1, func(a []string) error { return s.present(a[0], true) }},
		"calls":       {2, s.calls},
		"posted":      {1, func(a []string) error { return s.posted(a[0], true) }},
		"unposted":    {1, func(a []string) error { return s.posted(a[0], false) }},
		"told":        {2, func(a []string) error { return s.told(a, true) }},
		"untold":      {2, func(a []string) error { return s.told(a, false) }},
		"kicks": {2, func(a []string) error {
			for _, who := range a[1:] {
				if err := s.discord.Kick(s.guild, id(who), id(a[0])); err != nil {
					return err
				}
			}
			return nil
		}},
		"want": {1, func(a []string) error { return s.want(a[0]) }},

		"serve":       {0, s.serve},
		"released":    {0, func([]string) error { return s.released() }},
		"finds":       {2, s.finds},
		"within":      {1, s.within},
		"aa":          {1, s.inAuth},
		"database":    {1, s.database},
		"redis":       {1, s.redis},
		"owner":       {0, func(a []string) error { name, _ := named(a); return s.plays(name, "owner") }},
		"waits":       {1, func(a []string) error { return s.plays(a[0], "waiting") }},
		"crash":       {0, func(a []string) error { name, _ := named(a); return s.crash(name) }},
		"stop":        {0, s.stop},
		"ends":        {1, s.ends},
		"logs":        {1, s.logs},
		"begin":       {2, s.beginCommand},
		"signal":      {2, s.signal},
		"metric":      {2, s.metric},
		"gateway":     {1, s.gateway},
		"sessions":    {1, s.sessions},
		"eventually":  {1, s.eventually},
		"settled":     {1, s.settled},
		"slash":       {2, s.slash},
		"menu":        {3, s.menu},
		"press":       {2, s.press},
		"press-board": {2, s.pressBoard},
		"submit":      {2, s.submit},
		"answers":     {1, func(a []string) error { return s.answers(a[0], true) }},
		"conceals":    {1, func(a []string) error { return s.answers(a[0], false) }},
		"shows":       {1, func(a []string) error { return s.shows(a[0], true) }},
		"hides":       {1, func(a []string) error { return s.shows(a[0], false) }},
		"setting":     {2, func(a []string) error { return s.setting(a[0], a[1]) }},
		"newest":      {0, func([]string) error { return s.findNewest() }},
		"awaits":      {1, func(a []string) error { return s.awaits(a[0]) }},
		"let":         {1, func(a []string) error { close(s.flag(a[0])); return nil }},
		"in":          {2, s.elsewhere},
		"forged":      {2, s.forged},
		"press-twice": {2, s.pressTwice},
		"found":       {3, s.found},
		"goes-by":     {2, s.goesBy},
		"disk":        {1, s.disk},
		"canaries":    {0, func([]string) error { return s.canaries() }},
	}
}

// do does one step; pass is false for the one that keeps the call it stands before from going on.
func (s *story) do(words []string) (pass bool, err error) {
	if len(words) == 0 {
		return true, errors.New("an empty step")
	}
	if words[0] == "cut" {
		return false, nil
	}
	for i, w := range words[1:] {
		words[i+1] = strings.ReplaceAll(w, "{run}", s.newest)
	}
	v, known := s.verbs()[words[0]]
	switch {
	case !known:
		return true, fmt.Errorf("there is no step %q", words[0])
	case len(words)-1 < v.needs:
		return true, fmt.Errorf("%s wants %d words more", words[0], v.needs-len(words)+1)
	}
	// A program that is killed hears no answer, and its call is not passed on.
	return words[0] != "kill", v.do(slices.Clone(words[1:]))
}

// flag is a signal between the story's own steps and a call that is held: awaits NAME · let NAME.
func (s *story) flag(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flags == nil {
		s.flags = map[string]chan struct{}{}
	}
	if s.flags[name] == nil {
		s.flags[name] = make(chan struct{})
	}
	return s.flags[name]
}

func (s *story) awaits(name string) error {
	select {
	case <-s.flag(name):
		return nil
	case <-time.After(patience):
		return fmt.Errorf("nobody says %q", name)
	}
}

// setUp is what an operator does before anything may be changed.
func (s *story) setUp() error {
	for _, args := range [][]string{
		{"bind", "add", "--all-proposed", "--reason", "compared with Auth"},
		{"policy", "set", "policy.yaml", "--reason", "as agreed"},
		{"audit", "run"},
		{"audit", "acknowledge", "1", "--reason", "read it"},
	} {
		if output, code, err := s.run(args...); err != nil || code != 0 {
			return fmt.Errorf("%q exits %d, %w:\n%s", args, code, err, output)
		}
	}
	return nil
}

func (s *story) says(text string, want bool) error {
	if strings.Contains(s.last, text) != want {
		return fmt.Errorf("the answer was:\n%s", s.last)
	}
	return nil
}

// hook is: METHOD PATH : STEP.
func (s *story) hook(a []string, every int, after bool) error {
	if a[2] != ":" {
		return errors.New("want METHOD PATH : STEP")
	}
	line := a[3:]
	switch line[0] {
	case "shorten":
		s.gate.add(&hook{method: a[0], path: s.inGuild(a[1]), after: true, every: 1, shorten: true})
		return nil
	case "refuse":
		return s.refuse(a[0], a[1], line[1:])
	}
	s.gate.add(&hook{method: a[0], path: s.inGuild(a[1]), every: every, after: after, do: func() bool {
		pass, err := s.do(line)
		if err != nil {
			s.t.Errorf("%s: at %s %s: %q: %v", filepath.Base(s.path), a[0], a[1], line, err)
		}
		return pass
	}})
	return nil
}

func (s *story) each(a []string) error {
	n, err := strconv.Atoi(a[2])
	if err != nil || n < 1 {
		return errors.New("want METHOD PATH N : STEP")
	}
	return s.hook(append([]string{a[0], a[1]}, a[3:]...), n, false)
}

// outside are the paths that are in no guild.
var outside = []string{"/webhooks/", "/interactions/", "/channels/"}

// inGuild is a path of the guild, which is written without it: /members/*/roles/*.
func (s *story) inGuild(path string) string {
	if slices.ContainsFunc(outside, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
		return path
	}
	if path == "/" {
		path = ""
	}
	return "/guilds/" + s.guild.String() + path
}

func (s *story) auth(file string) error {
	if s.source != nil || file == "mariadb" {
		return s.sourceIs(file)
	}
	path := filepath.Join(s.dir, "auth.json")
	if file == "missing" {
		return os.Remove(path)
	}
	data, there := s.files[file]
	if !there {
		return fmt.Errorf("the archive has no %s", file)
	}
	// Written aside and moved: the program never reads half a file.
	if err := os.WriteFile(path+".new", inSnapshot(data), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (s *story) fault(a []string) error {
	f := discordtest.Fault{Name: a[0]}
	for _, pair := range a[1:] {
		name, value, _ := strings.Cut(pair, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "at":
			f.At = n
		case "count":
			f.Count = n
		case "method":
			f.Match.Method = value
		case "route":
			f.Match.Route = value
		case "event":
			f.Match.Event = value
		default:
			return fmt.Errorf("a fault has no %q", name)
		}
	}
	_, err := s.discord.AddFault(f)
	return err
}

func id(text string) snowflake.ID {
	parsed, err := snowflake.Parse(text)
	if err != nil {
		return 0
	}
	return parsed
}

func (s *story) hands(a []string, do func(in, user, role, by snowflake.ID) error) error {
	return s.onRole(a[1], func(role snowflake.ID) error { return do(s.guild, id(a[0]), role, 0) })
}

func (s *story) onRole(name string, do func(snowflake.ID) error) error {
	roles, err := s.discord.Roles(s.guild)
	if err != nil {
		return err
	}
	for _, r := range roles {
		if r.Name == name {
			return do(r.ID)
		}
	}
	return fmt.Errorf("the guild has no role %q", name)
}

func (s *story) raise(a []string) error {
	at, err := strconv.Atoi(a[1])
	if err != nil {
		return err
	}
	return s.onRole(a[0], func(r snowflake.ID) error {
		_, err := s.discord.EditRole(s.guild, r, 0, discordtest.RoleEdit{Position: &at})
		return err
	})
}

func (s *story) permissions(a []string) error {
	bits, err := strconv.ParseUint(a[1], 10, 63)
	if err != nil {
		return err
	}
	p := discordtest.Permissions(bits)
	return s.onRole(a[0], func(r snowflake.ID) error {
		_, err := s.discord.EditRole(s.guild, r, 0, discordtest.RoleEdit{Permissions: &p})
		return err
	})
}

func (s *story) advance(a []string) error {
	d, err := time.ParseDuration(a[0])
	if err != nil {
		return err
	}
	return s.discord.Advance(d)
}

// dead makes the last sign of life of a run a minute old: what waiting would do.
func (s *story) dead() (err error) {
	db, err := sqlite.Open(s.t.Context(), sqlite.Config{Path: filepath.Join(s.dir, "data", "gatecamp.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.SQL().ExecContext(s.t.Context(), "UPDATE run SET heartbeat_at = heartbeat_at - 60000000")
	return err
}

// otherGuild points the settings at a guild that the bot is not in.
func (s *story) otherGuild(a []string) error { return s.setting("GATECAMP_GUILD_IDS", a[0]) }

func (s *story) setting(name, value string) error {
	i := slices.IndexFunc(s.env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	if i < 0 {
		return fmt.Errorf("no setting %s", name)
	}
	s.env[i] = name + "=" + value
	return nil
}

// intents none takes the privileged ones away from the bot.
func (s *story) intents(a []string) error {
	if a[0] != "none" {
		return errors.New("want: intents none")
	}
	return s.discord.AllowIntents(s.discord.Bot(discordtest.BotGatecamp).UserID, 0)
}

func (s *story) token(a []string) error { return s.setting("GATECAMP_DISCORD_TOKEN", a[0]) }

// authWrites is Alliance Auth's way: the whole array, by its unversioned API.
func (s *story) authWrites(a []string) error {
	roles := []string{}
	for _, name := range a[1:] {
		if err := s.onRole(name, func(r snowflake.ID) error { roles = append(roles, r.String()); return nil }); err != nil {
			return err
		}
	}
	body, err := json.Marshal(map[string]any{"roles": roles})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPatch, s.discord.APIURL()+s.inGuild("/members/"+a[0]), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bot "+s.discord.Bot(discordtest.BotAuth).Token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("Auth's write was answered with %s", answer.Status)
	}
	return nil
}

func (s *story) holds(a []string) error {
	m, err := s.discord.Member(s.guild, id(a[0]))
	if err != nil {
		return err
	}
	roles, err := s.discord.Roles(s.guild)
	if err != nil {
		return err
	}
	got := []string{}
	for _, r := range roles {
		if slices.Contains(m.Roles, r.ID) {
			got = append(got, r.Name)
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(a[1:]))
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s holds %q, want %q", a[0], got, want)
	}
	return nil
}

func (s *story) present(member string, want bool) error {
	_, err := s.discord.Member(s.guild, id(member))
	if (err == nil) != want {
		return fmt.Errorf("is %s in the guild? %v", member, err == nil)
	}
	return nil
}

// calls counts what the program asked of Discord.
func (s *story) calls(a []string) error {
	want, err := strconv.Atoi(a[len(a)-1])
	if err != nil {
		return err
	}
	bound := ""
	if n := len(a) - 2; n > 0 && (a[n] == "at-most" || a[n] == "at-least") {
		bound = a[n]
		a = slices.Delete(a, n, n+1)
	}
	got := 0
	for _, r := range s.discord.Requests(0) {
		if r.Bot != discordtest.BotGatecamp {
			continue
		}
		if len(a) == 2 && strconv.Itoa(r.Status) == a[0] || len(a) == 3 && r.Method == a[0] && fits(s.inGuild(a[1]), r.Path) {
			got++
		}
	}
	if got > want && bound != "at-least" || got < want && bound != "at-most" {
		return fmt.Errorf("%d such calls, want %d:\n%s", got, want, s.requests())
	}
	return nil
}

// posted looks at all that came to the webhook.
func (s *story) posted(text string, want bool) error {
	var all strings.Builder
	for _, d := range s.discord.Deliveries() {
		all.Write(d.Body)
		all.WriteByte('\n')
	}
	if strings.Contains(all.String(), text) != want || all.Len() == 0 {
		return fmt.Errorf("the webhook got:\n%s", all.String())
	}
	return nil
}
