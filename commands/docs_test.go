package commands

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/i18n"
)

var rewrite = flag.Bool("update", false, "rewrite the list of commands in docs/commands.md")

const (
	docsFile  = "../docs/commands.md"
	docsBegin = "<!-- commands: written by go test ./commands -update -->\n"
	docsEnd   = "<!-- end of commands -->\n"
)

// commandDocs is the text about every command, from the commands themselves.
func commandDocs(t *testing.T) string {
	t.Helper()
	texts, err := spoken()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, cmd := range all() {
		fmt.Fprintf(&b, "\n## /%s\n\n%s. %s\n\n| Command | What it does | Options | Right |\n|---|---|---|---|\n", cmd.name, texts.Command(cmd.name).Description, shownWords(cmd.hidden))
		if cmd.alone != nil {
			describe(&b, texts, "/"+cmd.name, texts.Command(cmd.name).Description, cmd.alone)
		}
		for i := range cmd.below {
			d := &cmd.below[i]
			describe(&b, texts, "/"+cmd.name+" "+d.name, texts.Command(cmd.name, d.name).Description, d)
		}
	}
	for _, m := range menus() {
		fmt.Fprintf(&b, "\nIn a member's context menu, under *Apps*: **%s**, which does `/%s`.\n", texts.Menu(m.name).Name, m.as)
	}
	return b.String()
}

func describe(b *strings.Builder, texts *i18n.Catalogue, use, what string, d *deed) {
	var options []string
	for _, o := range optionsOf(d) {
		text := "`" + o.name + "`"
		if o.required {
			text += " (needed)"
		}
		if len(o.choices) > 0 && len(o.choices) < 5 {
			text += ": " + strings.Join(o.choices, ", ")
		}
		options = append(options, text)
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", use, what, strings.Join(options, "<br>"), rightsWords(d.need))
}

func rightsWords(n need) string {
	var parts []string
	for _, r := range n.all {
		parts = append(parts, "`"+r.String()+"`")
	}
	var either []string
	for _, r := range n.any {
		either = append(either, "`"+r.String()+"`")
	}
	if len(either) > 0 {
		parts = append(parts, strings.Join(either, " or "))
	}
	words := strings.Join(parts, " and ")
	switch n.sort {
	case everybody:
		return "everyone"
	case stops:
		words += ", or Discord's Manage Server"
	case loosens:
		words += "; not while Auth cannot be asked"
	case guards:
		words += "; while Auth cannot be asked, for an hour at most"
	case reads, orders:
	}
	return words
}

func shownWords(p discord.Permissions) string {
	switch p {
	case 0:
		return "Everybody sees it."
	case discord.PermissionManageRoles:
		return "Shown to whoever may manage roles, unless the server's settings say otherwise."
	}
	return "Shown to whoever may manage the server, unless the server's settings say otherwise."
}

func TestDocumentationListsEveryCommandAsItIs(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), docsBegin)
	_, after, ends := strings.Cut(rest, docsEnd)
	if !found || !ends {
		t.Fatalf("%s lacks the marks of what is written into it", docsFile)
	}
	want := before + docsBegin + commandDocs(t) + "\n" + docsEnd + after
	if string(data) == want {
		return
	}
	if !*rewrite {
		t.Fatalf("%s is not what the commands are: run go test ./commands -run Documentation -update", docsFile)
	}
	if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
