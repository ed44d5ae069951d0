package auth

import (
	"strconv"
	"strings"
)

// Unknown is the Edition of tables that are newer, or older, than what this version was compared with: report only.
const Unknown = "unknown"

// newest are the last migrations that this version was compared with, per app whose tables it reads (Alliance Auth 5.5.0, Django 5.2).
var newest = map[string]int{"authentication": 26, "eveonline": 25, "groupmanagement": 21, "discord": 5, "auth": 12, "contenttypes": 2}

// editionOf goes by which migrations are there and never by the last of them: squashed migrations and those that they replace are both
// recorded, in any order.
func editionOf(migrations map[string][]string) string {
	for app, last := range newest {
		for _, name := range migrations[app] {
			number, _, _ := strings.Cut(name, "_")
			if n, err := strconv.Atoi(number); err == nil && n > last {
				return Unknown
			}
		}
	}
	has := func(prefix string) bool {
		for _, name := range migrations["eveonline"] {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	}
	switch {
	case has("0019_v5squash"):
		return "5"
	case has("0017"):
		return "4"
	}
	return Unknown
}
