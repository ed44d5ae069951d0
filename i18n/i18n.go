// Package i18n is the catalogue of every sentence that people read, in every language that gatecamp speaks.
//
// The texts are in texts/AREA.LANGUAGE.json, embedded in the program. A text is a sentence with named places, `{{.Role}}`, or one for
// each plural form of its language. English is complete by law; a text that another language lacks is told in English.
//
// What must stay true: no key is missing, unused, or has other places in one language than in another. Tests hold it.
package i18n

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	goi18n "github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"gatecamp/internal/wrap"
)

//go:embed texts/*.json
var files embed.FS

// Key names a text of the catalogue: "frame.not_yours".
type Key string

// Args are what goes into a text's places, by name.
type Args map[string]any

// The languages of the catalogue.
const (
	English = "en"
	Russian = "ru"
)

// discordLocales are Discord's locales of a language, as its clients send them (docs: reference, locales).
var discordLocales = map[string][]string{English: {"en-US", "en-GB"}, Russian: {"ru"}}

// Catalogue holds the texts. It does not change, so anybody may use it at any time.
type Catalogue struct {
	bundle   *goi18n.Bundle
	texts    map[string]map[Key]*goi18n.Message // by language
	printers map[string]*Printer
}

// Load reads the texts that are built in. An error is a mistake in one of the files.
func Load() (_ *Catalogue, err error) {
	defer wrap.Err(&err, "texts")
	c := &Catalogue{bundle: goi18n.NewBundle(language.English), texts: map[string]map[Key]*goi18n.Message{}, printers: map[string]*Printer{}}
	names, err := fs.Glob(files, "texts/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := c.read(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for lang := range c.texts {
		c.printers[lang] = &Printer{catalogue: c, language: lang, localizer: goi18n.NewLocalizer(c.bundle, lang)}
	}
	return c, nil
}

// read adds one file. A key stands in one file of a language, once; a test finds one that stands twice in the same file.
func (c *Catalogue) read(name string) error {
	data, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := c.bundle.ParseMessageFileBytes(data, name)
	if err != nil {
		return err
	}
	lang := file.Tag.String()
	if c.texts[lang] == nil {
		c.texts[lang] = map[Key]*goi18n.Message{}
	}
	for _, m := range file.Messages {
		if c.texts[lang][Key(m.ID)] != nil {
			return fmt.Errorf("the key %q is in another file too", m.ID)
		}
		c.texts[lang][Key(m.ID)] = m
	}
	return nil
}

// For speaks the language of a locale as Discord writes it ("en-US", "ru"); any other, and none, is English.
func (c *Catalogue) For(locale string) *Printer {
	lang, _, _ := strings.Cut(strings.ToLower(locale), "-")
	if p, known := c.printers[lang]; known {
		return p
	}
	return c.printers[English]
}

// Languages lists the languages, English first.
func (c *Catalogue) Languages() []string {
	list := []string{English}
	for lang := range c.texts {
		if lang != English {
			list = append(list, lang)
		}
	}
	slices.Sort(list[1:])
	return list
}

// Has reports whether a key has an English text.
func (c *Catalogue) Has(key Key) bool { return c.texts[English][key] != nil }

// All gives a text in every locale of Discord but English, for the localisation maps of commands, where English is the default.
func (c *Catalogue) All(key Key) map[string]string {
	all := map[string]string{}
	for lang, texts := range c.texts {
		if m := texts[key]; m != nil && lang != English {
			for _, locale := range discordLocales[lang] {
				all[locale] = m.Other
			}
		}
	}
	return all
}

// Label is what Discord shows of a command, an option or a choice: the name and the description, each in English and by locale.
type Label struct {
	Name, Description   string
	Names, Descriptions map[string]string
}

// Command labels a command or, with more words, what is below it: Command("audit", "run").
func (c *Catalogue) Command(path ...string) Label {
	return c.label("command." + strings.Join(path, "."))
}

// Option labels an option, which is called the same in every command.
func (c *Catalogue) Option(name string) Label { return c.label("option." + name) }

// Choice labels one of an option's choices, which has no description.
func (c *Catalogue) Choice(option, value string) Label {
	key := Key("choice." + option + "." + value)
	return Label{Name: c.For(English).T(key), Names: c.All(key)}
}

// Menu labels an entry of a context menu, which has no description.
func (c *Catalogue) Menu(name string) Label {
	key := Key("menu." + name)
	return Label{Name: c.For(English).T(key), Names: c.All(key)}
}

func (c *Catalogue) label(key string) Label {
	name, description, p := Key(key+".name"), Key(key+".description"), c.For(English)
	return Label{Name: p.T(name), Description: p.T(description), Names: c.All(name), Descriptions: c.All(description)}
}

// Keys lists the keys that have an English text and begin like this, sorted: what Discord shows of commands is named by no constant.
func (c *Catalogue) Keys(prefix string) []Key {
	var list []Key
	for key := range c.texts[English] {
		if strings.HasPrefix(string(key), prefix) {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}
