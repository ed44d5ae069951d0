package main

import "github.com/spf13/cobra"

// commands is the whole console, in the order in which `gatecamp --help` shows it.
func (c *console) commands() []*cobra.Command {
	return []*cobra.Command{
		c.audit(),
		c.plan(),
		c.trail(),
		c.pause(),
		c.unpause(),
		c.prune(),
	}
}
