package main

import "github.com/spf13/cobra"

// audit is the family of everything that looks at the guild and at what was found.
func (c *console) audit() *cobra.Command {
	return family(
		"audit", "look at the guild, explain verdicts, and see what was found",
		c.auditRun(), c.auditReplay(), c.auditExplain(), c.auditFindings(), c.auditReview(), c.auditHistory(), c.auditDiff(), c.auditPreview(),
		c.auditAcknowledge(), c.auditResume(), c.auditCancel(), c.auditAbandon(),
	)
}
