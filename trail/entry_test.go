package trail_test

import (
	"testing"

	"gatecamp/trail"
)

func TestEveryKindHasANameThatIsRead(t *testing.T) {
	names := map[string]bool{}
	for k := trail.Seen; k <= trail.Changed; k++ {
		back, known := trail.ParseKind(k.String())
		if !known || back != k || names[k.String()] {
			t.Errorf("%d is %q, read back as %d", k, k, back)
		}
		names[k.String()] = true
	}
	for _, name := range []string{"", "unknown", "Seen"} {
		if k, known := trail.ParseKind(name); known {
			t.Errorf("%q is read as %v", name, k)
		}
	}
	if trail.Kind(0).String() != "unknown" || (trail.Changed+1).String() != "unknown" {
		t.Error("what is no kind has a name")
	}
}
