package commands

import "slices"

// all lists every slash command, in the order in which Discord is told of them.
func all() []command {
	return slices.Concat([]command{
		auditCommand(), acknowledgeCommand(), explainCommand(), whyCommand(), blockCommand(), policyCommand(),
	}, tableCommands(), []command{
		brakeCommand(), sourceCommand(), pauseCommand(), unpauseCommand(),
	})
}

// menus lists the entries of a member's context menu.
func menus() []menu { return []menu{explainMenu(), blockMenu()} }

// cardKinds are the cards, by the kind under which they are stored.
func cardKinds() map[string]cardKind {
	return map[string]cardKind{
		kindPlan:        planCard(),
		kindAcknowledge: acknowledgeCard(),
		kindPolicy:      policyCard(),
		kindSource:      sourceCard(),
	}
}
