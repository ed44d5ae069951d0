package audit

import (
	"cmp"

	"github.com/disgoorg/snowflake/v2"
)

func compareIDs(a, b snowflake.ID) int { return cmp.Compare(a, b) }

func compareProposals(a, b Proposal) int {
	return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Binding.Name, b.Binding.Name))
}

func compareRoleFindings(a, b RoleFinding) int {
	return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Trouble, b.Trouble), cmp.Compare(a.Expects, b.Expects))
}

func compareActions(a, b Action) int {
	return cmp.Or(cmp.Compare(a.Member, b.Member), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Role, b.Role))
}

func compareHolds(a, b Hold) int {
	return cmp.Or(cmp.Compare(a.By.Dimension, b.By.Dimension), cmp.Compare(a.By.Role, b.By.Role), cmp.Compare(a.Window, b.Window))
}
