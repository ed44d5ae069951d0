package reconcile_test

import (
	"encoding/json"
	"testing"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/storage"
)

func TestARunCanBeFollowedWhileItIsAtWork(t *testing.T) {
	w, e := released(t, stripStrangers)
	for id := range 3 {
		w.join(snowflake.ID(2001+id), roleState)
	}
	run := w.order(e, storage.Order{})
	var stored reconcile.Counts
	w.afterDo = func(n int, _ audit.Action) {
		if n == 3 { // two are behind it
			if err := json.Unmarshal(w.stored(run.ID).Counts, &stored); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := e.Sweep(t.Context(), run, w, w); err != nil {
		t.Fatal(err)
	}
	if got := stored.Summary.Results["done"]; got != 2 {
		t.Errorf("while the third change is made the run says %d are done, want 2", got)
	}
}
