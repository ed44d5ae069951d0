package audit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/audit"
)

func TestAKickIsPutOffWhereNothingButGraceIsInItsWay(t *testing.T) {
	const policy = `
role Member at=5
role Admin at=200
state Member
access state:Member
account Ann state=Member discord=Ann
account Bea discord=Bea
policy unknown_guest strip_kick grace=24h
policy linked_no_perm strip_kick grace=48h
override Mild report
protect Safe
block Blocked
opened Bea ago=10h
member Ann roles=Member joined=1h
member Bea roles=Member
member Owner joined=1h
member Day roles=Member joined=23h
member Old roles=Member joined=25h
member Unknown joined=unknown
member High roles=Admin joined=1h
member Pend pending joined=1h
member Mild joined=1h
member Safe joined=1h
member Blocked joined=1h
member Robot flagged-bot joined=1h
`
	for name, c := range map[string]struct {
		change string
		want   map[string]time.Duration
	}{
		"the policy kicks":  {"", map[string]time.Duration{"Day": time.Hour, "Bea": 38 * time.Hour}},
		"it only strips":    {"policy unknown_guest strip grace=24h\npolicy linked_no_perm strip grace=48h\n", map[string]time.Duration{}},
		"there is no grace": {"policy unknown_guest strip_kick grace=0s\npolicy linked_no_perm strip_kick grace=0s\n", map[string]time.Duration{}},
		"Auth is blind":     {"auth blind\n", map[string]time.Duration{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := readWorld(t, policy+c.change)
			scene, got := audit.NewScene(w.Subjects), map[string]time.Duration{}
			for _, m := range w.members {
				f := scene.Facts(m)
				d := audit.Decide(f, audit.Classify(f), &w.policy)
				if until, ok := audit.KickPutOff(f, &d, &w.policy); ok {
					got[w.names[m.ID]] = until.Sub(w.At)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("put off, and for how long (-want +got):\n%s", diff)
			}
		})
	}
}
