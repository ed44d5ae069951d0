package main

import (
	"encoding/json"
	"fmt"

	"gatecamp/audit/policyfile"
)

// differences tells how one policy became another, a line for each value: "unknown_guest.default: report → strip". None: never nil.
func differences(before, after json.RawMessage) []string {
	lines := []string{}
	for _, d := range policyfile.Differences(before, after) {
		switch {
		case d.Before == "":
			lines = append(lines, fmt.Sprintf("%s: %s (new)", visible(d.Path), visible(d.After)))
		case d.After == "":
			lines = append(lines, fmt.Sprintf("%s: %s is gone", visible(d.Path), visible(d.Before)))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s → %s", visible(d.Path), visible(d.Before), visible(d.After)))
		}
	}
	return lines
}
