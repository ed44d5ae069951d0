package audit

import "github.com/disgoorg/snowflake/v2"

// Summary is the counts of a run and the few facts that a person reads first. Edges turn it into text.
type Summary struct {
	Guild   snowflake.ID   `json:"guild_id"`
	Digest  string         `json:"digest"`
	Planned map[string]int `json:"planned"` // actions by kind
	Held    map[string]int `json:"held"`    // actions by the code of what holds them; one action may have several
	Holds   []string       `json:"holds"`   // each brake with its figures
	Results map[string]int `json:"results"` // outcomes by result
	Codes   map[string]int `json:"codes"`   // refusals and failures by code
	Members int            `json:"members"` // distinct members whom at least one action was done to
}

// Summarize counts what a plan wanted, what was held, and what became of the rest.
func Summarize(p Plan, outcomes []Outcome) Summary {
	s := Summary{
		Guild: p.Guild, Digest: p.Digest, Planned: map[string]int{}, Held: p.HeldCounts(),
		Holds: []string{}, Results: map[string]int{}, Codes: map[string]int{},
	}
	for _, a := range p.Actions {
		s.Planned[a.Kind.String()]++
	}
	for _, h := range p.Holds {
		s.Holds = append(s.Holds, h.String())
	}
	touched := map[snowflake.ID]struct{}{}
	for _, o := range outcomes {
		s.Results[o.Result.String()]++
		if o.Code != "" {
			s.Codes[o.Code]++
		}
		if o.Result == Done || o.Result == Collateral {
			touched[o.Action.Member] = struct{}{}
		}
	}
	s.Members = len(touched)
	return s
}
