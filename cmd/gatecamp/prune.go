package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"github.com/spf13/cobra"

	"gatecamp/storage"
)

func (c *console) prune() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "prune", Short: "let records go that are older than the retention",
		Long: `Deletes records that are older than GATECAMP_RETENTION_DAYS (180; 0 keeps everything for ever): ended runs with their plans and changes,
closed findings, the trail, attempts and configuration changes. What is open stays, and so does what the lock rests on. The number of
days is stored first, because the database itself refuses to delete anything younger.

Of every guild in the database, unless --guild names one.`,
		Example: "  gatecamp prune --dry-run\n  gatecamp prune",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			s, err := c.open(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.db.Close()) }()
			guilds, err := s.everyGuild(ctx)
			if err != nil {
				return err
			}
			for _, s.guild = range guilds {
				if err := s.pruneGuild(ctx, dry, redactArgs(cmd, args)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count what would go; delete nothing")
	return cmd
}

// everyGuild is the one of --guild, else all that the database knows.
func (s *session) everyGuild(ctx context.Context) ([]snowflake.ID, error) {
	if s.console.guild != "" {
		id, err := parseID("--guild", s.console.guild)
		return []snowflake.ID{id}, err
	}
	guilds, err := s.db.Guilds(ctx)
	if err == nil && len(guilds) == 0 {
		s.say("The database has no records of any guild, so there is nothing to let go.")
	}
	return guilds, err
}

func (s *session) pruneGuild(ctx context.Context, dry bool, args string) error {
	days := s.cfg.RetentionDays
	v := s.invocation("prune", args)
	if !dry {
		by := storage.Author{Actor: s.actor(), Origin: "console", Reason: "GATECAMP_RETENTION_DAYS says so", At: s.now().UTC()}
		if err := s.db.SetSetting(ctx, s.guild, storage.SettingRetentionDays, strconv.Itoa(days), by); err != nil {
			return err
		}
	}
	if days == 0 {
		s.say("Guild %d: everything is kept for ever (GATECAMP_RETENTION_DAYS=0); nothing was deleted.", s.guild)
		return nil
	}
	pruned, err := s.db.Prune(ctx, s.guild, s.now().UTC().Add(-time.Duration(days)*24*time.Hour), dry)
	if err != nil {
		return err
	}
	if err := s.tellPruned(ctx, pruned, dry, days); err != nil || dry {
		return err
	}
	v.Accepted = true
	_, err = s.db.Accept(ctx, v)
	return err
}

func (s *session) tellPruned(ctx context.Context, p storage.Pruned, dry bool, days int) error {
	verb := "deleted"
	if dry {
		verb = "would be deleted"
		stored, err := s.db.Setting(ctx, s.guild, storage.SettingRetentionDays)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if stored == "" {
			stored = strconv.Itoa(storage.DefaultRetentionDays)
		}
		if stored != strconv.Itoa(days) {
			s.say("Guild %d: counted with the stored %s days; `gatecamp prune` stores %d first, so more or less may go.", s.guild, stored, days)
		}
	}
	if p.Before.IsZero() {
		s.say("Guild %d: the stored retention keeps everything for ever; nothing %s.", s.guild, verb)
		return nil
	}
	var total int64
	l := &list{columns: []string{"records", "table"}}
	for _, table := range sortedKeys(p.Rows) {
		if n := p.Rows[table]; n > 0 {
			total += n
			l.add(nil, strconv.FormatInt(n, 10), table)
		}
	}
	if total == 0 {
		s.say("Guild %d: nothing is older than %s EVE time; nothing was deleted.", s.guild, eveTime(p.Before))
		return nil
	}
	s.say("Guild %d: %s from before %s EVE time %s", s.guild, countLong(total, "record", "records"), eveTime(p.Before), verb)
	return printTable(s.out, l)
}

func countLong(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
