package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) grantCommands() *cobra.Command {
	return family("grant", "who may do what, besides what Auth itself says", c.grantAdd(), c.grantRemove(), c.grantList())
}

// rightText says what a right lets its holder do.
func rightText(r audit.Right) string {
	switch r {
	case audit.RightRun:
		return "order a report; follow, cancel, resume and abandon runs"
	case audit.RightAcknowledge:
		return "release the first-run lock"
	case audit.RightViewRuns:
		return "read runs, their findings, and why a member got their verdict"
	case audit.RightViewFindings:
		return "read findings"
	case audit.RightViewInvocations:
		return "read who tried to do what"
	case audit.RightViewChanges:
		return "read who changed what gatecamp goes by"
	case audit.RightManageExemptions:
		return "exempt roles"
	case audit.RightManageProtected:
		return "protect members"
	case audit.RightManageBots:
		return "name bot accounts"
	case audit.RightManageOverrides:
		return "decide about one member instead of the policy"
	case audit.RightManageIdentities:
		return "say which account belongs to which Auth user"
	case audit.RightApply:
		return "take roles away: acting runs, stored plans"
	case audit.RightRemove:
		return "remove members from the guild, besides gatecamp.apply"
	case audit.RightOnce:
		return "let one plan through the brakes once"
	case audit.RightBrake:
		return "reset a brake that tripped"
	case audit.RightSource:
		return "accept what Auth looks like; thresholds of its health"
	case audit.RightPolicy:
		return "change the policy"
	case audit.RightBind:
		return "say which role stands for what"
	case audit.RightPause:
		return "stop everything that changes Discord, and let it go on"
	case audit.RightGrant:
		return "give and take rights"
	case audit.RightBlock:
		return "keep people out of one server, and let them in again"
	case audit.RightBlockGlobal:
		return "keep people out of every server, besides gatecamp.block"
	}
	return ""
}

func rightsTable() string {
	var b strings.Builder
	for _, r := range audit.Rights() {
		fmt.Fprintf(&b, "\n  %-42s  %s", r, rightText(r))
	}
	return b.String()
}

func (c *console) grantAdd() *cobra.Command {
	var to, reason, expires string
	cmd := &cobra.Command{
		Use: "add RIGHT --to KIND:NAME", Short: "give a right to a Discord account, or to a user, group or state of Auth",
		Long: `KIND:NAME is discord:ID (one Discord account), user:NAME, group:NAME or state:NAME (as Auth calls them), or role:ID (whoever holds a Discord
role). A Discord role gets rights to read only, because every moderator can hand a role out. Rights that come from Auth need one active
Auth user behind the Discord account: an account that is linked to several has none.

Whoever sits at the console needs no right: they hold token and database anyway.

The rights:
` + rightsTable(),
		Example: "  gatecamp grant add aa_discord_audit.run_audit --to group:Directors --reason \"they look after the guild\"\n  gatecamp grant add gatecamp.pause --to discord:112233445566778899 --expires 14d --reason \"on duty while we move\"",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("grant add", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		g, err := s.wantedGrant(ctx, args[0], to, expires)
		if err != nil {
			return err
		}
		stored, err := s.db.AddGrant(ctx, g, by)
		if errors.Is(err, storage.ErrConflict) {
			return problem.New(problem.Usage, fmt.Sprintf("a grant of %s to %s:%s exists already; nothing was changed", g.Right, g.SubjectKind, visible(g.Subject)), "see `gatecamp grant list`; one that has expired is removed first").Because(err)
		}
		if err != nil {
			return err
		}
		s.say("%s:%s may %s%s (%s, grant %d).", stored.SubjectKind, visible(stored.Subject), rightText(mustRight(stored.Right)), until(stored.Expires), stored.Right, stored.ID)
		return nil
	})
	cmd.Flags().StringVar(&to, "to", "", "who gets it: `KIND:NAME`, see above (required)")
	cmd.Flags().StringVar(&expires, "expires", "", "when it ends by itself: a `TIME` such as 2026-12-31T18:00:00Z, or how long from now: 72h, 7d")
	reasonFlag(cmd, &reason)
	return cmd
}

// mustRight is a right that was parsed before.
func mustRight(name string) audit.Right {
	r, _ := audit.ParseRight(name)
	return r
}

// wantedGrant reads and checks what `add` was asked for.
func (s *session) wantedGrant(ctx context.Context, name, to, expires string) (g storage.Grant, err error) {
	right, err := parseRight(name)
	if err != nil {
		return g, err
	}
	word, subject, found := strings.Cut(to, ":")
	kind, ok := audit.ParseGranteeKind(word)
	if !ok || !found || strings.TrimSpace(subject) == "" {
		return g, problem.New(problem.Usage, fmt.Sprintf("--to: %s says not who; nothing was changed", quoted(to)), "give discord:ID, user:NAME, group:NAME, state:NAME or role:ID")
	}
	g = storage.Grant{Guild: s.guild, Right: right.String(), SubjectKind: kind.String(), Subject: subject}
	if g.Expires, err = s.parseEnd(expires); err != nil {
		return g, err
	}
	switch kind {
	case audit.ToDiscord, audit.ToRole:
		id, err := parseID("--to "+kind.String(), subject)
		if err != nil {
			return g, err
		}
		if g.Subject = id.String(); kind == audit.ToRole && !right.Reads() {
			return g, problem.New(problem.Usage, fmt.Sprintf("%s lets its holder do more than read, and a Discord role can be handed out by every moderator; nothing was changed", right),
				"give it to discord:ID, user:NAME, group:NAME or state:NAME")
		}
	case audit.ToUser, audit.ToAuthGroup, audit.ToAuthState:
		return g, s.checkGrantee(ctx, kind, subject)
	}
	return g, nil
}

// parseRight reads a right's name; of an unknown one it says which was probably meant.
func parseRight(name string) (audit.Right, error) {
	if r, ok := audit.ParseRight(name); ok {
		return r, nil
	}
	cure := "see `gatecamp grant add --help`"
	var names []string
	for _, r := range audit.Rights() {
		names = append(names, r.String())
		if _, short, _ := strings.Cut(r.String(), "."); short == name {
			return 0, problem.New(problem.Usage, fmt.Sprintf("there is no right %s; nothing was changed", quoted(name)), "write it with its app: "+r.String())
		}
	}
	if strings.HasSuffix(name, "run_audit_destructive") {
		cure = "here taking roles away is gatecamp.apply, and removing members gatecamp.remove besides"
	} else if near := nearest(name, names); near != "" {
		cure = "did you mean " + near + "? " + sentence(cure)
	}
	return 0, problem.New(problem.Usage, fmt.Sprintf("there is no right %s; nothing was changed", quoted(name)), cure)
}

// checkGrantee refuses a user, group or state that Auth does not have; where Auth cannot be asked, that is said.
func (s *session) checkGrantee(ctx context.Context, kind audit.GranteeKind, name string) error {
	d, why, err := s.directory(ctx)
	if err != nil {
		return err
	}
	if d == nil {
		s.say("The name %s was not checked, because Auth could not be asked: %s.", quoted(name), why)
		return nil
	}
	names := d.Groups
	if kind == audit.ToAuthState {
		names = d.States
	}
	if kind == audit.ToUser {
		names = nil
		for i := range d.Accounts {
			names = append(names, d.Accounts[i].Username)
		}
	}
	return knownName("Auth has no "+kind.String()+" "+quoted(name), name, names)
}

func (c *console) grantRemove() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "remove GRANT", Short: "take a right away; GRANT is the number that grant list shows",
		Example: "  gatecamp grant remove 7 --reason \"left the staff\"", Args: cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("grant remove", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		id, err := parseNumber("GRANT", args[0])
		if err != nil {
			return err
		}
		g, err := s.db.RemoveGrant(ctx, s.guild, id, by)
		if errors.Is(err, storage.ErrNotFound) {
			return problem.New(problem.Usage, fmt.Sprintf("there is no grant %d in this guild; nothing was changed", id), "see `gatecamp grant list`").Because(err)
		}
		if err != nil {
			return err
		}
		s.say("%s:%s no longer has the right %s by grant %d. What Auth itself gives them stays.", g.SubjectKind, visible(g.Subject), g.Right, g.ID)
		return nil
	})
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *console) grantList() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "list", Short: "list who was given which right, by whom and why",
		Long: "Lists grants only. Rights that Auth's own permissions give, and those of GATECAMP_OPERATORS and of Auth's superusers, are not in it.",
		Args: cobra.NoArgs,
	}
	cmd.RunE = c.work(func(ctx context.Context, s *session, _ []string) error {
		all, err := s.db.Grants(ctx, s.guild)
		if err != nil {
			return err
		}
		l := list{columns: []string{"grant", "right", "to", "expires", "actor", "at", "reason"}, empty: "Nobody was given a right here."}
		for _, g := range all {
			ends := orNever(g.Expires)
			inForce := audit.InForce(s.now(), g.Expires, false)
			if !inForce {
				ends += " (expired)"
			}
			to := g.SubjectKind + ":" + g.Subject
			l.add(struct {
				ID      int64  `json:"id"`
				Right   string `json:"right"`
				To      string `json:"to"`
				Actor   string `json:"actor"`
				Reason  string `json:"reason"`
				At      any    `json:"at"`
				Expires any    `json:"expires"`
				InForce bool   `json:"in_force"`
			}{g.ID, g.Right, to, g.Actor, g.Reason, reconcile.LineTime(g.At), reconcile.LineTime(g.Expires), inForce},
				strconv.FormatInt(g.ID, 10), g.Right, to, ends, g.Actor, eveTime(g.At), g.Reason)
		}
		return f.print(s.out, &l)
	})
	f.flags(cmd)
	return noted(cmd, noteJSON, `one line a grant: {"id", "right", "to": "group:Directors", "actor", "reason", "at", "expires": time|null, "in_force"}`)
}
