package storagetest

import (
	"context"
	"errors"
	"testing"

	"gatecamp/storage"
	"gatecamp/trail"
)

func testTogether(t *testing.T, s suite) {
	ctx := t.Context()
	broken := errors.New("something else went wrong")
	t.Run("what is written together is kept together", func(t *testing.T) {
		g := guild()
		ok(t, s.Together(ctx, func(r storage.Roles) error {
			keys, err := r.PersonKeys(ctx, g, []storage.Person{{Ref: "discord:1", Discord: 1}})
			if err != nil {
				return err
			}
			if _, err := r.Pause(ctx, g, author(noon)); err != nil {
				return err
			}
			if _, err := r.Paused(ctx, g); err != nil {
				t.Errorf("what was written is not seen: %v", err)
			}
			return r.AppendTrail(ctx, []storage.TrailRecord{{Entry: trail.Entry{Guild: g, At: noon, Kind: trail.Seen, What: "x", Subject: keys[0]}}})
		}))
		_ = must(s.db.Open(t).Paused(ctx, g))(t)
		if got := must(s.TrailEntries(ctx, g, storage.TrailFilter{}))(t); len(got) != 1 {
			t.Errorf("%d entries in the trail, want 1", len(got))
		}
	})
	t.Run("an error keeps nothing", func(t *testing.T) {
		g := guild()
		err := s.Together(ctx, func(r storage.Roles) error {
			if _, err := r.Pause(ctx, g, author(noon)); err != nil {
				return err
			}
			return broken
		})
		want(t, err, broken, "together")
		_, err = s.Paused(ctx, g)
		want(t, err, storage.ErrNotFound, "paused")
		ok(t, s.Together(ctx, func(r storage.Roles) error { return r.Remember(ctx, g, "x", []byte("y"), noon) }))
	})
	t.Run("a conflict inside is the conflict outside", func(t *testing.T) {
		g := guild()
		ok(t, s.MakeCard(ctx, storage.Card{ID: "twice" + g.String(), Guild: g, Kind: "apply", Created: noon, Expires: noon}))
		err := s.Together(ctx, func(r storage.Roles) error {
			if err := r.Remember(ctx, g, "x", []byte("y"), noon); err != nil {
				return err
			}
			return r.MakeCard(ctx, storage.Card{ID: "twice" + g.String(), Guild: g, Kind: "apply", Created: noon, Expires: noon})
		})
		want(t, err, storage.ErrConflict, "together")
		_, _, err = s.Recall(ctx, g, "x")
		want(t, err, storage.ErrNotFound, "what was written before the conflict")
	})
	t.Run("a glance sees one state and writes nothing", func(t *testing.T) {
		g, other := guild(), s.db.Open(t)
		ok(t, s.Glance(ctx, func(r storage.Roles) error {
			_, err := r.Paused(ctx, g)
			want(t, err, storage.ErrNotFound, "before")
			_ = must(other.Pause(ctx, g, author(noon)))(t)
			_, err = r.Paused(ctx, g)
			want(t, err, storage.ErrNotFound, "after somebody else wrote")
			if err := r.Remember(ctx, g, "x", []byte("y"), noon); err == nil {
				t.Error("a glance wrote something")
			}
			return nil
		}))
		_ = must(s.Paused(ctx, g))(t)
	})
	t.Run("an ended context keeps nothing", func(t *testing.T) {
		g := guild()
		brief, end := context.WithCancel(ctx)
		err := s.Together(brief, func(r storage.Roles) error {
			err := r.Remember(brief, g, "x", []byte("y"), noon)
			end()
			return err
		})
		if err == nil {
			t.Error("kept though its context had ended")
		}
		_, _, err = s.Recall(ctx, g, "x")
		want(t, err, storage.ErrNotFound, "what was written")
	})
}
