package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/discord/discordtest"
	"gatecamp/storage"
)

// More people of the world "corporation".
const (
	lira snowflake.ID = 1003
	pera snowflake.ID = 1005
	oren snowflake.ID = 1006

	roleMiner     snowflake.ID = 2003
	roleCommander snowflake.ID = 2004
	roleDirector  snowflake.ID = 2005
)

// corporation makes the engine see the very guild that the local Discord shows, and the Alliance Auth that goes with it: pera is a
// guest there and keeps the roles of a fleet commander, quill is a stranger whom somebody made a director.
func corporation(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.behold(corporationFile)
	manages := discordtest.Permissions(audit.ManageGuild | audit.ManageRoles)
	for _, role := range []snowflake.ID{roleMiner, roleCommander} { // whoever holds one sees the commands of operators
		_, err := r.s.EditRole(guildID, role, dara, discordtest.RoleEdit{Permissions: &manages})
		r.must(err)
	}
	return r
}

// behold shows the engine another world.
func (r *rig) behold(text string) {
	r.t.Helper()
	file, err := snapshot.Parse(strings.NewReader(text), "corporation")
	r.must(err)
	r.guild.pic.Guild, r.guild.pic.Members, r.guild.pic.At = file.Guild, file.Members, r.now()
	r.guild.mu.Lock()
	defer r.guild.mu.Unlock()
	r.guild.auth = file.Auth
}

var corporationFile = fmt.Sprintf(`{"guild":{"id":"%d","owner_id":"1001","bot_user_id":"42","bot_top_position":50,"name":"Dusk Runners"},
	"guild_roles":[{"id":"%d","name":"@everyone"},{"id":"2001","name":"Member","position":1},{"id":"2002","name":"Guest","position":2},
		{"id":"2003","name":"Miners","position":3},{"id":"2004","name":"Fleet Commanders","position":4},
		{"id":"2005","name":"Directors","position":5,"permissions":"268435488"}],
	"guild_members":[[
		{"user":{"id":"1001","username":"Dara Asche"},"roles":["2001","2005"],"joined_at":"2021-04-02T18:00:00Z"},
		{"user":{"id":"1002","username":"Kael Brandt"},"roles":["2001","2004"],"joined_at":"2021-05-11T18:00:00Z"},
		{"user":{"id":"1003","username":"Lira Corvo"},"roles":["2001","2003"],"joined_at":"2022-01-20T18:00:00Z"},
		{"user":{"id":"1004","username":"Mako Ember"},"roles":["2001","2003"],"joined_at":"2022-02-01T18:00:00Z"},
		{"user":{"id":"1005","username":"Pera Nightfall"},"roles":["2001","2004"],"joined_at":"2022-09-30T18:00:00Z"},
		{"user":{"id":"1006","username":"Oren Frost"},"roles":["2002"],"joined_at":"2024-03-17T18:00:00Z"},
		{"user":{"id":"1007","username":"Quill"},"roles":["2005"],"joined_at":"2024-06-05T18:00:00Z"}]],
	"aa":{"states":["Member","Guest"],"groups":["Directors","Fleet Commanders","Miners"],"access":{"states":["Member","Guest"]},"users":[
		{"id":1,"username":"dara","superuser":true,"state":"Member","groups":["Directors"],"main":"Dara Asche","discord_uid":"1001"},
		{"id":2,"username":"kael","state":"Member","groups":["Fleet Commanders"],"main":"Kael Brandt","discord_uid":"1002"},
		{"id":3,"username":"lira","state":"Member","groups":["Miners"],"main":"Lira Corvo","discord_uid":"1003"},
		{"id":4,"username":"mako","state":"Member","groups":["Miners"],"main":"Mako Ember","discord_uid":"1004"},
		{"id":5,"username":"pera","state":"Guest","groups":[],"main":"Pera Nightfall","discord_uid":"1005"},
		{"id":6,"username":"oren","state":"Guest","groups":[],"main":"Oren Frost","discord_uid":"1006"}]}}`, guildID, guildID)

// bound binds all roles of the corporation.
func (r *rig) bound() {
	r.t.Helper()
	_, err := r.db.Bind(r.t.Context(), guildID, []storage.Binding{
		{Role: 2001, Kind: storage.BoundState, Name: "Member", RoleName: "Member"},
		{Role: 2002, Kind: storage.BoundState, Name: "Guest", RoleName: "Guest"},
		{Role: 2003, Kind: storage.BoundGroup, Name: "Miners", RoleName: "Miners"},
		{Role: 2004, Kind: storage.BoundGroup, Name: "Fleet Commanders", RoleName: "Fleet Commanders"},
		{Role: 2005, Kind: storage.BoundGroup, Name: "Directors", RoleName: "Directors"},
	}, r.author())
	r.must(err)
}

// menu chooses an entry of a member's context menu.
func (r *rig) menu(user, target snowflake.ID, locale, name string) shown {
	r.t.Helper()
	return r.see(r.s.Menu(r.t.Context(), guildID, discordtest.MenuCall{User: discordtest.LooseID(user), Target: discordtest.LooseID(target), Locale: locale, Name: name}))
}

// wantNot fails if the text holds any of the parts.
func wantNot(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(text, p) {
			t.Errorf("%q is in:\n%s", p, text)
		}
	}
}

// accepted lists the commands that were let through and recorded.
func (r *rig) accepted() (commands []string) {
	r.t.Helper()
	all, err := r.db.Invocations(r.t.Context(), guildID, storage.InvocationFilter{})
	r.must(err)
	for _, v := range all {
		if v.Accepted {
			commands = append(commands, v.Command)
		}
	}
	return commands
}

// refused lists the codes of what was refused and recorded.
func (r *rig) refused() (codes []string) {
	r.t.Helper()
	all, err := r.db.Invocations(r.t.Context(), guildID, storage.InvocationFilter{Refused: true})
	r.must(err)
	for _, v := range all {
		codes = append(codes, v.Refusal)
	}
	return codes
}

// explanations may be read by kael.
func explainer(t *testing.T) *rig {
	t.Helper()
	r := corporation(t)
	r.bound()
	r.grant(kael, audit.RightViewRuns)
	return r
}
