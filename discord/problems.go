package discord

import (
	"fmt"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
)

func tooManyRoles(guild snowflake.ID, n int) error {
	return problem.New(problem.Failed, fmt.Sprintf("guild %d has %d roles, more than the %d that can be audited; nothing is judged or changed there", guild, n, audit.MaxRoles),
		"Discord's own limit is 250; delete roles that nobody holds")
}
