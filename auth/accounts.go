package auth

import (
	"bufio"
	"encoding/json"
	"io"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// accountLine is one account of `gatecamp source accounts --json`. Discord ids are strings: JSON's numbers end at 2⁵³ in many readers.
type accountLine struct {
	User        int64     `json:"user_id"`
	Username    string    `json:"username"`
	DiscordIDs  []string  `json:"discord_ids"`
	Active      bool      `json:"active"`
	Superuser   bool      `json:"superuser"`
	Access      bool      `json:"access"`
	Permissions []string  `json:"permissions"`
	State       *string   `json:"state"` // null: the user has no profile
	Groups      []string  `json:"groups"`
	Roles       []string  `json:"roles"`
	Main        *mainLine `json:"main"`
}

type mainLine struct {
	Name              string `json:"name"`
	CorporationTicker string `json:"corporation_ticker"`
	AllianceTicker    string `json:"alliance_ticker"`
}

// WriteAccounts writes what Auth says, one JSON object per account and line, by user id. Lists are sorted by byte, never null.
func WriteAccounts(w io.Writer, d *audit.Directory) (err error) {
	defer wrap.Err(&err, "auth.WriteAccounts")
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for i := range d.Accounts {
		if err := lines.Encode(lineOf(d, &d.Accounts[i])); err != nil {
			return err
		}
	}
	return out.Flush()
}

func lineOf(d *audit.Directory, a *audit.Account) accountLine {
	line := accountLine{
		User: a.User, Username: a.Username, DiscordIDs: []string{}, Active: a.Active, Superuser: a.Superuser, Access: a.Access,
		Permissions: listOf(d.HeldBy(a)), Groups: make([]string, len(a.Groups)), Roles: listOf(d.RoleNames(a)),
	}
	if a.Discord != 0 {
		line.DiscordIDs = append(line.DiscordIDs, a.Discord.String())
	}
	if a.State >= 0 {
		state := d.StateName(a)
		line.State = &state
	}
	for i, g := range a.Groups {
		line.Groups[i] = d.Groups[g]
	}
	if a.Main.Name != "" {
		line.Main = &mainLine{Name: a.Main.Name, CorporationTicker: a.Main.CorporationTicker(), AllianceTicker: a.Main.AllianceTicker()}
	}
	return line
}

func listOf(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
