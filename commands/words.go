package commands

import "time"

// eveTime is a time as exports and choices show it: UTC, which is EVE time; a dash for none.
func eveTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// jsonTime is a time for programs: RFC 3339 in UTC, or null.
func jsonTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}
