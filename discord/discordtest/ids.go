package discordtest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/disgoorg/snowflake/v2"
)

// LooseID is an id as a string or as a number: Alliance Auth and world files write both.
type LooseID snowflake.ID

// UnmarshalJSON takes digits with or without quotes; null leaves as it is.
func (i *LooseID) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	n, err := strconv.ParseUint(string(bytes.Trim(data, `"`)), 10, 63)
	if err != nil {
		return fmt.Errorf("%s is no id: want digits", data)
	}
	*i = LooseID(n)
	return nil
}

// newID is the next snowflake: of the clock's time, and above every id before. mu is held.
func (s *Server) newID() snowflake.ID {
	s.lastID = max(s.lastID+1, snowflake.New(s.clock.Now()))
	return s.lastID
}

// secret is n random bytes in hex.
func secret(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// webhookToken has 68 characters like Discord's.
func webhookToken() string {
	b := make([]byte, 51)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// botToken starts with the application id in base64, which disgo insists on.
func botToken(id snowflake.ID, name string) string {
	return base64.RawStdEncoding.EncodeToString([]byte(id.String())) + ".local." + name
}
