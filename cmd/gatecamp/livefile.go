package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

// livePicture is the guild as Discord shows it now, in the form of a snapshot: every member, by id and without names.
func (s *session) livePicture(ctx context.Context) (_ *snapshot.File, err error) {
	guild, done, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	p, err := guild.Guild.Picture(ctx)
	if err != nil {
		return nil, err
	}
	if !p.Complete {
		return nil, problem.New(problem.Held, fmt.Sprintf("Discord did not show every member of guild %d (%s); nothing was done", s.guild, p.Doubt), "try again in a minute")
	}
	f := snapshot.New("the guild")
	f.At, f.Guild, f.Members, f.MemberCount = p.At.UTC(), p.Guild, p.Members, len(p.Members)
	for range f.Members {
		f.People.Add(snapshot.Person{})
	}
	return f, nil
}

// liveRoles is the guild with its roles as Discord shows them now, and no members.
func (s *session) liveRoles(ctx context.Context) (_ *snapshot.File, err error) {
	guild, done, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	p, err := guild.Guild.Known(ctx)
	if err != nil {
		return nil, err
	}
	f := snapshot.New("the guild")
	f.At, f.Guild = p.At.UTC(), p.Guild
	return f, nil
}

// takeSnapshot gathers everything that an audit of the guild goes by now.
func (c *console) takeSnapshot(cmd *cobra.Command, args []string) (f *snapshot.File, err error) {
	err = c.work(func(ctx context.Context, s *session, _ []string) error {
		if f, err = s.livePicture(ctx); err != nil {
			return err
		}
		if f.Auth, err = s.authOr(ctx, f); err != nil {
			return err
		}
		return s.fill(ctx, f)
	})(cmd, args)
	return f, err
}

// fill adds what the operator has set: policy, bindings and tables, and since when findings are open.
func (s *session) fill(ctx context.Context, f *snapshot.File) error {
	policy, _, err := s.engine(nil).Policy(ctx, 0)
	if err != nil {
		return err
	}
	bindings, err := s.db.Bindings(ctx, s.guild)
	if err != nil {
		return err
	}
	rows, err := s.db.ExceptionsAt(ctx, s.guild, s.now().UTC())
	if err != nil {
		return err
	}
	f.Policy, f.Bound = policy, true
	for _, b := range bindings {
		f.Bindings = append(f.Bindings, sceneBinding(b))
	}
	for _, x := range rows {
		fillRow(f, x)
	}
	f.Opened = map[snowflake.ID]time.Time{}
	return s.eachOpen(ctx, func(finding storage.Finding) { f.Opened[finding.Subject] = finding.Opened })
}

func fillRow(f *snapshot.File, x storage.Exception) {
	switch x.Table {
	case storage.Exemptions:
		f.Exempt = append(f.Exempt, x.Subject)
	case storage.Protections:
		f.Protected = append(f.Protected, snapshot.Protection{Member: x.Subject, Reason: x.Reason, Until: x.Expires})
	case storage.BotAccounts:
		f.Bots = append(f.Bots, x.Subject)
	case storage.Overrides:
		if act, ok := audit.ParseAct(x.Action); ok {
			f.Overrides = append(f.Overrides, audit.Override{Member: x.Subject, Act: act, Until: x.Expires, SingleUse: x.SingleUse})
		}
	case storage.Identities:
		i := slices.IndexFunc(f.Auth.Accounts, func(a audit.Account) bool { return a.User == x.User })
		if i >= 0 {
			f.Auth.Identities = append(f.Auth.Identities, audit.Identity{Discord: x.Subject, User: x.User, Source: audit.Operator})
		}
	}
}

// eachOpen visits every open finding about a member.
func (s *session) eachOpen(ctx context.Context, visit func(storage.Finding)) error {
	const page = 5_000
	filter := storage.FindingFilter{Page: storage.Page{Limit: page}}
	for {
		list, err := s.db.Findings(ctx, s.guild, filter)
		if err != nil {
			return err
		}
		for _, f := range list {
			if f.SubjectKind == storage.SubjectMember {
				visit(f)
			}
		}
		if len(list) < page {
			return nil
		}
		filter.Page.Before = list[len(list)-1].ID
	}
}
