package main

import (
	"errors"
	"maps"
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// someoneIsBlocked is the chapter about a block: made, carried out, met again at a return, and lifted.
func (s *story) someoneIsBlocked() []storyStep {
	act := []string{"audit", "run", "--yes"}
	return []storyStep{
		{
			title: "Someone is blocked", words: "While Auth is broken, Sable Kest, the stranger among the Directors, turns out to be a spy. A moderator blocks her. In Discord that is /block add.",
			first: s.rememberAll, args: []string{"block", "add", demoSpy, "--duration", "forever", "--reason", "sold our fleet plans"}, lines: 1, check: has("for good"),
		},
		{
			words: "A block needs nothing from Auth: she is removed at the next look, and at once where gatecamp serves. Everybody else stays as they are, because Auth is not believed.",
			args:  act, exit: exitHeld, show: []string{"Look at these first", "Done"}, check: s.onlyOut(demoSpy),
		},
		{
			words: "She comes back with another invite. The block is about her account, so she is out again.",
			first: s.comesBack, args: act, exit: exitHeld, show: []string{"Done"}, check: s.onlyOut(demoSpy),
		},
		{
			words: "It turns out that her account had been stolen. The moderator lets her in again.",
			args:  []string{"block", "remove", demoSpy, "--reason", "her account had been stolen, she has it back"}, lines: 1, check: has("is not blocked any more"),
		},
		{
			words: "She comes back, and stays; the roles that she had are not given back, because gatecamp never gives roles.",
			first: s.comesBack, args: act, exit: exitHeld, show: []string{"Plan"}, check: s.isBack,
		},
		{
			words: "What the record says: who blocked her, who let her in again, when and why.",
			args:  []string{"block", "show", demoSpy}, check: has("Not blocked", "sold our fleet plans", "stolen"),
		},
		{
			words: "And the same as events, for whoever watches several systems at once.",
			args:  []string{"enforcement", "tail"}, check: has("blocked     member:", "unblocked   member:"),
		},
	}
}

// rememberAll notes who holds what, for the checks of this chapter.
func (s *story) rememberAll() (err error) {
	s.calm, err = s.holdings()
	return err
}

// onlyOut checks that one member is gone, and that nobody else was touched.
func (s *story) onlyOut(member string) func(string) error {
	return func(output string) error {
		now, err := s.holdings()
		if err != nil {
			return err
		}
		if _, here := now[member]; here {
			return errors.New("whoever was blocked is still in the guild")
		}
		want := maps.Clone(s.calm)
		delete(want, member)
		return errors.Join(same(want, now), has(member+": kick")(output))
	}
}

// comesBack lets the spy join again.
func (s *story) comesBack() error {
	id, err := snowflake.Parse(demoSpy)
	if err != nil {
		return err
	}
	return s.discord.Join(s.discord.GuildIDs()[0], discordtest.Arrival{ID: id, Username: "sable_kest"})
}

// isBack checks that whoever was blocked is in the guild, without roles, and that nobody else was touched.
func (s *story) isBack(output string) error {
	now, err := s.holdings()
	if err != nil {
		return err
	}
	want := maps.Clone(s.calm)
	if want[demoSpy] = []string{}; !slices.Equal(now[demoSpy], want[demoSpy]) {
		return errors.New("whoever came back has roles")
	}
	return errors.Join(same(want, now), has("nothing would be changed")(output))
}
