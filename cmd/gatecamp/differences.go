package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// differences tells how one JSON document became another, a line for each value: "unknown_guest.default: report → strip". None: never nil.
func differences(before, after json.RawMessage) []string {
	was, is := leaves(before), leaves(after)
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	lines := []string{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		switch a, b := was[path], is[path]; {
		case a == b:
		case a == "":
			lines = append(lines, fmt.Sprintf("%s: %s (new)", visible(path), visible(b)))
		case b == "":
			lines = append(lines, fmt.Sprintf("%s: %s is gone", visible(path), visible(a)))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s → %s", visible(path), visible(a), visible(b)))
		}
	}
	return lines
}

// leaves are the values of a document that are no objects, by their path.
func leaves(doc json.RawMessage) map[string]string {
	found := map[string]string{}
	var root any
	in := json.NewDecoder(bytes.NewReader(doc))
	in.UseNumber()
	if in.Decode(&root) == nil {
		collect(root, "", found)
	}
	return found
}

func collect(v any, path string, found map[string]string) {
	object, ok := v.(map[string]any)
	if !ok {
		found[path] = fmt.Sprint(v)
		return
	}
	for key, value := range object {
		p := key
		if path != "" {
			p = path + "." + key
		}
		collect(value, p, found)
	}
}
