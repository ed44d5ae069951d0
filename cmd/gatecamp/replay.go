package main

import (
	"github.com/spf13/cobra"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
)

func (c *console) auditReplay() *cobra.Command {
	var asJSON, gates bool
	cmd := &cobra.Command{
		Use: "replay FILE…", Short: "work out every verdict of snapshot files again; needs nothing, stores nothing",
		Long: `Reads snapshot files (gatecamp.snapshot/1; the fixtures of aa-discord-audit are such files too) and says what gatecamp concludes about
every member: category, action, the layer that decided, and what would be asked of Discord. It needs no database, no Auth, no Discord and
no settings, and it leaves nothing behind.

It decides as if a first report had been acknowledged, nothing were paused and the run confirmed; --gates decides as a fresh
installation would, with the first-run lock on. The policy, the operator's tables and the bindings are those of the file.

All files are read before anything is printed: if one of them does not fit, its place is said and nothing else.`,
		Example: `  gatecamp audit replay guild.json
  gatecamp audit replay --json january.json february.json | jq .summary`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, paths []string) error {
			files := make([]*snapshot.File, len(paths))
			for i, path := range paths {
				var err error
				if files[i], err = readSnapshot(path); err != nil {
					return err
				}
			}
			for i, file := range files {
				answer := snapshot.Replay(file, audit.Gates{Locked: gates})
				write := answer.WriteText
				if asJSON {
					write = answer.WriteJSON
				} else if i > 0 {
					c.say("")
				}
				if err := write(c.out); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each file, on one line (gatecamp.replay/1)")
	cmd.Flags().BoolVar(&gates, "gates", false, "decide as a fresh installation, with the first-run lock on")
	return noted(cmd, noteJSON, "one object a file: gatecamp.replay/1 of the snapshot reference")
}
