package relational

import (
	"encoding/json"
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecamp/storage"
)

func TestTheDocumentWrittenByHandIsTheJSONOfTheFacts(t *testing.T) {
	idList := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) snowflake.ID { return snowflake.ID(rapid.Uint64Max(1<<63-1).Draw(r, "id")) }), 0, 4)
	codes := rapid.SliceOfN(rapid.String(), 0, 3)
	rapid.Check(t, func(r *rapid.T) {
		f := storage.FindingFacts{
			Held: idList.Draw(r, "held"), Go: idList.Draw(r, "go"), Unreachable: idList.Draw(r, "unreachable"), Missing: idList.Draw(r, "missing"),
			Lookalikes: idList.Draw(r, "lookalikes"), Alerts: codes.Draw(r, "alerts"), Reasons: codes.Draw(r, "reasons"), Holds: codes.Draw(r, "holds"),
			Proposed: rapid.Bool().Draw(r, "proposed"), User: rapid.Int64().Draw(r, "user"), Wanted: rapid.String().Draw(r, "wanted"),
		}
		document := encodeFacts(f)
		var back facts
		if err := json.Unmarshal([]byte(document), &back); err != nil {
			r.Fatalf("%s: %v", document, err)
		}
		if diff := cmp.Diff(encode(back), document); diff != "" {
			r.Fatalf("not what encoding/json writes:\n%s", diff)
		}
		if !json.Valid(logged(f, document)) {
			r.Fatalf("the change log would hold %s", logged(f, document))
		}
	})
}
