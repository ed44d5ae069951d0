package main

import "github.com/spf13/cobra"

// commands is the whole console, in the order in which `gatecamp --help` shows it.
func (c *console) commands() []*cobra.Command {
	all := []*cobra.Command{
		c.demo(), c.serve(), c.localDiscord(), c.bench(), c.audit(), c.plan(), c.trail(), c.pause(), c.unpause(), c.prune(),
		c.policyCommands(), c.bindCommands(), c.sourceCommands(), c.brakeCommands(), c.blockCommands(), c.rulesCommands(), c.enforcementCommands(),
	}
	all = append(all, c.tableCommands()...)
	return append(all, c.grantCommands(), c.snapshotCommand(), c.migrateCommand(), c.healthCommand(), c.configCommands(), c.eraseCommand())
}
