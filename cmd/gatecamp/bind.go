package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) bindCommands() *cobra.Command {
	return family("bind", "which Discord role stands for which group or state of Auth", c.bindShow(), c.bindPropose(), c.bindAdd(), c.bindRemove())
}

const guildFile = "a snapshot `file` that shows the guild; needed until gatecamp can look at the guild itself"

func (c *console) bindShow() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "show", Short: "list which roles are bound, to what, by whom and why",
		Long: `A role that is bound is managed: whoever holds it without being given it by Auth is a finding, and the role may be taken away. A role that
only carries the name of a group or state is proposed: it counts for findings and is never taken away until somebody binds it.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		all, err := s.db.Bindings(ctx, s.guild)
		if err != nil {
			return err
		}
		l := list{columns: []string{"role", "bound to", "role name then", "actor", "at", "reason"}, empty: "No role is bound. See what Auth's names suggest with `gatecamp bind propose`."}
		for _, b := range all {
			l.add(bindingLine(b), b.Role.String(), boundTo(b.Kind, b.Name), b.RoleName, b.Actor, eveTime(b.At), b.Reason)
		}
		return f.print(s.out, &l)
	})
	f.flags(cmd)
	return noted(cmd, noteJSON, `one line a binding: {"role", "kind": "group"|"state"|"guarded", "name", "role_name", "actor", "reason", "at"}`)
}

func boundTo(kind, name string) string {
	if kind == storage.BoundGuarded {
		return "guarded: given by nobody in Auth"
	}
	return kind + " " + name
}

func bindingLine(b storage.Binding) any {
	return struct {
		Role     string `json:"role"`
		Kind     string `json:"kind"`
		Name     string `json:"name,omitempty"`
		RoleName string `json:"role_name"`
		Actor    string `json:"actor"`
		Reason   string `json:"reason"`
		At       any    `json:"at"`
	}{b.Role.String(), b.Kind, b.Name, b.RoleName, b.Actor, b.Reason, reconcile.LineTime(b.At)}
}

func (c *console) bindPropose() *cobra.Command {
	var f format
	var file string
	cmd := &cobra.Command{
		Use: "propose", Short: "show what the names of Auth suggest for roles that are not bound",
		Long: `Compares the names of the guild's roles with those of Auth's groups and states, letter by letter and cut to 100 characters as Auth does,
and lists every role that carries such a name and is not bound. It changes nothing: take them over with ` + "`gatecamp bind add`" + `.

Listed apart are roles that need a pair of eyes: a name that only looks like a managed one (other letters, blanks, capitals), two roles
of one name, a bound role that vanished or was renamed. Those are never bound or taken away by their looks.`,
		Example: "  gatecamp bind propose --snapshot guild.json",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		scene, err := s.sceneOf(ctx, file)
		if err != nil {
			return err
		}
		proposals, troubles := scene.Proposals(), scene.RoleFindings()
		if f.json || f.csv {
			return f.print(s.out, proposalList(proposals, troubles))
		}
		return s.showProposals(proposals, troubles)
	})
	cmd.Flags().StringVar(&file, "snapshot", "", guildFile)
	f.flags(cmd)
	noted(cmd, noteExits, "3 without --snapshot where no bot token is set, 4 if Auth cannot be read")
	return noted(cmd, noteJSON, `one line a proposal or doubt: {"role", "role_name", "what": "proposal"|"lookalike_role"|"twin_roles"|"role_vanished"|…, "kind", "name"}; "name" of a doubt: what the role resembles or should be called`)
}

// sceneOf joins a guild, from a file or as Discord shows it now, with Auth, bindings and exemptions as they are now.
func (s *session) sceneOf(ctx context.Context, file string) (*audit.Scene, error) {
	if file == "" && !s.cfg.DiscordToken.IsSet() {
		return nil, needsLive("looking at the guild's roles", "give --snapshot FILE")
	}
	pic, err := s.picture(ctx, file)
	if err != nil {
		return nil, err
	}
	d, err := s.authOr(ctx, pic)
	if err != nil {
		return nil, err
	}
	sub := audit.Subjects{At: s.now(), Guild: pic.Guild, Auth: d, AuthHealth: audit.Healthy}
	stored, err := s.db.Bindings(ctx, s.guild)
	if err != nil {
		return nil, err
	}
	for _, b := range stored {
		sub.Bindings = append(sub.Bindings, sceneBinding(b))
	}
	rows, err := s.db.ExceptionsAt(ctx, s.guild, s.now().UTC())
	if err != nil {
		return nil, err
	}
	for _, x := range rows {
		if x.Table == storage.Exemptions {
			sub.Exempt = append(sub.Exempt, x.Subject)
		}
	}
	return audit.NewScene(sub), nil
}

func sceneBinding(b storage.Binding) audit.Binding {
	switch b.Kind {
	case storage.BoundGroup:
		return audit.Binding{Role: b.Role, Kind: audit.ToGroup, Name: b.Name}
	case storage.BoundState:
		return audit.Binding{Role: b.Role, Kind: audit.ToState, Name: b.Name}
	}
	return audit.Binding{Role: b.Role, Kind: audit.Guarded, Name: b.RoleName}
}

// authOr reads the Auth of the settings; where none is set, what the snapshot itself says about Auth.
func (s *session) authOr(ctx context.Context, pic *snapshot.File) (*audit.Directory, error) {
	if !s.cfg.AuthURL.IsSet() && pic.Auth != nil {
		s.warn("GATECAMP_AUTH_URL is not set; the groups and states are those of %s", pic.Name)
		return pic.Auth, nil
	}
	source, done, err := s.auth()
	if err != nil {
		return nil, err
	}
	d, err := source.Read(ctx)
	if err == nil {
		s.warnings(source)
	}
	return d, errors.Join(err, done())
}

// showProposals prints both parts with what to do about each.
func (s *session) showProposals(proposals []audit.Proposal, troubles []audit.RoleFinding) error {
	l := list{columns: []string{"role", "role name", "would be bound to"}, empty: "Every role that carries the name of a group or state is bound."}
	for _, p := range proposals {
		l.add(nil, p.Role.String(), p.RoleName, boundTo(p.Kind.String(), p.Name))
	}
	if err := printTable(s.out, &l); err != nil {
		return err
	}
	if len(proposals) > 0 {
		s.say("\nThey count for findings now, and nobody loses them until they are bound. Bind one with `gatecamp bind add ROLE --group NAME --reason TEXT`,\nall of them with `gatecamp bind add --all-proposed --snapshot FILE --reason TEXT`.")
	}
	if len(troubles) == 0 {
		return nil
	}
	s.say("\nLook at these roles yourself; nothing is bound or taken away because of them:")
	doubts := list{columns: []string{"role", "role name", "what"}}
	for _, t := range troubles {
		doubts.add(nil, t.Role.String(), t.Name, troubleText(t))
	}
	return printTable(s.out, &doubts)
}

// proposalList is both parts for programs.
func proposalList(proposals []audit.Proposal, troubles []audit.RoleFinding) *list {
	type line struct {
		Role     string `json:"role"`
		RoleName string `json:"role_name"`
		What     string `json:"what"`
		Kind     string `json:"kind,omitempty"`
		Name     string `json:"name"`
	}
	l := list{columns: []string{"role", "role_name", "what", "kind", "name"}}
	add := func(x line) { l.add(x, x.Role, x.RoleName, x.What, x.Kind, x.Name) }
	for _, p := range proposals {
		add(line{p.Role.String(), p.RoleName, "proposal", p.Kind.String(), p.Name})
	}
	for _, t := range troubles {
		add(line{t.Role.String(), t.Name, t.Trouble.String(), "", t.Expects})
	}
	return &l
}

// troubleText says what is wrong with a role.
func troubleText(t audit.RoleFinding) string {
	switch t.Trouble {
	case audit.Twins:
		return "several roles have this name; Auth may use any of them"
	case audit.Vanished:
		if t.Expects == "" {
			return "guarded, and the guild has no such role any more"
		}
		return fmt.Sprintf("bound as %q, and the guild has no such role any more", t.Expects)
	case audit.Renamed:
		return fmt.Sprintf("bound as %q, and not named so", t.Expects)
	case audit.Unnamed:
		return fmt.Sprintf("bound to %q, which Auth no longer has", t.Expects)
	case audit.Resembling:
		return fmt.Sprintf("not managed, and looks like %q", t.Expects)
	case audit.OutOfReach:
		return "managed, and not below gatecamp's own highest role: it cannot be taken away"
	case audit.Fought:
		return "given back to a member each time that it was taken away"
	}
	return t.Trouble.String()
}

// binding is what `bind add` was asked for.
type binding struct {
	role, group, state string
	guarded, proposed  bool
	file               string
}

func (c *console) bindAdd() *cobra.Command {
	var b binding
	var reason string
	cmd := &cobra.Command{
		Use: "add [ROLE]", Short: "say what a role stands for, so that it may be taken away",
		Long: `Binds the role with this id to a group or a state of Auth, under the name that Auth shows. --guarded binds a role that no group of Auth
gives, such as a hand-made Moderator role: then nobody is entitled to it through Auth. --all-proposed takes over everything that
` + "`gatecamp bind propose`" + ` lists.`,
		Example: "  gatecamp bind add 112233445566778899 --group Directors --reason \"checked with the CEO\"\n  gatecamp bind add 112233445566778899 --guarded --reason \"moderators are named by hand\"\n  gatecamp bind add --all-proposed --snapshot guild.json --reason \"went through the list\"",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.RunE = c.change("bind add", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		if b.role = ""; len(args) == 1 {
			b.role = args[0]
		}
		wanted, err := s.wantedBindings(ctx, b)
		if err != nil {
			return err
		}
		return s.bind(ctx, wanted, by)
	})
	flags := cmd.Flags()
	flags.StringVar(&b.group, "group", "", "the `name` of the group in Auth")
	flags.StringVar(&b.state, "state", "", "the `name` of the state in Auth")
	flags.BoolVar(&b.guarded, "guarded", false, "managed, and given by nobody in Auth")
	flags.BoolVar(&b.proposed, "all-proposed", false, "everything that gatecamp bind propose lists")
	flags.StringVar(&b.file, "snapshot", "", guildFile)
	reasonFlag(cmd, &reason)
	cmd.MarkFlagsMutuallyExclusive("group", "state", "guarded", "all-proposed")
	return noted(cmd, noteExits, "3 for --all-proposed without --snapshot where no bot token is set, 4 if Auth cannot be read for it")
}

func (s *session) wantedBindings(ctx context.Context, b binding) ([]storage.Binding, error) {
	if b.proposed {
		if b.role != "" {
			return nil, problem.New(problem.Usage, "--all-proposed takes every proposed role, so no ROLE can be named with it; nothing was changed", "leave out one of them")
		}
		scene, err := s.sceneOf(ctx, b.file)
		if err != nil {
			return nil, err
		}
		var all []storage.Binding
		for _, p := range scene.Proposals() {
			all = append(all, storage.Binding{Guild: s.guild, Role: p.Role, Kind: p.Kind.String(), Name: p.Name, RoleName: p.RoleName})
		}
		return all, nil
	}
	if b.role == "" || b.group == "" && b.state == "" && !b.guarded {
		return nil, problem.New(problem.Usage, "what shall be bound to what? Nothing was changed", "name a role by its id, and one of --group NAME, --state NAME, --guarded; or --all-proposed alone")
	}
	one, err := s.oneBinding(ctx, b)
	return []storage.Binding{one}, err
}

// oneBinding checks the role against the snapshot, if there is one, and the name against Auth, if it can be read.
func (s *session) oneBinding(ctx context.Context, b binding) (one storage.Binding, err error) {
	one = storage.Binding{Guild: s.guild, Kind: storage.BoundGuarded}
	if one.Role, err = parseID("ROLE", b.role); err != nil {
		return one, err
	}
	if one.Role == s.guild {
		return one, problem.New(problem.Usage, "that is @everyone, which every member holds; it can stand for nothing, and nothing was changed", "name another role")
	}
	if b.file != "" {
		if one.RoleName, err = s.roleName(ctx, b.file, one.Role); err != nil {
			return one, err
		}
	}
	kind := audit.ToGroup
	switch {
	case b.group != "":
		one.Kind, one.Name = storage.BoundGroup, b.group
	case b.state != "":
		one.Kind, one.Name, kind = storage.BoundState, b.state, audit.ToState
	default:
		return one, nil
	}
	return one, s.checkName(ctx, kind, one.Name)
}

// roleName is what a role of the snapshot is called now.
func (s *session) roleName(ctx context.Context, file string, role snowflake.ID) (string, error) {
	pic, err := s.picture(ctx, file)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(pic.Guild.Roles, func(r audit.Role) bool { return r.ID == role })
	switch {
	case i < 0:
		return "", problem.New(problem.Usage, fmt.Sprintf("%s shows no role %d; nothing was changed", file, role), "copy the id of the role in Discord")
	case pic.Guild.Roles[i].Managed:
		return "", problem.New(problem.Usage, fmt.Sprintf("Discord itself manages role %d (%s): it belongs to a bot, to boosters or to linked accounts; nothing was changed", role, visible(pic.Guild.Roles[i].Name)), "such roles are never touched, and cannot be bound")
	}
	return pic.Guild.Roles[i].Name, nil
}

// checkName refuses a group or state that Auth does not have; where Auth cannot be asked, that is said.
func (s *session) checkName(ctx context.Context, kind audit.BindingKind, name string) error {
	d, why, err := s.directory(ctx)
	if err != nil {
		return err
	}
	if d == nil {
		s.say("The name %q was not checked, because Auth could not be asked: %s.", visible(name), why)
		return nil
	}
	known := d.Groups
	if kind == audit.ToState {
		known = d.States
	}
	return knownName("Auth has no "+kind.String()+" "+quoted(name), name, known)
}

func (s *session) bind(ctx context.Context, wanted []storage.Binding, by storage.Author) error {
	if len(wanted) == 0 {
		s.say("Every role that carries the name of a group or state is bound already; nothing was changed.")
		return nil
	}
	stored, err := s.db.Bind(ctx, s.guild, wanted, by)
	if errors.Is(err, storage.ErrConflict) {
		return problem.New(problem.Usage, "that is bound already; nothing was changed", "see `gatecamp bind show`").Because(err)
	}
	if err != nil {
		return err
	}
	for _, b := range stored {
		s.say("Role %d%s stands for %s now.", b.Role, bracketed(b.RoleName), visible(boundTo(b.Kind, b.Name)))
	}
	s.say("Members who hold it without a right to it are findings, and may lose it under the policy.")
	return nil
}

func (c *console) bindRemove() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "remove ROLE", Short: "a role stands for nothing any more, and is not taken away",
		Long: `Removes every binding of the role. If it carries the name of a group or state it is proposed again, so it still counts for findings; to have
it left alone altogether, use ` + "`gatecamp exempt add`" + `.`,
		Args: cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("bind remove", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		role, err := parseID("ROLE", args[0])
		if err != nil {
			return err
		}
		gone, err := s.db.Unbind(ctx, s.guild, role, by)
		if errors.Is(err, storage.ErrNotFound) {
			return problem.New(problem.Usage, fmt.Sprintf("role %d is not bound; nothing was changed", role), "see `gatecamp bind show`").Because(err)
		}
		if err != nil {
			return err
		}
		for _, b := range gone {
			s.say("Role %d%s no longer stands for %s.", b.Role, bracketed(b.RoleName), visible(boundTo(b.Kind, b.Name)))
		}
		return nil
	})
	reasonFlag(cmd, &reason)
	return cmd
}
