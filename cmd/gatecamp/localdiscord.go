package main

import (
	"time"

	"github.com/spf13/cobra"

	"gatecamp/discord/discordtest"
	"gatecamp/internal/problem"
)

// localOrder is what `local-discord` was asked for.
type localOrder struct {
	listen, control, world, clock string
	members                       int
	seed                          uint64
}

// mostMadeUp is how many members the local Discord can make up.
const mostMadeUp = 1_000_000

var clocks = []string{"real", "manual"}

func (c *console) localDiscord() *cobra.Command {
	var o localOrder
	cmd := &cobra.Command{
		Use: "local-discord", Short: "serve a made-up Discord on this machine, for trying things out and for tests",
		Long: `Serves one made-up guild as Discord would: REST and gateway for bots of any library, with Discord's rate limits, permissions, audit log
and events, and a control port over which a test or a person with curl acts as people do, looks at what happened, and orders faults.
It listens on this machine only, keeps everything in memory, and forgets it when it is stopped with Ctrl-C.

The first line on standard output is one JSON object that says where everything is and which tokens the bots have; it comes once
everything is ready. The guild comes from --world: the name of a world that is built in, or a txtar file.`,
		Example: `  gatecamp local-discord --world corporation
  gatecamp local-discord --members 250000 --seed 1
  gatecamp local-discord --world my.txtar --clock manual --control 127.0.0.1:4100`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := o.config(cmd.Flags().Changed("members"))
			if err != nil {
				return err
			}
			return discordtest.Serve(cmd.Context(), cfg, c.out)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "`ADDRESS` of REST and gateway; port 0 is a free one")
	flags.StringVar(&o.control, "control", "127.0.0.1:0", "`ADDRESS` of the control port")
	flags.StringVar(&o.world, "world", "empty", "the `WORLD` to start with: one that is built in ("+joinWords(discordtest.WorldNames())+"), or a file")
	flags.IntVar(&o.members, "members", 0, "make up `N` members besides those of the world")
	flags.Uint64Var(&o.seed, "seed", 1, "the `NUMBER` that they are made up from: the same one, the same members")
	flags.StringVar(&o.clock, "clock", clocks[0], "`CLOCK` that rate limits and tokens obey: real, or manual, which stands still until the control port advances it")
	complete(cmd, "clock", clocks...)
	complete(cmd, "world", discordtest.WorldNames()...)
	return noted(cmd, noteJSON, "the first line, always: schema (gatecamp.local-discord/1), api, gateway, control, application_id, bots, guild_ids, webhooks")
}

func (o *localOrder) config(populated bool) (cfg discordtest.Config, err error) {
	if o.members < 0 || o.members > mostMadeUp || populated && o.members == 0 {
		return cfg, problem.Usagef("--members: give a whole number from 1 to %d", mostMadeUp)
	}
	cfg = discordtest.Config{Listen: o.listen, Control: o.control}
	switch o.clock {
	case "real":
	case "manual":
		cfg.Clock = discordtest.NewManualClock(time.Now().UTC())
	default:
		return cfg, problem.Usagef("--clock: %q is none; give real or manual", o.clock)
	}
	if cfg.World, err = discordtest.LoadWorld(o.world); err != nil {
		return cfg, err
	}
	cfg.World.Populate(o.members, o.seed)
	return cfg, nil
}
