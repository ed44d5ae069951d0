package config

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"
)

var (
	errNoID     = errors.New("no Discord id")
	errNoFormat = errors.New("no log format")
)

// ID is one Discord id, 1 to 2⁶³−1; zero is none.
type ID snowflake.ID

// UnmarshalText reads decimal digits; of no text it makes none.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = 0
		return nil
	}
	n, err := parseID(string(text))
	*id = ID(n)
	return err
}

// IDs are Discord ids, each once, in the order they were written.
type IDs []snowflake.ID

// UnmarshalText reads ids with commas between them; of no text it makes none.
func (ids *IDs) UnmarshalText(text []byte) error {
	*ids = nil
	if len(text) == 0 {
		return nil
	}
	seen := map[snowflake.ID]bool{}
	for part := range strings.SplitSeq(string(text), ",") {
		id, err := parseID(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		if !seen[id] {
			*ids = append(*ids, id)
		}
		seen[id] = true
	}
	return nil
}

func parseID(text string) (snowflake.ID, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return 0, errNoID
	}
	return snowflake.ID(n), nil
}

// LogFormat is how log lines are written.
type LogFormat int

// The formats.
const (
	LogAuto LogFormat = iota // text on a terminal, else JSON
	LogText
	LogJSON
)

func (f LogFormat) String() string { return [...]string{"auto", "text", "json"}[f] }

// UnmarshalText reads the name of a format.
func (f *LogFormat) UnmarshalText(text []byte) error {
	for _, known := range []LogFormat{LogAuto, LogText, LogJSON} {
		if known.String() == string(text) {
			*f = known
			return nil
		}
	}
	return errNoFormat
}
