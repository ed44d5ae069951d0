package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// plain is an answer as JSON has it.
func plain(answer map[string]any) (out map[string]any) {
	for _, counts := range []string{"verdicts", "results"} {
		if m, ok := answer[counts].(map[string]int); ok && len(m) == 0 {
			delete(answer, counts)
		}
	}
	if err := json.Unmarshal(encode(answer), &out); err != nil {
		panic(fmt.Sprintf("an answer is no JSON: %v", err))
	}
	return out
}

// compare says where an answer is not what is right. Keys that right does not name are free.
func compare(right, answer map[string]any) (differences []string) {
	for _, k := range slices.Sorted(maps.Keys(right)) {
		got, there := answer[k]
		switch {
		case k == "events":
			differences = append(differences, compareEvents(right[k], got)...)
		case right[k] == nil && !there:
		case !equal(right[k], got):
			differences = append(differences, difference(k, right[k], got))
		}
	}
	return differences
}

// compareEvents takes a missing type for none of it, on both sides.
func compareEvents(right, got any) (differences []string) {
	want, ok := right.(map[string]any)
	if !ok {
		return []string{difference("events", right, got)}
	}
	have, _ := got.(map[string]any)
	all := maps.Clone(want)
	maps.Copy(all, have)
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		w, h := want[kind], have[kind]
		if w == nil {
			w = 0.0
		}
		if h == nil {
			h = 0.0
		}
		if !equal(w, h) {
			differences = append(differences, difference("events."+kind, w, h))
		}
	}
	return differences
}

// equal is equality, but that {"min", "max"} stands for the numbers between.
func equal(right, got any) bool {
	bounds, isMap := right.(map[string]any)
	n, isNumber := got.(float64)
	if isMap && isNumber {
		for k, v := range bounds {
			b, ok := v.(float64)
			if !ok || (k != "min" && k != "max") || (k == "min" && n < b) || (k == "max" && n > b) {
				return false
			}
		}
		return len(bounds) > 0
	}
	have, both := got.(map[string]any)
	if isMap && both {
		if len(bounds) != len(have) {
			return false
		}
		for k, v := range bounds {
			if h, there := have[k]; !there || !equal(v, h) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(right, got)
}

func difference(place string, right, got any) string {
	return fmt.Sprintf("%s is %s, right is %s", place, encode(got), encode(right))
}
