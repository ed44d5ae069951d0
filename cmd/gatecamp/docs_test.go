package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite the list of commands in docs/console.md")

const (
	consoleDocs   = "../../docs/console.md"
	beginCommands = "<!-- commands: written by go test ./cmd/gatecamp -update -->\n"
	endCommands   = "<!-- end of commands -->\n"
)

// commandDocs is the text about every command, from the commands themselves.
func commandDocs() string {
	var b strings.Builder
	for _, cmd := range newRoot(&console{}).Commands() {
		describeCommand(&b, cmd, 2)
	}
	return b.String()
}

func describeCommand(b *strings.Builder, cmd *cobra.Command, level int) {
	if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
		return
	}
	use := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	fmt.Fprintf(b, "\n%s `%s`\n\n%s.\n", strings.Repeat("#", level), use, sentence(strings.TrimSuffix(cmd.Short, ".")))
	if cmd.Long != "" {
		writeLong(b, cmd.Long)
	}
	writeFlags(b, cmd.LocalNonPersistentFlags())
	if form := cmd.Annotations[noteJSON]; form != "" {
		fmt.Fprintf(b, "\n`--json`: %s\n", codeForm(form))
	}
	if exits := cmd.Annotations[noteExits]; exits != "" {
		fmt.Fprintf(b, "\nExit codes besides 0, 1 and 2: %s.\n", exits)
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", unindent(cmd.Example))
	}
	for _, sub := range cmd.Commands() {
		describeCommand(b, sub, level+1)
	}
}

// writeLong keeps indented blocks, which are tables of words, as they are.
func writeLong(b *strings.Builder, long string) {
	for block := range strings.SplitSeq(strings.TrimSpace(long), "\n\n") {
		if strings.HasPrefix(block, "  ") {
			fmt.Fprintf(b, "\n```\n%s\n```\n", unindent(block))
		} else {
			fmt.Fprintf(b, "\n%s\n", block)
		}
	}
}

func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}

// codeForm puts a form into code style; words after it stay words.
func codeForm(form string) string {
	form = strings.ReplaceAll(form, "`", "")
	begin, end := strings.IndexByte(form, '{'), strings.LastIndexByte(form, '}')
	if begin < 0 || end < begin {
		return form + "."
	}
	return strings.TrimSuffix(form[:begin]+"`"+form[begin:end+1]+"`"+form[end+1:], ".") + "."
}

func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	first := true
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if first {
			b.WriteString("\n| Flag | Meaning |\n|---|---|\n")
			first = false
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if kind != "" {
			name += " " + kind
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"))
	})
}

func TestTheDocumentationListsEveryCommandAsItIs(t *testing.T) {
	text, err := os.ReadFile(consoleDocs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), beginCommands)
	got, after, ended := strings.Cut(rest, endCommands)
	if !found || !ended {
		t.Fatalf("%s lacks the marks %q and %q", consoleDocs, beginCommands, endCommands)
	}
	want := commandDocs() + "\n"
	if *update {
		if err := os.WriteFile(consoleDocs, []byte(before+beginCommands+want+endCommands+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("the commands in %s are not those of the program; run: go test ./cmd/gatecamp -update", consoleDocs)
	}
}

// Everybody reads the help when they are tired.
func TestEveryCommandAndFlagIsExplained(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s has no short text", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no text", cmd.CommandPath(), f.Name)
			}
			if kind, _ := pflag.UnquoteUsage(f); strings.Contains(kind, " ") || kind != "" && f.Value.Type() == "bool" {
				t.Errorf("%s --%s: `%s` in its text is taken for the name of its value", cmd.CommandPath(), f.Name, kind)
			}
			if f.Name == "json" && cmd.Annotations[noteJSON] == "" && !strings.Contains(f.Usage, "{") {
				t.Errorf("%s takes --json and says nothing about its form: give it a note", cmd.CommandPath())
			}
			if f.Name == "reason" && !strings.Contains(f.Usage, "required") {
				t.Errorf("%s --reason does not say that it is required", cmd.CommandPath())
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(&console{}))
}
