package storagetest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/enforcement"
	"gatecamp/storage"
)

func testBlocks(t *testing.T, s suite) {
	want1 := func(g snowflake.ID, value string, end time.Time) storage.Block {
		return storage.Block{Guild: g, Scope: "user", Value: value, Also: enforcement.AlsoStrip, Message: "Ask Anna.", Status: 403, Rule: "flood", Evidence: []byte(`{"n":5}`), End: end}
	}
	kinds := func(t testing.TB, g snowflake.ID, value string) (kinds []string) {
		for _, e := range must(s.BlockHistory(t.Context(), g, "user", value, storage.Page{}))(t) {
			kinds = append(kinds, e.Kind)
		}
		return kinds
	}
	t.Run("a block is read back as it was made, by another process too", func(t *testing.T) {
		g := guild()
		made, change, err := s.Block(t.Context(), want1(g, "1", noon.Add(time.Hour)), author(noon))
		ok(t, err)
		same(t, storage.BlockMade, change, "change")
		expected := want1(g, "1", noon.Add(time.Hour))
		expected.ID, expected.Revision, expected.Reason, expected.Owner, expected.Start = made.ID, made.Revision, "because", "console:root", noon
		same(t, expected, made, "block")
		other := s.db.Open(t)
		same(t, []storage.Block{made}, must(other.Blocks(t.Context(), storage.BlockFilter{Guild: &g}))(t), "blocks of the guild")
		elsewhere := guild()
		same(t, []storage.Block(nil), must(other.Blocks(t.Context(), storage.BlockFilter{Guild: &elsewhere}))(t), "blocks of another guild")
	})
	t.Run("a longer end extends, a shorter one changes nothing, a permanent one stays", func(t *testing.T) {
		g := guild()
		first, _, err := s.Block(t.Context(), want1(g, "1", noon.Add(time.Hour)), author(noon))
		ok(t, err)
		kept, change, err := s.Block(t.Context(), want1(g, "1", noon.Add(time.Minute)), author(noon))
		ok(t, err)
		same(t, storage.BlockKept, change, "shorter")
		same(t, first, kept, "block after a shorter one")
		longer, change, err := s.Block(t.Context(), want1(g, "1", noon.Add(2*time.Hour)), author(noon))
		ok(t, err)
		same(t, storage.BlockExtended, change, "longer")
		if longer.ID != first.ID || longer.Revision <= first.Revision || !longer.End.Equal(noon.Add(2*time.Hour)) {
			t.Errorf("extended: %+v of %+v", longer, first)
		}
		_, change, err = s.Block(t.Context(), want1(g, "1", time.Time{}), author(noon))
		ok(t, err)
		same(t, storage.BlockExtended, change, "permanent")
		_, change, err = s.Block(t.Context(), want1(g, "1", noon.Add(99*time.Hour)), author(noon))
		ok(t, err)
		same(t, storage.BlockKept, change, "temporary over permanent")
		same(t, []string{"extended", "extended", "made"}, kinds(t, g, "1"), "history")
	})
	t.Run("what a block does besides only grows, and every change of it is in the history", func(t *testing.T) {
		g := guild()
		ask := func(also enforcement.Also, end time.Time) (storage.Block, storage.BlockChange) {
			b := want1(g, "1", end)
			b.Also = also
			b, change, err := s.Block(t.Context(), b, author(noon))
			ok(t, err)
			return b, change
		}
		first, _ := ask(enforcement.AlsoNone, time.Time{})
		raised, change := ask(enforcement.AlsoBan, noon.Add(time.Hour))
		same(t, storage.BlockExtended, change, "harsher and shorter")
		if raised.Also != enforcement.AlsoBan || !raised.End.IsZero() || raised.ID != first.ID || raised.Revision <= first.Revision {
			t.Errorf("raised: %+v of %+v", raised, first)
		}
		kept, change := ask(enforcement.AlsoKick, time.Time{})
		same(t, storage.BlockKept, change, "milder")
		same(t, raised, kept, "block after a milder one")
		same(t, enforcement.AlsoBan, must(s.Unblock(t.Context(), g, "user", "1", author(noon)))(t).Also, "when it is closed")
		var also []enforcement.Also
		for _, e := range must(s.BlockHistory(t.Context(), g, "user", "1", storage.Page{}))(t) {
			also = append(also, e.Also)
		}
		same(t, []enforcement.Also{enforcement.AlsoBan, enforcement.AlsoBan, enforcement.AlsoNone}, also, "history")
	})
	t.Run("blocks that act are those in force, here and everywhere, of the members that are asked for", func(t *testing.T) {
		g, other := guild(), guild()
		put := func(in snowflake.ID, scope, value string, also enforcement.Also, end time.Time) {
			_, _, err := s.Block(t.Context(), storage.Block{Guild: in, Scope: scope, Value: value, Also: also, End: end}, author(noon))
			ok(t, err)
		}
		here := g.String()
		put(g, "user", here+"1", enforcement.AlsoKick, time.Time{})
		put(0, "user", here+"2", enforcement.AlsoBan, noon.Add(time.Hour))
		put(g, "member", here+":3", enforcement.AlsoStrip, time.Time{})
		put(g, "account", here+"4", enforcement.AlsoKick, time.Time{})
		put(g, "user", here+"5", enforcement.AlsoNone, time.Time{})
		put(other, "user", here+"6", enforcement.AlsoKick, time.Time{})
		put(g, "user", here+"7", enforcement.AlsoKick, time.Time{})
		must(s.Unblock(t.Context(), g, "user", here+"7", author(noon)))(t)
		values := func(at time.Time, members ...snowflake.ID) (values []string) {
			for _, b := range must(s.ActingBlocks(t.Context(), g, at, members))(t) {
				if value, mine := strings.CutPrefix(b.Value, here); mine {
					values = append(values, b.Scope+" "+value)
				}
			}
			return values
		}
		same(t, []string{"user 1", "user 2", "member :3", "account 4"}, values(noon), "of everybody")
		same(t, []string{"user 1", "member :3", "account 4"}, values(noon.Add(time.Hour)), "an hour later")
		one, err := snowflake.Parse(here + "1")
		ok(t, err)
		same(t, []string{"user 1", "member :3", "account 4"}, values(noon, one, 3), "of two")
	})
	t.Run("only shortening shortens", func(t *testing.T) {
		g := guild()
		_, err := s.ShortenBlock(t.Context(), g, "user", "1", noon.Add(time.Minute), author(noon))
		want(t, err, storage.ErrNotFound, "without a block")
		_, _, err = s.Block(t.Context(), want1(g, "1", noon.Add(time.Hour)), author(noon))
		ok(t, err)
		_, err = s.ShortenBlock(t.Context(), g, "user", "1", noon.Add(2*time.Hour), author(noon))
		want(t, err, storage.ErrConflict, "to a later end")
		b := must(s.ShortenBlock(t.Context(), g, "user", "1", noon.Add(time.Minute), author(noon)))(t)
		same(t, noon.Add(time.Minute), b.End, "end")
		same(t, []string{"shortened", "made"}, kinds(t, g, "1"), "history")
	})
	t.Run("a block is closed by a mark, and one that is over makes way for another", func(t *testing.T) {
		g := guild()
		_, err := s.Unblock(t.Context(), g, "user", "1", author(noon))
		want(t, err, storage.ErrNotFound, "without a block")
		first, _, err := s.Block(t.Context(), want1(g, "1", noon.Add(time.Hour)), author(noon))
		ok(t, err)
		_, err = s.Unblock(t.Context(), g, "user", "1", author(noon.Add(time.Hour)))
		want(t, err, storage.ErrNotFound, "when it is over")
		second, change, err := s.Block(t.Context(), want1(g, "1", time.Time{}), author(noon.Add(time.Hour)))
		ok(t, err)
		same(t, storage.BlockMade, change, "after one that is over")
		closed := must(s.Unblock(t.Context(), g, "user", "1", author(noon.Add(2*time.Hour))))(t)
		if closed.ID != second.ID || second.ID == first.ID || closed.InForce(noon.Add(2*time.Hour)) || closed.ClosedBy != "console:root" {
			t.Errorf("closed %+v, of %+v and %+v", closed, second, first)
		}
		same(t, []string{"revoked", "made", "ended", "made"}, kinds(t, g, "1"), "history")
		same(t, 2, len(must(s.Blocks(t.Context(), storage.BlockFilter{Guild: &g}))(t)), "blocks that are kept")
		same(t, 0, len(must(s.Blocks(t.Context(), storage.BlockFilter{Guild: &g, InForce: noon.Add(3 * time.Hour)}))(t)), "blocks in force")
	})
	t.Run("what changed is read in the order of revisions, from nothing without what is closed", func(t *testing.T) {
		g := guild()
		since := func(revision int64) (values []string, newest int64) {
			newest, err := s.BlocksSince(t.Context(), revision, func(b storage.Block) error {
				if b.Guild == g {
					values = append(values, b.Value)
				}
				return nil
			})
			ok(t, err)
			return values, newest
		}
		_, start := since(0)
		for _, v := range []string{"1", "2", "3"} {
			_, _, err := s.Block(t.Context(), want1(g, v, time.Time{}), author(noon))
			ok(t, err)
		}
		must(s.Unblock(t.Context(), g, "user", "1", author(noon)))(t)
		values, newest := since(start)
		same(t, []string{"2", "3", "1"}, values, "changed")
		all, _ := since(0)
		same(t, []string{"2", "3"}, all, "in force")
		none, same1 := since(newest)
		if len(none) != 0 || same1 != newest {
			t.Errorf("after the newest: %v, %d then %d", none, newest, same1)
		}
		_, _, err := s.Block(t.Context(), want1(g, "4", noon.Add(time.Hour)), author(noon))
		ok(t, err)
		_, _, err = s.Block(t.Context(), want1(g, "5", time.Time{}), author(noon))
		ok(t, err)
		ends := map[string]time.Time{}
		_, err = s.BlocksSince(t.Context(), 0, func(b storage.Block) error {
			if b.Guild == g {
				ends[b.Value] = b.End
			}
			return nil
		})
		ok(t, err)
		if !ends["4"].Equal(noon.Add(time.Hour)) || !ends["5"].IsZero() || !ends["2"].IsZero() {
			t.Errorf("read with these ends: %v", ends)
		}
		stop := errors.New("enough")
		_, err = s.BlocksSince(t.Context(), 0, func(storage.Block) error { return stop })
		want(t, err, stop, "a reader that has enough")
	})
	t.Run("of many who block at once one makes the block, and no revision is given twice", func(t *testing.T) {
		g, other := guild(), s.db.Open(t)
		changes, revisions := make([]storage.BlockChange, 8), make([]int64, 8)
		var wg sync.WaitGroup
		for i := range changes {
			wg.Go(func() {
				store := s.Store
				if i%2 == 1 {
					store = other
				}
				b, change, err := store.Block(t.Context(), want1(g, "1", time.Time{}), author(noon))
				if err != nil {
					t.Error(err)
				}
				changes[i], revisions[i] = change, b.Revision
			})
		}
		wg.Wait()
		made := 0
		for i, c := range changes {
			if c == storage.BlockMade {
				made++
			}
			if revisions[i] != revisions[0] {
				t.Errorf("revisions %v of one block", revisions)
			}
		}
		same(t, 1, made, "made")
	})
	t.Run("a ladder counts what its rule made, and refusals are noted without a block", func(t *testing.T) {
		g := guild()
		_, _, err := s.Block(t.Context(), want1(g, "1", noon.Add(time.Minute)), author(noon))
		ok(t, err)
		_, _, err = s.Block(t.Context(), want1(g, "1", noon.Add(time.Hour)), author(noon.Add(2*time.Minute)))
		ok(t, err)
		ok(t, s.RefuseBlock(t.Context(), want1(g, "1", time.Time{}), author(noon)))
		same(t, 2, must(s.BlockStrikes(t.Context(), g, "user", "1", "flood", noon.Add(-time.Second)))(t), "strikes")
		same(t, 1, must(s.BlockStrikes(t.Context(), g, "user", "1", "flood", noon))(t), "strikes after the first")
		same(t, 0, must(s.BlockStrikes(t.Context(), g, "user", "1", "other", noon.Add(-time.Hour)))(t), "strikes of another rule")
		same(t, []string{"refused", "made", "ended", "made"}, kinds(t, g, "1"), "history")
	})
	t.Run("what is over names nobody any more when the person is forgotten, and what is in force stays", func(t *testing.T) {
		g := guild()
		for _, value := range []string{"71", "72"} {
			_, _, err := s.Block(t.Context(), want1(g, value, time.Time{}), author(noon))
			ok(t, err)
		}
		must(s.Unblock(t.Context(), g, "user", "71", author(noon)))(t)
		ok(t, s.ErasePerson(t.Context(), g, "discord:71", author(noon)))
		want(t, s.ErasePerson(t.Context(), g, "discord:72", author(noon)), storage.ErrNotFound, "who is blocked")
		same(t, 0, len(kinds(t, g, "71")), "history of the forgotten one")
		same(t, []string{"made"}, kinds(t, g, "72"), "history of the blocked one")
		for _, b := range must(s.Blocks(t.Context(), storage.BlockFilter{Guild: &g}))(t) {
			if b.Value == "71" || b.Value == "0" && (b.Reason != "" || b.Message != "" || b.Evidence != nil || b.ClosedReason != "") {
				t.Errorf("kept: %+v", b)
			}
		}
	})
	t.Run("nobody deletes a block or rewrites its history, and nobody blocks without a reason", func(t *testing.T) {
		g, db := guild(), s.db.SQL(t)
		_, _, err := s.Block(t.Context(), want1(g, "1", time.Time{}), author(time.Now()))
		ok(t, err)
		for _, statement := range []string{"DELETE FROM block", "DELETE FROM block_history", "UPDATE block_history SET kind = 'x'"} {
			if _, err := db.ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s was let through", statement)
			}
		}
		by := author(time.Now())
		by.Reason = " "
		if _, _, err := s.Block(t.Context(), want1(g, "2", time.Time{}), by); err == nil {
			t.Error("a block without a reason was made")
		}
		same(t, []string{"made"}, kinds(t, g, "1"), "history")
	})
}
