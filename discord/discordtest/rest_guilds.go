package discordtest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/disgoorg/snowflake/v2"
)

// The handlers of this file and its neighbours run with mu held.

// guild is the guild of the path, if the bot is in it.
func (c *call) guild() (*guild, error) {
	id, err := c.id("g")
	if err != nil {
		return nil, err
	}
	g := c.guilds[id]
	if g == nil {
		return nil, unknownGuild()
	}
	if g.members.by[c.app.user.id] == nil {
		return nil, missingAccess()
	}
	return g, nil
}

// inGuild makes a handler of one that needs the guild of the path.
func inGuild(do func(*call, *guild) (answer, error)) func(*call) (answer, error) {
	return inGuildWith(0, do)
}

// inGuildWith makes a handler of one that needs the guild of the path, and the bot's permission in it.
func inGuildWith(want Permissions, do func(*call, *guild) (answer, error)) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		g, err := c.guild()
		if err == nil && want != 0 {
			_, err = g.may(c.actor(), want)
		}
		if err != nil {
			return answer{}, err
		}
		return do(c, g)
	}
}

// number reads a query value within bounds.
func (c *call) number(name string, preset, low, high int) (int, error) {
	raw := c.query.Get(name)
	if raw == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(raw)
	switch {
	case err != nil:
		return 0, invalidForm("NUMBER_TYPE_COERCE", "Value \""+raw+"\" is not int.", name)
	case n < low:
		return 0, invalidForm("NUMBER_TYPE_MIN", "int value should be greater than or equal to "+strconv.Itoa(low)+".", name)
	case n > high:
		return 0, invalidForm("NUMBER_TYPE_MAX", "int value should be less than or equal to "+strconv.Itoa(high)+".", name)
	}
	return n, nil
}

// flag reads a query value that says yes or no: libraries write true, True or 1.
func (c *call) flag(name string) bool {
	yes, err := strconv.ParseBool(c.query.Get(name))
	return err == nil && yes
}

// snowflake reads a query value that is an id; 0 if there is none.
func (c *call) snowflake(name string) (snowflake.ID, error) {
	raw := c.query.Get(name)
	if raw == "" {
		return 0, nil
	}
	id, err := snowflake.Parse(raw)
	if err != nil {
		return 0, invalidForm("NUMBER_TYPE_COERCE", "Value \""+raw+"\" is not snowflake.", name)
	}
	return id, nil
}

func getGateway(c *call) (answer, error) { return ok(object{"url": c.GatewayURL()}) }

func getGatewayBot(c *call) (answer, error) {
	now := c.clock.Now()
	left, reset := c.app.sessionsLeft, c.app.sessionsReset.Sub(now).Milliseconds()
	if reset <= 0 {
		left, reset = sessionStarts, 0
	}
	return ok(object{"url": c.GatewayURL(), "shards": c.cfg.Shards, "session_start_limit": object{
		"total": sessionStarts, "remaining": max(left, 0), "reset_after": reset, "max_concurrency": c.cfg.MaxConcurrency,
	}})
}

func getSelf(c *call) (answer, error) {
	u := c.bearer
	if c.app != nil {
		u = c.app.user
	}
	return ok(userObject(u))
}

func getSelfGuilds(c *call) (answer, error) {
	out := []object{}
	for _, g := range c.guildsOf(c.app) {
		self := g.members.by[c.app.user.id]
		out = append(out, object{"id": g.id, "name": g.name, "icon": nil, "banner": nil, "owner": g.owner == self.id, "permissions": g.permissions(self), "features": []string{}})
	}
	return ok(out)
}

func getUser(c *call) (answer, error) {
	id, err := c.id("u")
	if err != nil {
		return answer{}, err
	}
	u := c.users[id]
	if u == nil {
		return answer{}, unknownUser()
	}
	return ok(userObject(u))
}

func getApplication(c *call) (answer, error) { return ok(c.appObject(c.app)) }

func getGuild(c *call) (answer, error) {
	g, err := c.guild()
	if err != nil {
		return answer{}, unknownGuild() // Discord does not tell a guild that one is not in from one that does not exist
	}
	o := g.guildObject()
	if c.flag("with_counts") {
		o["approximate_member_count"], o["approximate_presence_count"] = len(g.members.order), 0
	}
	return ok(o)
}

func patchGuild(c *call, g *guild) (answer, error) {
	var in struct {
		Name *string `json:"name"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if in.Name != nil && *in.Name != g.name {
		change := auditChange{Key: "name", New: *in.Name, Old: g.name}
		g.name = *in.Name
		c.publish(g, entry(c.actor(), g.id, auditGuildUpdate, change), event{name: "GUILD_UPDATE", guild: g, intent: IntentGuilds, data: func() []byte {
			return encode(g.guildObject())
		}})
	}
	return ok(g.guildObject())
}

func getOnboarding(c *call, g *guild) (answer, error) {
	return ok(g.onboarding)
}

func putOnboarding(c *call, g *guild) (answer, error) {
	in := onboarding{Prompts: []json.RawMessage{}, Channels: []string{}}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	in.GuildID = g.id
	g.onboarding = in
	c.publish(g, entry(c.actor(), g.id, auditOnboardingUpdate))
	return ok(in)
}

func getAuditLogs(c *call, g *guild) (answer, error) {
	var q auditQuery
	var err error
	if q.limit, err = c.number("limit", 50, 1, 100); err != nil {
		return answer{}, err
	}
	if q.action, err = c.number("action_type", 0, 0, 1000); err != nil {
		return answer{}, err
	}
	for name, id := range map[string]*snowflake.ID{"user_id": &q.user, "before": &q.before, "after": &q.after} {
		if *id, err = c.snowflake(name); err != nil {
			return answer{}, err
		}
	}
	q.ascending = c.query.Has("after")
	return ok(c.auditObject(c.auditPage(g, q)))
}

func getBans(c *call, g *guild) (answer, error) {
	limit, err := c.number("limit", 1000, 1, 1000)
	if err != nil {
		return answer{}, err
	}
	after, err := c.snowflake("after")
	if err != nil {
		return answer{}, err
	}
	out := []object{}
	for _, id := range sortedKeys(g.bans) {
		if id > after && len(out) < limit {
			out = append(out, g.bans[id].object())
		}
	}
	return ok(out)
}

func (b *ban) object() object {
	var reason any
	if b.reason != "" {
		reason = b.reason
	}
	return object{"user": userObject(b.user), "reason": reason}
}

func getBan(c *call, g *guild) (answer, error) {
	id, err := c.id("u")
	if err != nil {
		return answer{}, err
	}
	if g.bans[id] == nil {
		return answer{}, unknownBan()
	}
	return ok(g.bans[id].object())
}

func putBan(c *call) (answer, error) {
	return c.onUser(func(g *guild, u snowflake.ID) error { return c.banUser(g, c.actor(), u) })
}

func deleteBan(c *call) (answer, error) {
	return c.onUser(func(g *guild, u snowflake.ID) error { return c.unban(g, c.actor(), u) })
}

// onUser does something to the user of the path and answers 204.
func (c *call) onUser(do func(*guild, snowflake.ID) error) (answer, error) {
	g, err := c.guild()
	if err != nil {
		return answer{}, err
	}
	u, err := c.id("u")
	if err != nil {
		return answer{}, err
	}
	if err := do(g, u); err != nil {
		return answer{}, err
	}
	return noContent()
}

const bulkBanLimit = 200

func postBulkBan(c *call, g *guild) (answer, error) {
	var in struct {
		UserIDs []LooseID `json:"user_ids"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if n := len(in.UserIDs); n < 1 || n > bulkBanLimit {
		return answer{}, invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 200 in length.", "user_ids")
	}
	banned, failed := []snowflake.ID{}, []snowflake.ID{}
	for _, loose := range in.UserIDs {
		id := snowflake.ID(loose)
		if c.banUser(g, c.actor(), id) == nil {
			banned = append(banned, id)
		} else {
			failed = append(failed, id)
		}
	}
	if len(banned) == 0 {
		return answer{}, badRequest(500000, "Failed to ban users")
	}
	return ok(object{"banned_users": banned, "failed_users": failed})
}

func getChannels(c *call, g *guild) (answer, error) {
	return ok(append([]*Channel{}, g.channels...))
}

func postChannel(c *call, g *guild) (answer, error) {
	var in Channel
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	ch, err := c.addChannel(g, c.actor(), in)
	if err != nil {
		return answer{}, err
	}
	return created(ch)
}

func getGuildWebhooks(c *call, g *guild) (answer, error) {
	out := []json.RawMessage{}
	for _, id := range sortedKeys(c.webhooks) {
		if w := c.webhooks[id]; w.channel.guild == g {
			out = append(out, encode(c.webhookObject(w)))
		}
	}
	return answer{http.StatusOK, out}, nil
}
