package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// AuthFile takes a snapshot for Auth: GATECAMP_AUTH_URL=snapshot:FILE. Of the file only aa.states, groups, access, reserved_names,
// users and identities are read; the guild is looked at live.
type AuthFile struct {
	path string

	mu      sync.Mutex
	stamp   fs.FileInfo // of the file that dir was read from
	dir     *audit.Directory
	ignored []string
	parsed  int // how often
}

// OpenAuth names the file; nothing is read before Read, and nothing has to be closed.
func OpenAuth(path string) *AuthFile { return &AuthFile{path: path} }

// Read opens the file anew and gives what it says. The last answer is kept as long as size, time of change and inode are the same;
// callers must not change it. An error (the file is missing, empty, cut off, or lists no users) means that nothing is known from
// this read on.
func (a *AuthFile) Read(ctx context.Context) (_ *audit.Directory, err error) {
	defer wrap.Err(&err, "snapshot.AuthFile.Read")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.dir
	a.dir = nil // whatever goes wrong below, an old answer is none
	file, err := os.Open(a.path)
	if err != nil {
		return nil, a.unreadable(err)
	}
	defer file.Close() //nolint:errcheck // only read from
	stamp, err := file.Stat()
	if err != nil {
		return nil, a.unreadable(err)
	}
	if !stamp.Mode().IsRegular() {
		return nil, a.unreadable(errors.New("not a regular file"))
	}
	if kept != nil && same(a.stamp, stamp) {
		a.dir = kept
		return kept, nil
	}
	dir, ignored, err := parseAuth(file, a.path)
	if err != nil {
		return nil, err
	}
	a.ignored = ignored
	a.parsed++
	dir.Version = fmt.Sprintf("%p %d", a, a.parsed)
	if after, err := os.Stat(a.path); err == nil && same(stamp, after) {
		a.dir, a.stamp = dir, stamp
	}
	return dir, nil
}

// Current is Read: an unchanged file is not parsed again.
func (a *AuthFile) Current(ctx context.Context) (*audit.Directory, error) { return a.Read(ctx) }

// Digest is equal for as long as the file says the same.
func (a *AuthFile) Digest(ctx context.Context) (_ string, err error) {
	defer wrap.Err(&err, "snapshot.AuthFile.Digest")
	d, err := a.Read(ctx)
	if err != nil {
		return "", err
	}
	return d.Sum(), nil
}

func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

func (a *AuthFile) unreadable(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return problem.New(problem.Held, fmt.Sprintf("Auth's snapshot file %s cannot be read: %v; nothing is concluded from it", a.path, err),
		"put the file there, readable for this user, or point GATECAMP_AUTH_URL elsewhere").Because(err)
}

// Warnings says, once the file has been read, what in it is not used.
func (a *AuthFile) Warnings() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ignored) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Auth's snapshot file %s: of it only aa.states, groups, access, reserved_names, users and identities are used; ignored: %s",
		a.path, strings.Join(a.ignored, ", "))}
}

// parseAuth reads what an Auth source is asked for, and lists what it passed over.
func parseAuth(file *os.File, path string) (_ *audit.Directory, ignored []string, err error) {
	doc := newDocument(file, path)
	f := New(path)
	var aa *accounts
	doc.object(doc.token(), func(key string) {
		if key != "aa" {
			ignored = append(ignored, showKey(key))
			doc.skip()
			return
		}
		if aa != nil {
			doc.refuse("written twice", "keep one of them")
			return
		}
		doc.optional(func(t token) {
			aa = newAccounts(doc, f, true)
			aa.read(t)
		})
	})
	doc.finished()
	if aa == nil {
		doc.missing("aa", "without it nothing is known about anybody")
		return nil, nil, doc.err
	}
	aa.finish()
	if doc.err != nil {
		return nil, nil, doc.err
	}
	if len(f.Auth.Accounts) == 0 {
		doc.refuseAt("aa.users", "empty; nothing is concluded from it", "list the users")
		return nil, nil, doc.err
	}
	f.Auth.Fingerprint = fingerprint(path)
	return f.Auth, append(ignored, aa.ignored...), nil
}

// fingerprint is the same for one file, however it is named.
func fingerprint(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	sum := sha256.Sum256([]byte(path))
	return "snapshot:" + hex.EncodeToString(sum[:8])
}
