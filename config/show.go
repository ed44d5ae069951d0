package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
)

// shownSetting is one line of Show.
type shownSetting struct {
	Name   string `json:"name"`
	Value  string `json:"value"` // secrets: a word that says one is set
	Set    bool   `json:"set"`   // by somebody, or by a default
	Secret bool   `json:"secret"`
	From   Source `json:"from"`
}

// shownGuild is one guild of Show.
type shownGuild struct {
	ID             snowflake.ID `json:"id"`
	AdminChannelID string       `json:"admin_channel_id,omitempty"`
	Webhook        string       `json:"webhook,omitempty"`
	Schedule       string       `json:"schedule"`
	Locale         string       `json:"locale,omitempty"`
}

// Show writes the settings in force and where each came from, as a table. Secrets are only said to be set.
func (c *Config) Show(w io.Writer) (err error) {
	defer wrap.Err(&err, "config.Show")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tVALUE\tFROM")
	for _, s := range c.shown() {
		value := s.Value
		if !s.Set {
			value = "(" + unset(s.Name) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, printable(value), printable(string(s.From)))
	}
	if guilds := c.shownGuilds(); len(guilds) > 0 {
		fmt.Fprintln(table, "\nGUILD\tADMIN CHANNEL\tWEBHOOK\tSCHEDULE\tLOCALE")
		for _, g := range guilds {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", g.ID, orDash(g.AdminChannelID), orDash(g.Webhook), printable(g.Schedule), orDash(g.Locale))
		}
	}
	return table.Flush()
}

// ShowJSON writes the same as one JSON object: {"settings": […], "guilds": […]}.
func (c *Config) ShowJSON(w io.Writer) (err error) {
	defer wrap.Err(&err, "config.ShowJSON")
	return json.NewEncoder(w).Encode(struct {
		Settings []shownSetting `json:"settings"`
		Guilds   []shownGuild   `json:"guilds"`
	}{c.shown(), c.shownGuilds()})
}

func (c *Config) shown() []shownSetting {
	all := make([]shownSetting, 0, len(settings))
	for _, s := range settings {
		line := shownSetting{Name: s.Name, Value: c.texts[s.Name], Secret: s.Secret, From: c.Origin(s.Name)}
		if s.Secret && line.From != Default {
			line.Value = "[REDACTED]"
		}
		line.Set = line.Value != ""
		all = append(all, line)
	}
	return all
}

func (c *Config) shownGuilds() []shownGuild {
	all := make([]shownGuild, 0, len(c.Guilds))
	for _, g := range c.Guilds {
		line := shownGuild{ID: g.ID, Webhook: g.WebhookURL.String(), Schedule: g.Schedule, Locale: g.Locale}
		if g.AdminChannelID != 0 {
			line.AdminChannelID = g.AdminChannelID.String()
		}
		all = append(all, line)
	}
	return all
}

func unset(name string) string {
	if s, ok := settingNamed(name); ok && s.Unset != "" {
		return s.Unset
	}
	return "not set"
}

// printable quotes what would disturb a terminal or the table.
func printable(value string) string {
	if quoted := fmt.Sprintf("%q", value); quoted != `"`+value+`"` {
		return quoted
	}
	return value
}

func orDash(value string) string {
	if value == "" {
		return "-"
	}
	return value
}

func joinIDs(ids []snowflake.ID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ",")
}
