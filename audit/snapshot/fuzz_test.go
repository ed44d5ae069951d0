package snapshot_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/internal/problem"
)

// Whatever a file holds: a sentence or a snapshot, never a panic; and a snapshot reads the same after it was written, and can be
// replayed and masked.
func FuzzParse(f *testing.F) {
	for _, data := range guilds(f) {
		f.Add(data)
	}
	f.Add([]byte(`{"guild_roles":[{"id":1,"name":"a"}],"guild_members":[[{"user":{"id":1,"username":"\u202e"},"roles":[1,2]}],[]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := snapshot.Parse(bytes.NewReader(data), "f")
		if err != nil {
			if problem.KindOf(err) != problem.Usage {
				t.Fatalf("no sentence for a person: %v", err)
			}
			return
		}
		if !json.Valid(bytes.TrimPrefix(data, []byte("\uFEFF"))) {
			t.Fatal("accepted what is not JSON")
		}
		text := written(t, first)
		second, err := snapshot.Parse(strings.NewReader(text), "f")
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, text)
		}
		if again := written(t, second); again != text {
			t.Fatalf("reads differently after it was written:\n%s\n%s", text, again)
		}
		a := snapshot.Replay(first, audit.Gates{})
		if n := len(answerOf(t, a).Verdicts); n != len(first.Members) {
			t.Fatalf("%d verdicts for %d members", n, len(first.Members))
		}
		if err := a.WriteText(io.Discard); err != nil {
			t.Fatal(err)
		}
		snapshot.Mask(first)
	})
}
