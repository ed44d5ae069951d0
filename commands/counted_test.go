package commands

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/storage"
)

// counted is a store that counts what is read of it, one by one and in lists.
type counted struct {
	Store
	mu    sync.Mutex
	asked int
}

func (c *counted) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
}

func (c *counted) since() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, c.asked = c.asked, 0
	return n
}

func (c *counted) Findings(ctx context.Context, guild snowflake.ID, f storage.FindingFilter) ([]storage.Finding, error) {
	c.count()
	return c.Store.Findings(ctx, guild, f)
}

func (c *counted) Finding(ctx context.Context, guild snowflake.ID, id int64) (storage.Finding, error) {
	c.count()
	return c.Store.Finding(ctx, guild, id)
}

func (c *counted) FindingChanges(ctx context.Context, guild snowflake.ID, id int64) ([]storage.FindingChange, error) {
	c.count()
	return c.Store.FindingChanges(ctx, guild, id)
}

func (c *counted) Run(ctx context.Context, id int64) (storage.Run, error) {
	c.count()
	return c.Store.Run(ctx, id)
}

func (c *counted) Runs(ctx context.Context, guild snowflake.ID, f storage.RunFilter) ([]storage.Run, error) {
	c.count()
	return c.Store.Runs(ctx, guild, f)
}

func (c *counted) RoleGrants(ctx context.Context, guild snowflake.ID, members []snowflake.ID, since time.Time) ([]storage.RoleGrant, error) {
	c.count()
	return c.Store.RoleGrants(ctx, guild, members, since)
}

func (c *counted) Changes(ctx context.Context, guild snowflake.ID, f storage.ChangeFilter) ([]storage.Change, error) {
	c.count()
	return c.Store.Changes(ctx, guild, f)
}

// The peer's pages load the whole list into the page, and ask once for each row (A34). A page here is ten rows however long the list is, and as many
// questions are asked of the database for 800 findings as for 25.
func TestALongListIsAPageAndNoQueryForEachRow(t *testing.T) {
	asked := map[int]int{}
	for _, more := range []int{20, 795} {
		var store *counted
		r := newRig(t, func(c *Config) { store = &counted{Store: c.Store}; c.Store = store })
		for i := range more {
			m := r.guild.pic.Members[40]
			m.ID = snowflake.ID(5001 + i)
			r.guild.pic.Members = append(r.guild.pic.Members, m)
		}
		r.released()
		r.grant(dara, audit.RightViewFindings)
		store.since()
		s := r.run(dara, "audit findings")
		asked[more] = store.since()
		if n := strings.Count(s.text(), "<@&2001>"); n != 10 {
			t.Errorf("%d findings on the page of %d", n, more+5)
		}
		next := r.press(dara, s.message, "Next")
		want(t, next.text(), "page 2 of")
		if again := store.since(); again > asked[more] {
			t.Errorf("the second page of %d asked %d questions, the first %d", more+5, again, asked[more])
		}
	}
	if asked[20] == 0 || asked[20] != asked[795] {
		t.Errorf("%d questions for 25 findings, %d for 800", asked[20], asked[795])
	}
}
