package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage/sqlite"
)

// found compares two records, Discord's audit log and the program's own: found ID ROLE SECONDS holds that the last grant of the role to the member
// stands in the member's finding, with a time so soon after the grant's.
func (s *story) found(a []string) (err error) {
	most, err := strconv.Atoi(a[2])
	if err != nil {
		return err
	}
	granted, err := s.granted(a[0], a[1])
	if err != nil {
		return err
	}
	db, err := sqlite.Open(s.t.Context(), sqlite.Config{Path: filepath.Join(s.dir, "data", "gatecamp.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var found time.Time
	err = db.SQL().QueryRowContext(s.t.Context(), `SELECT c.at FROM finding_change c JOIN finding f ON f.id = c.finding_id
		WHERE f.guild_id = $1 AND f.subject_id = $2 AND c.at >= $3 AND c.run_id = 0 ORDER BY c.at LIMIT 1`, s.guild, id(a[0]), granted).Scan(&found)
	if err != nil {
		return fmt.Errorf("no finding of %s since %s: %w", a[0], granted, err)
	}
	if after := found.Sub(granted); after > time.Duration(most)*time.Second {
		return fmt.Errorf("granted at %s, found at %s: after %s", granted, found, after)
	}
	return nil
}

// goesBy holds that a run keeps the policy that it went by, whole, under its number: goes-by RUN VERSION.
func (s *story) goesBy(a []string) (err error) {
	db, err := sqlite.Open(s.t.Context(), sqlite.Config{Path: filepath.Join(s.dir, "data", "gatecamp.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var version int64
	var policy string
	err = db.SQL().QueryRowContext(s.t.Context(), `SELECT p.version, p.document FROM run r JOIN policy p
		ON p.guild_id = r.guild_id AND p.version = r.policy_version WHERE r.guild_id = $1 AND r.id = $2`, s.guild, a[0]).Scan(&version, &policy)
	if err == nil && (strconv.FormatInt(version, 10) != a[1] || !strings.Contains(policy, "unknown_guest")) {
		err = fmt.Errorf("run %s went by version %d of the policy:\n%s", a[0], version, policy)
	}
	return err
}

// granted is when Discord noted the last grant of a role to a member.
func (s *story) granted(member, role string) (at time.Time, err error) {
	entries, err := s.discord.AuditLog(s.guild)
	if err != nil {
		return at, err
	}
	for _, raw := range entries {
		var e struct {
			ID      snowflake.ID `json:"id"`
			Target  string       `json:"target_id"`
			Changes []struct {
				Key string `json:"key"`
				New []struct {
					Name string `json:"name"`
				} `json:"new_value"`
			} `json:"changes"`
		}
		if json.Unmarshal(raw, &e) != nil || e.Target != member {
			continue
		}
		for _, c := range e.Changes {
			if c.Key == "$add" && slices.ContainsFunc(c.New, func(r struct {
				Name string `json:"name"`
			},
			) bool {
				return r.Name == role
			}) {
				return e.ID.Time().UTC(), nil
			}
		}
	}
	return at, fmt.Errorf("Discord knows of no grant of %s to %s", role, member)
}
