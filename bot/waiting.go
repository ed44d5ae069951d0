package bot

import (
	"sync"

	"github.com/disgoorg/snowflake/v2"
)

// waiting are the members whose look had to do without Auth: they are looked at again once it is believed.
type waiting struct {
	mu       sync.Mutex
	ids      map[snowflake.ID]struct{}
	everyone bool // too many to name, or a look at everybody went without
}

// add reports whether somebody begins to wait.
func (w *waiting) add(ids []snowflake.ID, bound int) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = len(w.ids) == 0 && !w.everyone
	for _, id := range ids {
		w.ids[id] = struct{}{}
	}
	if len(w.ids) > bound {
		w.everyone = true
	}
	if w.everyone {
		clear(w.ids)
	}
	return first
}

// all reports whether somebody begins to wait.
func (w *waiting) all() (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = len(w.ids) == 0 && !w.everyone
	w.everyone = true
	clear(w.ids)
	return first
}

// some are up to so many of those who wait, to try with.
func (w *waiting) some(n int) (ids []snowflake.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.ids {
		if len(ids) == n {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// release lets everybody go.
func (w *waiting) release() (ids []snowflake.ID, everyone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.ids {
		ids = append(ids, id)
	}
	everyone = w.everyone
	clear(w.ids)
	w.everyone = false
	return ids, everyone
}

func (w *waiting) size() (n int, everyone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ids), w.everyone
}
