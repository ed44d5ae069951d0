package audit_test

import (
	"slices"
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"pgregory.net/rapid"

	"gatecamp/audit"
)

func TestLinkedListsExactlyTheAccountsOfAnID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few ids, of which some are neighbours and some far apart, so that slots are fought over and ids are shared.
		id := rapid.Custom(func(t *rapid.T) snowflake.ID {
			return snowflake.ID(rapid.Uint64Range(0, 12).Draw(t, "low") << rapid.SampledFrom([]int{0, 1, 22, 59}).Draw(t, "shift"))
		})
		var d audit.Directory
		want := map[snowflake.ID][]int32{}
		for i, discord := range rapid.SliceOfN(id, 0, 60).Draw(t, "links") {
			d.Accounts = append(d.Accounts, audit.Account{User: int64(i + 1), Discord: discord})
			if discord != 0 {
				want[discord] = append(want[discord], int32(i))
			}
		}
		d.Index()
		for _, asked := range append(rapid.SliceOfN(id, 1, 20).Draw(t, "asked"), 0) {
			if got := d.Linked(asked); !slices.Equal(got, want[asked]) {
				t.Errorf("%d is linked to %v, want %v", asked, got, want[asked])
			}
		}
		for linked, accounts := range want {
			if got := d.Linked(linked); !slices.Equal(got, accounts) {
				t.Errorf("%d is linked to %v, want %v", linked, got, accounts)
			}
		}
	})
}

func TestADirectoryThatWasNeverIndexedLinksNobody(t *testing.T) {
	d := audit.Directory{Accounts: []audit.Account{{User: 1, Discord: 5}}}
	if got := d.Linked(5); got != nil {
		t.Errorf("linked to %v", got)
	}
}
