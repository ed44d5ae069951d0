package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func (c *console) eraseCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "erase PERSON", Short: "forget who a person of the record was; what happened stays",
		Long: `The record names people by a key alone; who is behind a key, and free text about them, lies beside it. This deletes both for one person: the
entries stay, and nobody can say any more whom they are about. PERSON is discord:ID (or the id alone), user:NAME for a user of Auth, or
console:NAME for somebody at the console. Whoever is seen again gets a new key.

Not touched are entries of the operator tables, blocks in force, grants, open findings and stored plans about the person: they are in force,
and say whom they concern. Remove those first (` + "`protect remove`, `identity remove`, …" + `); what the record keeps of them goes with its age. docs/operations.md says
what lies where. Do not name the person in the reason: that is kept.`,
		Example: "  gatecamp erase discord:112233445566778899 --reason \"request of 2026-11-22, ticket 17\"",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = c.change("erase", func(ctx context.Context, s *session, args []string) error {
		by, err := s.author(reason)
		if err != nil {
			return err
		}
		ref, err := parsePerson(args[0])
		if err != nil {
			return err
		}
		if mentions(reason, ref) {
			return problem.New(problem.Usage, "the reason names the person, and it is kept; nothing was changed", "give a reason that does not, such as the number of the request")
		}
		err = s.db.ErasePerson(ctx, s.guild, ref, by)
		if errors.Is(err, storage.ErrNotFound) {
			return problem.New(problem.Usage, fmt.Sprintf("the record of this guild knows nobody as %s; nothing was changed", visible(ref)), "people are known as discord:ID, user:NAME or console:NAME").Because(err)
		}
		if err != nil {
			return err
		}
		s.say("Forgotten: nobody can say any more which entries of the record were about %s, or by them. The entries themselves stay.", visible(ref))
		return nil
	})
	reasonFlag(cmd, &reason)
	return noted(cmd, noteSecret, "the person is what is to be forgotten")
}

// mentions reports whether a reason holds the name or id of a person, as a word of its own.
func mentions(reason, ref string) bool {
	_, name, _ := strings.Cut(ref, ":")
	letter := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	text := strings.ToLower(reason)
	name = strings.ToLower(name)
	for at := 0; ; {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		at += i
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(name):])
		if !letter(before) && !letter(after) {
			return true
		}
		at += len(name)
	}
}

// parsePerson reads how a person is found in the record.
func parsePerson(text string) (string, error) {
	kind, name, found := strings.Cut(text, ":")
	if !found {
		kind, name = "discord", text
	}
	switch {
	case kind == "discord":
		id, err := parseID("PERSON", name)
		return "discord:" + id.String(), err
	case (kind == "user" || kind == "console") && strings.TrimSpace(name) != "":
		return kind + ":" + name, nil
	}
	return "", problem.New(problem.Usage, fmt.Sprintf("%s names nobody; nothing was changed", quoted(text)), "give discord:ID, user:NAME or console:NAME")
}
