package commands

import (
	"context"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/problem"
)

// eveTime is a time as exports and choices show it: UTC, which is EVE time; a dash for none.
func eveTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// discordOf is the Discord account of an actor that is one.
func discordOf(actor string) (snowflake.ID, error) {
	return snowflake.Parse(strings.TrimPrefix(actor, "discord:"))
}

// whoPlace stands in a line for a member, whose name is looked up for the page that is shown.
const whoPlace = "\x00"

// namesWithin is how long names may take to be found. Without them ids have to do.
const namesWithin = 2 * time.Second

// linesOf are the rows of a page, with everybody's name.
func (x *call) linesOf(ctx context.Context, rows []row) []string {
	var ids []snowflake.ID
	for _, r := range rows {
		if r.member != 0 {
			ids = append(ids, r.member)
		}
	}
	names := x.house.names(ctx, ids)
	lines := make([]string, len(rows))
	for i, r := range rows {
		line := strings.ReplaceAll(r.line(), whoPlace, who(r.member, names))
		lines[i] = cut(strings.ReplaceAll(line, "  ", " "), mostLine) // where a line leaves its member out
	}
	return lines
}

// names looks people up, for as long as an answer can wait for it.
func (h House) names(ctx context.Context, ids []snowflake.ID) map[snowflake.ID]Person {
	if h.People == nil || len(ids) == 0 {
		return nil
	}
	ctx, end := context.WithTimeout(ctx, namesWithin)
	defer end()
	return h.People(ctx, ids)
}

// who is a member as they are named everywhere: mention, name in the guild, main character, Auth user, and the id, since the mention of
// somebody who has left is a bare number.
func who(id snowflake.ID, names map[snowflake.ID]Person) string {
	if id == 0 {
		return ""
	}
	p := names[id]
	parts := []string{mentionMember(id)}
	for _, name := range []string{p.Name, p.Main, p.User} {
		if name = plain(name); name != "" && (len(parts) == 1 || parts[len(parts)-1] != name) {
			parts = append(parts, name)
		}
	}
	return strings.Join(append(parts, code(id.String())), " ")
}

// refuseUse says that something was asked for that makes no sense, and what does.
func refuseUse(what, cure string) error { return problem.New(problem.Usage, what, cure) }

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
