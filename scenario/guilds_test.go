package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatecamp/discord/discordtest"
)

// second begins the names of the files that make a second guild; its moderators read Russian.
const second = "second/"

// twoGuilds gives the program both guilds, each with a channel and a webhook of its own.
func (s *story) twoGuilds() {
	s.t.Helper()
	var list strings.Builder
	for i, guild := range s.ownGuilds() {
		hook := fmt.Sprintf("hook-%d", i)
		s.write(hook, []byte(s.hookURL(i)))
		fmt.Fprintf(&list, "- {id: %s, admin_channel_id: %s, webhook_url_file: %s", guild, s.discord.Hello().Webhooks[i].ChannelID, hook)
		if i > 0 {
			list.WriteString(", locale: ru")
		}
		list.WriteString("}\n")
	}
	s.write("guilds.yaml", []byte(list.String()))
	s.env = append(s.env, "GATECAMP_GUILDS_FILE="+s.dir+"/guilds.yaml")
}

// ownGuilds are the guilds in the order of the archive: the story's own first.
func (s *story) ownGuilds() []string {
	list := []string{}
	for _, g := range s.discord.GuildIDs() {
		list = append(list, g.String())
	}
	return list
}

// elsewhere does a step in the guild of that number: in 2 STEP.
func (s *story) elsewhere(a []string) error {
	number, err := strconv.Atoi(a[0])
	guilds := s.discord.GuildIDs()
	if err != nil || number < 1 || number > len(guilds) {
		return fmt.Errorf("in which of %d guilds is %q?", len(guilds), a[0])
	}
	here := s.guild
	defer func() { s.guild = here }()
	s.guild = guilds[number-1]
	_, err = s.do(a[1:])
	return err
}

// place is which guild the story is in now.
func (s *story) place() int { return max(0, slices.Index(s.discord.GuildIDs(), s.guild)) }

// webhook is the guild's own.
func (s *story) webhook() discordtest.Webhook { return s.discord.Hello().Webhooks[s.place()] }

// hookURL is a webhook's address as the program is given it.
func (s *story) hookURL(i int) string {
	return s.gate.url() + strings.TrimPrefix(s.discord.Hello().Webhooks[i].URL, s.discord.APIURL())
}

// aimed says which guild a command is about, where there are two.
func (s *story) aimed(args []string) []string {
	if len(s.discord.GuildIDs()) == 1 {
		return args
	}
	return append([]string{"--guild", s.guild.String()}, args...)
}
