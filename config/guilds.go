package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"golang.org/x/text/language"

	"gatecamp/enforcement"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

// mostAppeal is how long the words may be that tell whom to ask; they stand in an answer with others.
const mostAppeal = 500

// guildKeys are what an entry of the guilds file may hold.
const guildKeys = "id, admin_channel_id, webhook_url_file, schedule, locale, enforcement, appeal"

// readGuilds reads the guilds file, if one is named. Its guilds take the place of GATECAMP_GUILD_IDS.
func (l *loader) readGuilds() {
	c := &l.config
	if c.GuildsFile == "" {
		return
	}
	text, err := l.env.ReadFile(c.GuildsFile)
	if err != nil {
		l.complain("GATECAMP_GUILDS_FILE names a file that cannot be read: "+reason(err), "name a file that this user can read, or unset it")
		return
	}
	g := guildsFile{loader: l}
	guilds := g.parse(text)
	if len(g.wrong) > 0 {
		l.wrong = append(l.wrong, g.wrong...)
		return
	}
	c.Guilds, c.GuildIDs = guilds, nil
	for _, guild := range guilds {
		c.GuildIDs = append(c.GuildIDs, guild.ID)
	}
	c.sources["GATECAMP_GUILD_IDS"] = Source("guilds file " + c.GuildsFile)
	c.texts["GATECAMP_GUILD_IDS"] = joinIDs(c.GuildIDs)
}

// guildsFile reads one guilds file and gathers everything that is wrong in it, each with line and column. It never repeats
// a value: someone may have written a webhook's address into it.
type guildsFile struct {
	loader *loader
	wrong  []error
}

func (g *guildsFile) complain(at *token.Token, what, cure string) {
	where := "the guilds file"
	if at != nil && at.Position != nil {
		where = fmt.Sprintf("%s, line %d, column %d", where, at.Position.Line, at.Position.Column)
	}
	g.wrong = append(g.wrong, problem.New(problem.Usage, where+": "+what, cure))
}

func (g *guildsFile) parse(text []byte) []Guild {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		at, what := syntax(err)
		g.complain(at, what, "mend the YAML: a list of entries with "+guildKeys)
		return nil
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		g.complain(nil, "it must hold one list of guilds", "write a list of entries with "+guildKeys)
		return nil
	}
	list, ok := file.Docs[0].Body.(*ast.SequenceNode)
	if !ok {
		g.complain(file.Docs[0].Body.GetToken(), "this is no list", "begin each guild with \"- id:\"")
		return nil
	}
	var guilds []Guild
	for _, node := range list.Values {
		guild := g.guild(node)
		for _, other := range guilds {
			if guild.ID != 0 && guild.ID == other.ID {
				g.complain(node.GetToken(), "this guild stands in the list a second time", "keep one entry for each guild")
			}
		}
		guilds = append(guilds, guild)
	}
	return guilds
}

// syntax takes place and message from a parser's error without the lines of the file that its text would show.
func syntax(err error) (*token.Token, string) {
	var located interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &located) {
		return located.GetToken(), "this is no valid YAML (" + located.GetMessage() + ")"
	}
	return nil, "this is no valid YAML"
}

func (g *guildsFile) guild(node ast.Node) Guild {
	guild := Guild{Schedule: g.loader.config.Schedule}
	entry, ok := node.(ast.MapNode)
	if !ok {
		g.complain(node.GetToken(), "this is no guild", "write \"id:\" and, where wanted, the other keys: "+guildKeys)
		return guild
	}
	seen := map[string]bool{}
	for values := entry.MapRange(); values.Next(); {
		key := strings.Trim(values.Key().String(), `"'`)
		if seen[key] {
			g.complain(values.Key().GetToken(), "a key stands in this entry a second time", "keep one of the two")
		}
		seen[key] = true
		g.field(&guild, key, values.Key().GetToken(), values.Value())
	}
	if !seen["id"] {
		g.complain(node.GetToken(), "this entry has no id", "write the guild's id, digits only, behind \"id:\"")
	}
	return guild
}

// field reads one key of an entry.
func (g *guildsFile) field(guild *Guild, key string, at *token.Token, node ast.Node) {
	value, ok := scalar(node)
	if !ok {
		g.complain(at, "behind this key must stand one value", "write it behind the colon, or remove the key; the keys are "+guildKeys)
		return
	}
	var err error
	switch key {
	case "id":
		if guild.ID, err = parseID(value); err != nil {
			g.complain(at, "this must be "+guildID, "copy the id from Discord (developer mode, right click on the guild)")
		}
	case "admin_channel_id":
		if guild.AdminChannelID, err = parseID(value); err != nil {
			g.complain(at, "this must be "+guildID, "copy the id from Discord (developer mode, right click on the channel)")
		}
	case "webhook_url_file":
		guild.WebhookURL = g.webhook(at, value)
	case "schedule":
		if guild.Schedule = value; !isSchedule(value) {
			g.complain(at, "this is no schedule", "write "+scheduleForm)
		}
	case "locale":
		if _, err := language.Parse(value); err != nil {
			g.complain(at, "this is no language", "write a tag such as en, de or zh-CN")
		}
		guild.Locale = value
	case "enforcement":
		if guild.Enforcement, err = enforcement.ParseMode(value); err != nil {
			g.complain(at, "this is no mode of enforcement", "write enforce, shadow (tell, and deny nobody) or off")
		}
	case "appeal":
		if guild.Appeal = value; len(value) > mostAppeal {
			g.complain(at, fmt.Sprintf("this is longer than %d bytes", mostAppeal), "write one or two sentences")
		}
	default:
		g.complain(at, "this key is not known", "the keys are "+guildKeys+"; a webhook's address goes into a file of its own")
	}
}

// webhook reads a webhook's address from the file that an entry names, relative to the guilds file.
func (g *guildsFile) webhook(at *token.Token, path string) secret.String {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(g.loader.config.GuildsFile), path)
	}
	text, err := g.loader.env.ReadFile(path)
	if err != nil {
		g.complain(at, "the file named here cannot be read: "+reason(err), "name a file that holds the webhook's address, relative to the guilds file")
		return secret.String{}
	}
	address := strings.TrimRight(string(text), "\r\n")
	if !isWebhook(address) || g.loader.apiKnown() && !mayPost(address, g.loader.config.DiscordAPIURL) {
		g.complain(at, "the file named here holds no webhook of "+server(g.loader.config.DiscordAPIURL), "write the address into it: "+webhookForm)
		return secret.String{}
	}
	return secret.New(address)
}

// scalar is a value as it was written, so that a long id never becomes a float.
func scalar(node ast.Node) (string, bool) {
	if _, ok := node.(ast.ScalarNode); !ok || node.Type() == ast.NullType {
		return "", false
	}
	if text, ok := node.(*ast.StringNode); ok {
		return text.Value, text.Value != ""
	}
	return node.GetToken().Value, true
}
