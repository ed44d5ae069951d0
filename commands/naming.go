package commands

import (
	"strconv"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/i18n"
)

// inAuth is somebody as they are named everywhere, with what Auth says about them.
func inAuth(d *audit.Directory, id snowflake.ID, names map[snowflake.ID]Person) string {
	p := names[id]
	if d != nil {
		if linked := d.Linked(id); len(linked) > 0 {
			a := &d.Accounts[linked[0]]
			p.Main, p.User = withTicker(a), a.Username
		}
	}
	return who(id, map[snowflake.ID]Person{id: p})
}

// withTicker is an account's main character, with the ticker of its alliance, else of its corporation; empty: there is none.
func withTicker(a *audit.Account) string {
	switch {
	case a.Main.Name == "":
		return ""
	case a.Main.AllianceTicker() != "":
		return a.Main.Name + " [" + a.Main.AllianceTicker() + "]"
	case a.Main.CorporationTicker() != "":
		return a.Main.Name + " [" + a.Main.CorporationTicker() + "]"
	}
	return a.Main.Name
}

// accountWords is an account of Auth: main character with its ticker, and the user's name and number.
func accountWords(p *i18n.Printer, a *audit.Account) string {
	user := p.T(i18n.WordsUser, i18n.Args{"Name": plain(a.Username), "User": strconv.FormatInt(a.User, 10)})
	if a.Main.Name == "" {
		return user
	}
	return "**" + plain(withTicker(a)) + "** (" + user + ")"
}

// roleWords is a role as a mention, with its name beside it: a mention of a role that is gone is a bare number.
func roleWords(r audit.Role) string { return mentionRole(r.ID) + " " + quoted(r.Name) }
