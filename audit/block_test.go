package audit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecamp/audit"
)

var blockActs = rapid.SampledFrom([]audit.Act{audit.None, audit.Strip, audit.Kick, audit.Ban})

// What a block leaves a member is never more than what the member has without it. Where Discord would refuse to put the member out,
// that is said.
func TestABlockNeverYieldsMoreAccess(t *testing.T) {
	check(t, func(t *rapid.T, s *small) {
		m := s.members[rapid.IntRange(0, len(s.members)-1).Draw(t, "who")]
		s.Blocks = nil
		without := audit.NewScene(s.Subjects)
		act := blockActs.Draw(t, "block")
		s.Blocks = []audit.Block{{Member: m.ID, Act: act}}
		with := audit.NewScene(s.Subjects)
		free, _ := audit.Explain(without.Facts(m), &s.policy)
		blocked, _ := audit.Explain(with.Facts(m), &s.policy)
		if act == audit.Strip && blocked.Layer == audit.LayerBlock && !blocked.Remove.Empty() {
			// The roles go first; what the policy does about who is left comes with the next look.
			if !blocked.Remove.Minus(with.Managed()).Empty() {
				t.Fatalf("a block takes what is not managed: %+v", blocked)
			}
			m.Roles = m.Roles.Minus(blocked.Remove)
			free, _ = audit.Explain(without.Facts(m), &s.policy)
			blocked, _ = audit.Explain(with.Facts(m), &s.policy)
		}
		if diff := cmp.Diff(free.Class.Category, blocked.Class.Category); diff != "" {
			t.Fatalf("a block changed what Auth says: %s", diff)
		}
		if blocked.Ban || blocked.Kick {
			return // nothing is left
		}
		refused := blocked.Reasons.Has(audit.OwnerUnknown) || blocked.Reasons.Has(audit.MemberAboveBot)
		if blocked.Layer == audit.LayerBlock && refused {
			return
		}
		if free.Kick || free.Ban || !free.Remove.Minus(blocked.Remove).Empty() {
			t.Fatalf("without the block %+v, with it %+v", free, blocked)
		}
	})
}
