package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/discord/discordtest"
)

// TestStoriesOfAuthsDatabase are told on a database that a real Alliance Auth made and filled, over a link that breaks.
func TestStoriesOfAuthsDatabase(t *testing.T) {
	if os.Getenv("GATECAMP_TEST_AUTH_MARIADB_URL") == "" {
		t.Skip("GATECAMP_TEST_AUTH_MARIADB_URL is not set: needs a MariaDB that a real Alliance Auth filled, see .ci/run")
	}
	paths, err := filepath.Glob("testdata/source/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no stories", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			tell(t, path)
		})
	}
}

// everybodyJoins lets everybody into the guild whom that Auth knows: a guild in which nobody is linked makes Auth doubtful.
func (s *story) everybodyJoins() error {
	text, err := os.ReadFile(os.Getenv("GATECAMP_TEST_AUTH_MARIADB_ANSWERS"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		var account struct {
			DiscordIDs []snowflake.ID `json:"discord_ids"`
		}
		if err := json.Unmarshal([]byte(line), &account); err != nil {
			return err
		}
		for _, one := range account.DiscordIDs {
			if s.present(one.String(), true) == nil { // two accounts may be linked with one
				continue
			}
			if err := s.discord.Join(s.guild, discordtest.Arrival{ID: one, Username: "pilot"}); err != nil {
				return fmt.Errorf("%s does not join: %w", one, err)
			}
		}
	}
	return nil
}

// sourceIs reads Auth from a real database, and breaks it off: auth mariadb · auth dies after=BYTES, in the middle of an answer · auth died · auth mended.
func (s *story) sourceIs(what string) (err error) {
	word, rest, _ := strings.Cut(what, " after=")
	if s.source == nil && word != "mariadb" {
		return errors.New("Auth is a file")
	}
	switch word {
	case "mariadb":
		address, err := url.Parse(os.Getenv("GATECAMP_TEST_AUTH_MARIADB_URL"))
		if err != nil {
			return err
		}
		if s.source, err = s.link(address.Host); err != nil {
			return err
		}
		address.Host = s.source.listener.Addr().String()
		if err := s.setting("GATECAMP_AUTH_URL", address.String()); err != nil {
			return err
		}
		return s.everybodyJoins()
	case "dies":
		bytes, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return err
		}
		s.source.dieAfter(bytes)
	case "died":
		if !s.source.isDown() {
			return errors.New("it has not come so far yet")
		}
	case "mended":
		s.source.down(false)
	default:
		return fmt.Errorf("Auth's database knows no %q", word)
	}
	return nil
}
