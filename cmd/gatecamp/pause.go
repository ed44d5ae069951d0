package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"gatecamp/storage"
)

func (c *console) pause() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "pause", Short: "stop everything that changes Discord, at once",
		Long: `Stops everything that changes Discord in this guild: runs, live events, blocks. Looking goes on, and findings are still kept. A change
that is under way is finished; the next one is held.`,
		Example: `  gatecamp pause --reason "Auth looks wrong, checking"`,
	}
	cmd.RunE = c.change("pause", func(ctx context.Context, s *session, _ []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		p, err := s.db.Pause(ctx, s.guild, by)
		if errors.Is(err, storage.ErrConflict) {
			if p, err = s.db.Paused(ctx, s.guild); err != nil {
				return err
			}
			s.say("Guild %d is paused already, since %s EVE time by %s: %s", s.guild, eveTime(p.At), p.Actor, visible(p.Reason))
			return nil
		}
		if err != nil {
			return err
		}
		s.say("Guild %d is paused: nothing is changed in Discord until `gatecamp unpause --reason TEXT`.", p.Guild)
		return nil
	})
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *console) unpause() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "unpause", Short: "end the pause",
		Long: "Ends the pause. What was held meanwhile waits for its next event or run, and is done only if it is still right. " +
			"Blocked members who are in the guild are looked at at once.",
		Example: `  gatecamp unpause --reason "Auth is fine again"`,
	}
	cmd.RunE = c.change("unpause", func(ctx context.Context, s *session, _ []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		p, err := s.db.Unpause(ctx, s.guild, by)
		if errors.Is(err, storage.ErrNotFound) {
			s.say("Guild %d is not paused.", s.guild)
			return nil
		}
		if err != nil {
			return err
		}
		s.say("Guild %d goes on. It was paused since %s EVE time by %s.", p.Guild, eveTime(p.At), p.Actor)
		return nil
	})
	reasonFlag(cmd, &reason)
	return cmd
}
