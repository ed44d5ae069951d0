package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/audit/snapshot"
	"gatecamp/discord"
	"gatecamp/internal/problem"
)

// fileGuild shows the guild of a snapshot: it is not live, so nothing on the strength of it acts or releases a lock.
type fileGuild struct {
	file  *snapshot.File
	guild audit.Guild
}

func newFileGuild(f *snapshot.File, id snowflake.ID) *fileGuild {
	g := &fileGuild{file: f, guild: f.Guild}
	g.guild.ID = id
	return g
}

// Picture satisfies reconcile.Guilds.
func (g *fileGuild) Picture(ctx context.Context) (reconcile.Picture, error) {
	return reconcile.Picture{Guild: g.guild, Members: g.file.Members, Complete: g.file.Complete(), At: g.file.At}, ctx.Err()
}

// Member satisfies reconcile.Guilds.
func (g *fileGuild) Member(_ context.Context, id snowflake.ID) (audit.Guild, audit.Member, error) {
	i := slices.IndexFunc(g.file.Members, func(m audit.Member) bool { return m.ID == id })
	if i < 0 {
		return g.guild, audit.Member{}, reconcile.ErrNoMember
	}
	return g.guild, g.file.Members[i], nil
}

// fileAuth is what a snapshot says about Auth.
type fileAuth struct{ file *snapshot.File }

// Read satisfies reconcile.Auth.
func (a fileAuth) Read(ctx context.Context) (*audit.Directory, error) {
	if a.file.Auth == nil {
		return nil, problem.New(problem.Held, a.file.Name+` has no "aa", so it says nothing about Auth`, "set GATECAMP_AUTH_URL, or name a snapshot that holds Auth too")
	}
	return a.file.Auth, ctx.Err()
}

// filed is a session that sees a guild: that of a snapshot file, or the guild itself.
type filed struct {
	*session
	file   *snapshot.File // of the guild itself without anything in it
	live   bool           // the guild itself
	guilds reconcile.Guilds
	writer reconcile.Writer              // nil: it only looks
	client *discord.Client               // nil: a file
	names  map[snowflake.ID]discord.Name // of members of the guild itself, as far as they were asked for
	engine *reconcile.Engine
	auth   string           // which Auth is asked, for people
	known  *audit.Directory // what Auth said, for names where the guild's are not at hand; nil before it was read

	closers []func() error // what was opened, in order
}

// onFile makes a session about the guild of a file; done closes what it opened. The file is read before the database is touched.
func (c *console) onFile(ctx context.Context, path string) (_ *filed, done func() error, err error) {
	cfg, err := c.config(ctx)
	if err != nil {
		return nil, nil, err
	}
	file, err := readSnapshot(path)
	if err != nil {
		return nil, nil, err
	}
	db, err := openStore(ctx, &cfg)
	if err != nil {
		return nil, nil, err
	}
	f := &filed{session: &session{console: c, cfg: cfg, db: db}, file: file, closers: []func() error{db.Close}}
	if f.session.guild, err = f.whose(ctx); err != nil {
		return nil, nil, errors.Join(err, f.close())
	}
	f.guilds = newFileGuild(file, f.session.guild)
	if !cfg.AuthURL.IsSet() {
		// Files are compared with earlier files of the same guild, never with Auth itself.
		f.engine = f.engineOver(fileAuth{file}, "snapshot:"+f.session.guild.String())
		f.auth = "as " + file.Name + " tells it"
		return f, f.close, nil
	}
	source, end, err := f.session.auth()
	if err != nil {
		return nil, nil, errors.Join(err, f.close())
	}
	f.closers = append(f.closers, end)
	f.engine, f.auth = f.session.engine(source), "read now"
	return f, f.close, nil
}

// whose is the guild of the file; what --guild and the settings say must agree with it.
func (f *filed) whose(ctx context.Context) (snowflake.ID, error) {
	id := f.file.Guild.ID
	if id == 0 {
		return f.chooseGuild(ctx)
	}
	disagree := func(with string) error {
		return problem.New(problem.Usage, fmt.Sprintf("%s shows guild %d, %s; nothing was done", f.file.Name, id, with), "name a snapshot of that guild, or another guild")
	}
	if f.console.guild != "" {
		named, err := parseID("--guild", f.console.guild)
		if err == nil && named != id {
			err = disagree(fmt.Sprintf("and --guild names %d", named))
		}
		return id, err
	}
	if known := f.configured(); len(known) > 0 && !slices.Contains(known, id) {
		return 0, disagree("which is none of those that are configured (" + joinIDs(known) + ")")
	}
	return id, nil
}

// notUsed says what of the file a run does not look at, because the database rules; empty if there is nothing.
func (f *filed) notUsed() string {
	var parts []string
	for _, p := range []struct {
		there bool
		name  string
	}{
		{f.file.Bound, "bindings"},
		{len(f.file.Blocks) > 0, "blocks"},
		{len(f.file.Overrides) > 0, "overrides"},
		{len(f.file.Protected) > 0, "protected"},
		{len(f.file.Exempt) > 0, "role_exceptions"},
		{len(f.file.Bots) > 0, "bot_uids"},
		{len(f.file.Opened) > 0, "opened"},
		{len(f.file.Policy.Destructive()) > 0, "policy"},
	} {
		if p.there {
			parts = append(parts, "aa."+p.name)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("not used of %s: %s; what this guild has set counts (see what the file itself says with `gatecamp audit replay`)", f.file.Name, joinWords(parts))
}

func joinWords(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		var text strings.Builder
		text.WriteString(words[0])
		for _, w := range words[1 : n-1] {
			text.WriteString(", " + w)
		}
		return text.String() + " and " + words[n-1]
	}
}

// name is a member for people: what the guild calls them, and the id.
func (f *filed) name(id snowflake.ID) string {
	who := f.file.Person(id)
	if n, asked := f.names[id]; asked {
		who.Nick, who.Username = n.Shown, n.User
	}
	switch shown := visible(who.Display()); {
	case shown == "":
		return f.nameInAuth(id)
	case shown == who.Username || who.Username == "":
		return fmt.Sprintf("%s (%d)", shown, id)
	default:
		return fmt.Sprintf("%s (%s, %d)", shown, visible(who.Username), id)
	}
}

// nameInAuth is whom Auth links the account to: main character, Auth user and id; the id alone for strangers.
func (f *filed) nameInAuth(id snowflake.ID) string {
	if f.known == nil {
		return id.String()
	}
	linked := f.known.Linked(id)
	if len(linked) == 0 {
		return id.String()
	}
	a := &f.known.Accounts[linked[0]]
	if a.Main.Name != "" {
		return fmt.Sprintf("%s (Auth user %s, %d)", visible(a.Main.Name), visible(a.Username), id)
	}
	return fmt.Sprintf("Auth user %s (%d)", visible(a.Username), id)
}

// roleName is a role for people.
func roleName(roles []audit.Role, id snowflake.ID) string {
	i := slices.IndexFunc(roles, func(r audit.Role) bool { return r.ID == id })
	if i < 0 {
		return "role " + id.String()
	}
	return fmt.Sprintf("%s (%d)", visible(roles[i].Name), id)
}

// fileFlag is --snapshot.
func fileFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "snapshot", "", "take the guild from this snapshot `FILE` instead of Discord; never acts")
}
