package commands

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gatecamp/i18n"
)

// shownKeys are the texts that Discord shows of our commands, from their definitions.
func shownKeys() (keys []i18n.Key) {
	add := func(parts ...string) { keys = append(keys, i18n.Key(strings.Join(parts, "."))) }
	both := func(parts ...string) {
		add(append(slices.Clone(parts), "name")...)
		add(append(slices.Clone(parts), "description")...)
	}
	options := func(d *deed) {
		for _, o := range optionsOf(d) {
			both("option", o.name)
			for _, c := range o.choices {
				add("choice", o.name, c)
			}
		}
	}
	for _, c := range all() {
		both("command", c.name)
		if c.alone != nil {
			options(c.alone)
		}
		for i := range c.below {
			both("command", c.name, c.below[i].name)
			options(&c.below[i])
		}
	}
	for _, m := range menus() {
		add("menu", m.name)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func TestWhatDiscordShowsOfCommandsHasATextAndNoTextIsLeftOver(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	var there []i18n.Key
	for _, family := range []string{"command.", "option.", "choice.", "menu."} {
		there = append(there, texts.Keys(family)...)
	}
	for _, key := range shownKeys() {
		if !slices.Contains(there, key) {
			t.Errorf("%s has no text", key)
		}
	}
	for _, key := range there {
		if !slices.Contains(shownKeys(), key) {
			t.Errorf("nothing shows the text %s", key)
		}
	}
}

// In English a command is called what it is called in the program; in each language, nothing beside it is called the same.
func TestCommandsAndOptionsHaveOneNameEach(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range texts.Languages() {
		p := texts.For(lang)
		unique := func(where string, keys []i18n.Key) {
			seen := map[string]i18n.Key{}
			for _, key := range keys {
				name := p.T(key)
				if other := seen[name]; other != "" {
					t.Errorf("%s: in %s both %s and %s are called %q", lang, where, key, other, name)
				}
				seen[name] = key
				parts := strings.Split(string(key), ".")
				if canonical := parts[len(parts)-2]; lang == i18n.English && name != canonical {
					t.Errorf("%s is called %q in English", key, name)
				}
			}
		}
		options := func(where string, d *deed) {
			var keys []i18n.Key
			for _, o := range optionsOf(d) {
				keys = append(keys, i18n.Key("option."+o.name+".name"))
			}
			unique(where, keys)
		}
		var families []i18n.Key
		for _, c := range all() {
			families = append(families, i18n.Key("command."+c.name+".name"))
			var below []i18n.Key
			for i := range c.below {
				below = append(below, i18n.Key("command."+c.name+"."+c.below[i].name+".name"))
				options(c.name+" "+c.below[i].name, &c.below[i])
			}
			unique(c.name, below)
			if c.alone != nil {
				options(c.name, c.alone)
			}
		}
		unique("the list of commands", families)
	}
}

// Discord adds up the names, descriptions and choices of a command, each in its longest language (docs: application commands).
func TestNoCommandIsLongerThanDiscordTakes(t *testing.T) {
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	longest := func(key i18n.Key) (n int) {
		for _, lang := range texts.Languages() {
			n = max(n, utf8.RuneCountInString(texts.For(lang).T(key)))
		}
		return n
	}
	for _, c := range all() {
		sum := longest(i18n.Key("command."+c.name+".name")) + longest(i18n.Key("command."+c.name+".description"))
		deeds := c.below
		if c.alone != nil {
			deeds = []deed{*c.alone}
		}
		for _, d := range deeds {
			if c.alone == nil {
				sum += longest(i18n.Key("command."+c.name+"."+d.name+".name")) + longest(i18n.Key("command."+c.name+"."+d.name+".description"))
			}
			for _, o := range optionsOf(&d) {
				sum += longest(i18n.Key("option."+o.name+".name")) + longest(i18n.Key("option."+o.name+".description"))
				for _, choice := range o.choices {
					sum += longest(i18n.Key("choice."+o.name+"."+choice)) + len(choice)
				}
			}
		}
		if sum > 8000 {
			t.Errorf("%s has %d characters, and Discord takes 8000", c.name, sum)
		}
	}
}

func TestEveryDangerousFamilyStartsHidden(t *testing.T) {
	for _, c := range all() {
		open := c.name == "why"
		if open != (c.hidden == 0) {
			t.Errorf("%s is hidden behind %d", c.name, c.hidden)
		}
	}
}
