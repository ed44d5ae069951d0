package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"gatecamp/config"
	"gatecamp/schedule"
)

func (c *console) configCommands() *cobra.Command {
	return family("config", "the settings: what is set, what is missing, how to mend it", c.configCheck(), c.configShow())
}

func (c *console) configCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "list every setting that is wrong or missing, with its cure",
		Long: `Reads the settings from the environment, the file .env and the files of secrets, and tells everything that is wrong at once; exit code 2 if
anything is. It connects to nothing. What each setting means is in docs/configuration.md.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.config(cmd.Context(), config.NeedsAuth)
			if missing := cfg.Validate(config.NeedsDiscord); missing != nil {
				c.say("GATECAMP_DISCORD_TOKEN is not set: the guild itself cannot be looked at, snapshot files can.")
			}
			if err != nil {
				return err
			}
			c.warnOfSummerTime(&cfg)
			for _, file := range cfg.Exposed() {
				c.say(exposedFile, file, file)
			}
			c.say("Every setting is in order. `gatecamp config show` prints them, `gatecamp health` tries them.")
			return nil
		},
	}
}

// exposedFile is what is said of a file with a secret in it that is open to all.
const exposedFile = "%s holds a secret and can be read by every user of this machine: chmod 600 %s"

// warnOfSummerTime says which audits of the coming year the clocks of a schedule's zone skip or double.
func (c *console) warnOfSummerTime(cfg *config.Config) {
	all := []string{cfg.Schedule}
	for _, g := range cfg.Guilds {
		if !slices.Contains(all, g.Schedule) {
			all = append(all, g.Schedule)
		}
	}
	for _, text := range all {
		_, warnings, err := schedule.ParseSpec(text, c.now())
		if err != nil || len(warnings) == 0 { // what is wrong was told already
			continue
		}
		c.say("The schedule %q:", text)
		for _, w := range warnings {
			c.say("  %s", w)
		}
	}
}

func (c *console) configShow() *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "show", Short: "print the settings in force and where each came from; secrets are only said to be set",
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, wrong := c.config(cmd.Context())
		show := cfg.Show
		if f.json {
			show = cfg.ShowJSON
		}
		return errors.Join(wrong, show(c.out))
	}
	f.jsonFlag(cmd)
	return noted(cmd, noteJSON, `{"settings": [{"name", "value": secrets are "[REDACTED]", "set", "secret", "from": "default"|"environment"|".env, line 3"|"file PATH"}], "guilds": [{"id", "admin_channel_id", "webhook", "schedule", "locale"}]}`)
}
