package commands

// all lists every slash command, in the order in which Discord is told of them.
func all() []command {
	return []command{
		auditCommand(),
	}
}

// menus lists the entries of a member's context menu.
func menus() []menu { return nil }

// cardKinds are the cards, by the kind under which they are stored.
func cardKinds() map[string]cardKind {
	return map[string]cardKind{
		kindPlan: planCard(),
	}
}
