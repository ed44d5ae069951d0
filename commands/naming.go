package commands

import (
	"strconv"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/i18n"
)

// memberWords is the one form in which a member is written everywhere: mention, main character, Auth user, Discord id.
func memberWords(p *i18n.Printer, d *audit.Directory, id snowflake.ID) string {
	words := mentionMember(id)
	if d != nil {
		if linked := d.Linked(id); len(linked) > 0 {
			words += " · " + accountWords(p, &d.Accounts[linked[0]])
		}
	}
	return words + " · " + code(id.String())
}

// accountWords is an account of Auth: main character with its ticker, and the user's name and number.
func accountWords(p *i18n.Printer, a *audit.Account) string {
	user := p.T(i18n.WordsUser, i18n.Args{"Name": plain(a.Username), "User": strconv.FormatInt(a.User, 10)})
	if a.Main.Name == "" {
		return user
	}
	main := plain(a.Main.Name)
	switch {
	case a.Main.AllianceTicker() != "":
		main += " " + plain("["+a.Main.AllianceTicker()+"]")
	case a.Main.CorporationTicker() != "":
		main += " " + plain("["+a.Main.CorporationTicker()+"]")
	}
	return "**" + main + "** (" + user + ")"
}

// roleWords is a role as a mention, with its name beside it: a mention of a role that is gone is a bare number.
func roleWords(r audit.Role) string { return mentionRole(r.ID) + " " + quoted(r.Name) }
