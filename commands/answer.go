package commands

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/snowflake/v2"
)

// answer is what somebody is shown.
type answer struct {
	tone   tone
	title  string
	text   string
	fields []field
	footer string
	files  []file
	list   *list  // shown below the text, in pages
	card   *draft // asks for a press
}

// field is one idea of an answer.
type field struct {
	name, value string
	beside      bool // others may stand in the same row
}

// file is attached to an answer.
type file struct {
	name string
	data []byte
}

// tone says at a glance how it went: a colour and a sign, never the colour alone. The list is closed.
type tone int

const (
	toneInfo tone = iota
	toneDone
	toneWarn
	toneNo
	toneOver // expired
)

func (t tone) colour() int {
	return [...]int{toneInfo: 0x3498db, toneDone: 0x2ecc71, toneWarn: 0xf1c40f, toneNo: 0xe74c3c, toneOver: 0x95a5a6}[t]
}

func (t tone) sign() string {
	return [...]string{toneInfo: "ℹ️", toneDone: "✅", toneWarn: "⚠️", toneNo: "⛔", toneOver: "⌛"}[t]
}

// Discord's limits of an embed, in characters (docs: resources/message, embed limits).
const (
	mostTitle  = 256
	mostText   = 4096
	mostName   = 256
	mostValue  = 1024
	mostFields = 25
	mostFooter = 2048
	mostOfAll  = 6000
)

// message is the answer as Discord takes it, without what its list and its card add.
func (a *answer) message() discord.MessageCreate {
	m := discord.MessageCreate{Embeds: []discord.Embed{a.embed()}, AllowedMentions: nobody()}
	for _, f := range a.files {
		m.Files = append(m.Files, discord.NewFile(f.name, "", bytes.NewReader(f.data)))
	}
	return m
}

// embed keeps to Discord's limits, also to the one over all parts together: the text gives way first, then the last fields.
func (a *answer) embed() discord.Embed {
	e := discord.Embed{Color: a.tone.colour(), Title: cut(strings.TrimSpace(a.tone.sign()+" "+a.title), mostTitle)}
	left := mostOfAll - utf8.RuneCountInString(e.Title)
	if a.footer != "" {
		e.Footer = &discord.EmbedFooter{Text: cut(a.footer, mostFooter)}
		left -= utf8.RuneCountInString(e.Footer.Text)
	}
	if a.title == "" { // the sign goes before the text
		e.Title = ""
		e.Description = a.tone.sign() + " "
	}
	e.Description = cut(strings.TrimSpace(e.Description+a.text), min(mostText, left))
	left -= utf8.RuneCountInString(e.Description)
	for _, f := range a.fields[:min(len(a.fields), mostFields)] {
		name, value := cut(f.name, mostName), cut(f.value, mostValue)
		if left -= utf8.RuneCountInString(name) + utf8.RuneCountInString(value); left < 0 || value == "" {
			continue
		}
		e.Fields = append(e.Fields, discord.EmbedField{Name: name, Value: value, Inline: &f.beside})
	}
	return e
}

// cut shortens a text to so many characters, and shows that it did.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	if most < 1 {
		return ""
	}
	return string([]rune(text)[:most-1]) + "…"
}

// oneLine is a text of a person on one line, without what moves a cursor or hides.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)), " ")
}

// plain is a text of a person inside a sentence: on one line, and with nothing that Discord would take for form, a mention or a link.
func plain(s string) string {
	return strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "|", `\|`, "<", `\<`, ">", `\>`, "@", "@\u200b", "#", `\#`, "[", `\[`, "]", `\]`, "://", ":\u200b//",
	).Replace(oneLine(s))
}

// quoted is what a person wrote, as code: shortened, and as it is.
func quoted(s string) string {
	return "`" + strings.ReplaceAll(cut(oneLine(s), 100), "`", "'") + "`"
}

// code is an id or a digest in code style.
func code(s string) string { return "`" + s + "`" }

func mentionMember(id snowflake.ID) string { return "<@" + id.String() + ">" }

func mentionRole(id snowflake.ID) string { return "<@&" + id.String() + ">" }
