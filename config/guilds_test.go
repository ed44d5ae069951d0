package config_test

import (
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"
)

func guildsFile(text string) world {
	w := env("GATECAMP_GUILDS_FILE", "/etc/gatecamp/guilds.yaml", "GATECAMP_GUILD_IDS", "5", "GATECAMP_ADMIN_CHANNEL_ID", "6", "GATECAMP_SCHEDULE", "@every 12h")
	w.files["/etc/gatecamp/guilds.yaml"] = text
	w.files["/etc/gatecamp/hooks/one"] = webhook + "\n"
	return w
}

func TestTheGuildsFileOverridesTheSingleSettings(t *testing.T) {
	c, err := guildsFile(`
# our guilds
- id: 900000000000000001
  admin_channel_id: "77"
  webhook_url_file: hooks/one
  schedule: CRON_TZ=UTC 0 4 * * *
  locale: zh-CN
- id: '9223372036854775807'
`).load(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Guilds) != 2 || len(c.GuildIDs) != 2 || c.GuildIDs[1] != 9223372036854775807 {
		t.Fatalf("guilds %v, ids %v; want the two of the file", c.Guilds, c.GuildIDs)
	}
	one := c.Guild(900000000000000001)
	if one.AdminChannelID != 77 || one.WebhookURL.Reveal() != webhook || one.Schedule != "CRON_TZ=UTC 0 4 * * *" || one.Locale != "zh-CN" {
		t.Errorf("first guild = %+v", one)
	}
	two := c.Guild(9223372036854775807)
	if two.AdminChannelID != 0 || two.WebhookURL.IsSet() || two.Schedule != "@every 12h" {
		t.Errorf("second guild = %+v, want no channel and webhook of another guild, and the common schedule", two)
	}
}

func TestWithoutAGuildsFileTheSingleSettingsHoldForEveryGuild(t *testing.T) {
	c, err := env("GATECAMP_ADMIN_CHANNEL_ID", "6", "GATECAMP_WEBHOOK_URL", webhook).load(t)
	if err != nil {
		t.Fatal(err)
	}
	g := c.Guild(5)
	if g.ID != 5 || g.AdminChannelID != snowflake.ID(6) || g.WebhookURL.Reveal() != webhook || g.Schedule != "@every 6h" {
		t.Errorf("guild = %+v", g)
	}
}

func TestMistakesInTheGuildsFileAreToldWithLineAndColumn(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":      {"- id: 1\n  webhook_url: " + webhook + "\n", "line 2, column 3: this key is not known"},
		"no id":               {"- schedule: off\n", "this entry has no id"},
		"no schedule":         {"- id: 7\n  schedule: at dawn\n", "this is no schedule"},
		"a bad id":            {"- id: 1e3\n", "line 1, column 3: this must be a Discord id"},
		"a quoted bad id":     {"- id: \"x\"\n", "this must be a Discord id"},
		"an id that is empty": {"- id:\n", "behind this key must stand one value"},
		"a list for an id":    {"- id: [1, 2]\n", "behind this key must stand one value"},
		"twice the guild":     {"- id: 1\n- id: 1\n", "line 2, column 5: this guild stands in the list a second time"},
		"a missing webhook":   {"- id: 1\n  webhook_url_file: nowhere\n", "line 2, column 3: the file named here cannot be read: file does not exist"},
		"no webhook in it":    {"- id: 1\n  webhook_url_file: guilds.yaml\n", "the file named here holds no webhook of Discord"},
		"a bad language":      {"- id: 1\n  locale: \"!\"\n", "this is no language"},
		"no list":             {"id: 1\n", "this is no list"},
		"no mapping":          {"- 1\n", "line 1, column 3: this is no guild"},
		"nothing":             {"", "it must hold one list of guilds"},
		"two documents":       {"- id: 1\n---\n- id: 2\n", "it must hold one list of guilds"},
		"no YAML":             {"- id: [" + webhook + "\n", "this is no valid YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := guildsFile(c.text).load(t)
			if err == nil || !strings.HasPrefix(err.Error(), "the guilds file") || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error = %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows what was written into the file: %v", err)
			}
		})
	}
}

func TestEveryMistakeOfTheGuildsFileIsToldAtOnce(t *testing.T) {
	_, err := guildsFile("- id: x\n- id: y\n  colour: red\n").load(t)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("error = %v, want three lines", err)
	}
}
