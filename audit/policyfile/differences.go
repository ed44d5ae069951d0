package policyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Difference is one value that two canonical policies do not share.
type Difference struct {
	Path          string // "unknown_guest.default"
	Before, After string // empty: it is not there
}

// Differences tells how one canonical policy became another, by path; never nil.
func Differences(before, after json.RawMessage) []Difference {
	was, is := leaves(before), leaves(after)
	paths := maps.Clone(was)
	maps.Copy(paths, is)
	list := []Difference{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if was[path] != is[path] {
			list = append(list, Difference{path, was[path], is[path]})
		}
	}
	return list
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
