package discordtest

import "strings"

// touch says what a route has to do with members, for the faults that concern them.
type touch int

const (
	nothing touch = iota
	reads
	writes
	others // bans and roles
)

// route is one method and path of the API.
type route struct {
	method   string
	template string // e.g. /guilds/{g}/members/{u}; "" for a path that Discord does not know
	parts    []string
	auth     bool // needs a bot token
	oauth    bool // or a person's
	free     bool // not under the global limit
	bucket   *bucket
	members  touch
	do       func(*call) (answer, error) // nil: the method is not allowed here
}

type routeTable struct{ routes []*route }

// find is the route and its path values. Literal parts win over names, since they come first in the table.
func (t *routeTable) find(method, path string) (*route, map[string]string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	other := &route{}
	for _, r := range t.routes {
		values, fits := r.match(parts)
		switch {
		case !fits:
		case r.method == method:
			return r, values
		default:
			other = &route{template: r.template, parts: r.parts}
		}
	}
	return other, nil
}

func (r *route) match(parts []string) (map[string]string, bool) {
	if len(parts) != len(r.parts) {
		return nil, false
	}
	values := map[string]string{}
	for i, p := range r.parts {
		if name, isName := strings.CutPrefix(p, "{"); isName {
			values[strings.TrimSuffix(name, "}")] = parts[i]
		} else if p != parts[i] {
			return nil, false
		}
	}
	return values, true
}

// maskPath is the path without the credentials in it, whether the route is known or not.
func maskPath(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) > 3 && (parts[1] == "webhooks" || parts[1] == "interactions") {
		parts[3] = "***"
	}
	return strings.Join(parts, "/")
}

// restRoutes is the table of the API (reference/discord.md 4.1, and what its neighbours need).
func restRoutes() *routeTable {
	t := &routeTable{}
	add := func(method, template string, do func(*call) (answer, error)) *route {
		r := &route{method: method, template: template, parts: strings.Split(template[1:], "/"), auth: true, do: do}
		t.routes = append(t.routes, r)
		return r
	}
	generalRoutes(add)
	guildRoutes(add)
	memberRoutes(add)
	roleRoutes(add)
	channelRoutes(add)
	commandRoutes(add)
	webhookRoutes(add)
	return t
}

type adder = func(method, template string, do func(*call) (answer, error)) *route

func generalRoutes(add adder) {
	add("GET", "/gateway", getGateway).auth = false
	add("GET", "/gateway/bot", getGatewayBot)
	add("GET", "/users/@me", getSelf).oauth = true
	add("GET", "/users/@me/guilds", getSelfGuilds)
	add("POST", "/users/@me/channels", postDM)
	add("GET", "/users/{u}", getUser)
	add("GET", "/applications/@me", getApplication)
	add("GET", "/oauth2/applications/@me", getApplication)
}

func guildRoutes(add adder) {
	add("GET", "/guilds/{g}", getGuild)
	add("PATCH", "/guilds/{g}", inGuildWith(ManageGuild, patchGuild))
	add("GET", "/guilds/{g}/onboarding", inGuild(getOnboarding)).bucket = bucketOnboarding()
	add("PUT", "/guilds/{g}/onboarding", inGuildWith(ManageGuild|ManageRoles, putOnboarding))
	add("GET", "/guilds/{g}/audit-logs", inGuildWith(ViewAuditLog, getAuditLogs))
	add("GET", "/guilds/{g}/channels", inGuild(getChannels))
	add("POST", "/guilds/{g}/channels", inGuildWith(ManageChannels, postChannel))
	add("GET", "/guilds/{g}/webhooks", inGuildWith(ManageWebhooks, getGuildWebhooks))
	add("GET", "/guilds/{g}/bans", inGuildWith(BanMembers, getBans))
	r := add("POST", "/guilds/{g}/bulk-ban", inGuildWith(BanMembers|ManageGuild, postBulkBan))
	r.bucket, r.members = bucketBulkBan(), others
	add("GET", "/guilds/{g}/bans/{u}", inGuildWith(BanMembers, getBan))
	add("PUT", "/guilds/{g}/bans/{u}", putBan).members = others
	add("DELETE", "/guilds/{g}/bans/{u}", deleteBan).members = others
}

func memberRoutes(add adder) {
	with := func(r *route, b *bucket, m touch) { r.bucket, r.members = b, m }
	with(add("GET", "/guilds/{g}/members", inGuild(getMembers)), bucketMemberList(), reads)
	with(add("GET", "/guilds/{g}/members/search", inGuild(getMembersSearch)), bucketMemberFind(), reads)
	with(add("PATCH", "/guilds/{g}/members/@me", inGuild(patchSelf)), bucketMemberPatch(), nothing)
	with(add("GET", "/guilds/{g}/members/{u}", getMember), bucketMemberGet(), reads)
	with(add("PUT", "/guilds/{g}/members/{u}", inGuild(putMember)), nil, nothing)
	with(add("PATCH", "/guilds/{g}/members/{u}", patchMember), bucketMemberPatch(), writes)
	with(add("DELETE", "/guilds/{g}/members/{u}", deleteMember), bucketMemberKick(), writes)
	with(add("PUT", "/guilds/{g}/members/{u}/roles/{r}", putMemberRole), bucketMemberRoles(), writes)
	with(add("DELETE", "/guilds/{g}/members/{u}/roles/{r}", deleteMemberRole), bucketMemberRoles(), writes)
}

func roleRoutes(add adder) {
	add("GET", "/guilds/{g}/roles", inGuild(getRoles))
	add("POST", "/guilds/{g}/roles", inGuild(postRole))
	add("PATCH", "/guilds/{g}/roles", inGuild(patchRolePositions))
	add("GET", "/guilds/{g}/roles/member-counts", inGuild(getRoleCounts))
	add("GET", "/guilds/{g}/roles/{r}", inGuild(getRole))
	add("PATCH", "/guilds/{g}/roles/{r}", inGuild(patchRole)).members = others
	add("DELETE", "/guilds/{g}/roles/{r}", inGuild(deleteRole)).members = others
}

func channelRoutes(add adder) {
	add("GET", "/channels/{c}", getChannel)
	add("PUT", "/channels/{c}/permissions/{o}", inChannel(ManageRoles, putOverwrite))
	add("DELETE", "/channels/{c}/permissions/{o}", inChannel(ManageRoles, deleteOverwrite))
	add("GET", "/channels/{c}/webhooks", getChannelWebhooks)
	add("POST", "/channels/{c}/webhooks", postWebhook)
	add("GET", "/channels/{c}/messages", inChannel(ReadMessageHistory, getMessages))
	add("POST", "/channels/{c}/messages", inChannel(SendMessages, postMessage)).bucket = bucketPost()
	add("GET", "/channels/{c}/messages/{m}", getMessage)
	add("PATCH", "/channels/{c}/messages/{m}", patchMessage).bucket = bucketEdit()
	add("DELETE", "/channels/{c}/messages/{m}", deleteMessage)
	add("POST", "/channels/{c}/typing", postTyping)
}

func commandRoutes(add adder) {
	for _, base := range []string{"/applications/{a}/commands", "/applications/{a}/guilds/{g}/commands"} {
		add("GET", base, getCommands)
		add("PUT", base, putCommands).bucket = bucketCommands()
		add("POST", base, postCommand)
		add("GET", base+"/permissions", getCommandPermissions)
		add("GET", base+"/{cmd}", getCommand)
		add("PATCH", base+"/{cmd}", patchCommand)
		add("DELETE", base+"/{cmd}", deleteCommand)
		add("GET", base+"/{cmd}/permissions", getOneCommandPermissions)
	}
}

func webhookRoutes(add adder) {
	open := func(method, template string, do func(*call) (answer, error)) *route {
		r := add(method, template, do)
		r.auth, r.free = false, true
		return r
	}
	open("POST", "/interactions/{id}/{token}/callback", postCallback)
	add("GET", "/webhooks/{id}", getWebhookByID)
	open("GET", "/webhooks/{id}/{token}", getWebhook)
	open("POST", "/webhooks/{id}/{token}", postWebhookMessage).bucket = bucketWebhook()
	for _, m := range []string{"/webhooks/{id}/{token}/messages/@original", "/webhooks/{id}/{token}/messages/{m}"} {
		open("GET", m, getWebhookMessage).bucket = bucketWebhook()
		open("PATCH", m, patchWebhookMessage).bucket = bucketWebhook()
		open("DELETE", m, deleteWebhookMessage).bucket = bucketWebhook()
	}
}
