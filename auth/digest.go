package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"gatecamp/audit"
	"gatecamp/internal/wrap"
)

// Digest is equal for as long as nothing that is read of Auth changes, the three facts apart that are measured in seconds. The database
// takes it, with the columns of docs/auth.md and one statement; of a SQLite file, which cannot, it is that of what was read, and the
// file is read again only after somebody has written to it. It is for finding out that something changed, not for keeping secrets.
func (r *Reader) Digest(ctx context.Context) (_ string, err error) {
	defer wrap.Err(&err, "auth.Digest")
	if r.target.engine == sqliteEngine {
		d, err := r.Current(ctx)
		if err != nil {
			return "", err
		}
		counts := maps.Clone(d.Counts)
		for _, f := range measured {
			delete(counts, f)
		}
		return hashed(fmt.Sprint(d.Sum(), counts)), nil // maps are printed in the order of their keys
	}
	s, err := r.begin(ctx)
	if err != nil {
		return "", r.explain(ctx, err)
	}
	defer s.end(ctx)
	token, err := s.token(ctx)
	if err != nil {
		return "", r.explain(ctx, err)
	}
	return hashed(token), nil
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// token tells the content of the tables from any other, within this process.
func (s *snapshot) token(ctx context.Context) (string, error) {
	statement, columns := s.engine.token()
	var parts []string
	err := s.each(ctx, statement, columns, func(r *row) {
		for i := range columns {
			parts = append(parts, r.string(i))
		}
	})
	return s.file + strings.Join(parts, " "), err
}

// token is the statement that digests every needed table, and how many columns its one row has. SQLite counts the writes of others
// instead (https://sqlite.org/pragma.html#pragma_data_version).
func (e engine) token() (statement string, columns int) {
	if e == sqliteEngine {
		return "PRAGMA data_version", 1
	}
	sums := make([]string, len(needed))
	for i, t := range needed {
		sums[i] = "(SELECT " + e.sum(t) + " FROM " + t.name + ")"
	}
	return "SELECT " + strings.Join(sums, ", "), len(needed)
}

// sum digests a table whatever the order of its rows, into 64 bits.
func (e engine) sum(t table) string {
	if e == postgresEngine {
		return "CONCAT(COUNT(*), ':', SUM(" + postgresHash(t.columns) + "))"
	}
	return "CONCAT(COUNT(*), ':', BIT_XOR(" + mysqlHash(t.columns) + "))"
}

// mysqlHash digests a row. MariaDB and MySQL have no quick digest of 64 bits, but the product of two CRCs is one. A sum or XOR of single
// CRCs is not: it stays the same when two users swap their groups.
func mysqlHash(columns []string) string {
	// NULL would make the whole row nothing.
	all := make([]string, len(columns))
	for i, c := range columns {
		if all[i] = c; c != "id" {
			all[i] = "IFNULL(" + c + ", '-')"
		}
	}
	if len(all) == 1 {
		return "CRC32(" + all[0] + ") * CRC32(REVERSE(" + all[0] + "))"
	}
	rest := all[1]
	if len(all) > 2 {
		rest = "CONCAT_WS('\x1f', " + strings.Join(all[1:], ", ") + ")"
	}
	return "CRC32(" + all[0] + ") * CRC32(" + rest + ")"
}

// postgresHash digests a row column by column, each with what was before it as its seed.
func postgresHash(columns []string) string {
	seed := "0"
	for _, c := range columns {
		switch {
		case c == "id" || c == "uid" || c == "priority" || strings.HasSuffix(c, "_id"):
			seed = "hashint8extended(COALESCE(" + c + ", -1)::bigint, " + seed + ")"
		case strings.HasPrefix(c, "is_"):
			seed = "hashint8extended(COALESCE(" + c + "::int, -1)::bigint, " + seed + ")"
		default:
			seed = "hashtextextended(COALESCE(" + c + "::text, '-'), " + seed + ")"
		}
	}
	return seed
}

// withCounts is a directory with other counts; all else is shared.
func withCounts(d *audit.Directory, c audit.Counts) *audit.Directory {
	own := *d
	own.Counts = c
	return &own
}
