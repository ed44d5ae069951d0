package snapshot_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecamp/audit"
	"gatecamp/audit/snapshot"
	"gatecamp/audit/snapshot/demo"
	"gatecamp/internal/problem"
)

const smallAuth = `{"aa": {"states": ["Member"], "groups": ["A"], "access": {"states": ["Member"]}, "reserved_names": ["x"],
	"users": [{"id": 2, "username": "b", "state": "Member", "discord_uid": "20"}, {"id": 1, "username": "a", "groups": ["A"]}],
	"identities": [{"uid": 30, "user": 1, "source": "historical"}]}}`

func authFile(t *testing.T, content string) (*snapshot.AuthFile, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "auth.json")
	put(t, path, content)
	return snapshot.OpenAuth(path), path
}

// put replaces a file as an editor does: another inode.
func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestAuthFileSaysWhoEveryoneIs(t *testing.T) {
	a, _ := authFile(t, smallAuth)
	d, err := a.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Accounts) != 2 || d.Accounts[0].User != 1 || !d.Accounts[1].Access || d.Accounts[0].Access {
		t.Errorf("accounts %+v", d.Accounts)
	}
	if len(d.Linked(20)) != 1 || len(d.Identities) != 1 || !d.IsReserved("X") || d.Edition != "snapshot" {
		t.Errorf("directory %+v", d)
	}
	for fact, want := range map[audit.Fact]int64{audit.Users: 2, audit.Links: 1, audit.States: 1, audit.AccessHolders: 1} {
		if got := d.Counts[fact]; got != want {
			t.Errorf("%s is %d, want %d", fact, got, want)
		}
	}
	if w := a.Warnings(); len(w) != 0 {
		t.Errorf("warned though nothing is ignored: %q", w)
	}
}

func TestAuthFileIgnoresTheRestAndSaysSoOnce(t *testing.T) {
	a, path := authFile(t, string(demo.Guild()))
	if _, err := a.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	warnings := a.Warnings()
	if len(warnings) != 1 {
		t.Fatalf("%d warnings, want one", len(warnings))
	}
	for _, name := range []string{path, "at", "guild", "guild_roles", "guild_members", "limits", "cases", "aa.bot_uids", "aa.protected", "aa.blocks", "aa.overrides", "aa.opened", "aa.policy"} {
		if !strings.Contains(warnings[0], name) {
			t.Errorf("%q does not name %s", warnings[0], name)
		}
	}
	// What is not read cannot be wrong either.
	odd, _ := authFile(t, strings.Replace(smallAuth, `{"aa": {`, `{"guild_members": "no", "aa": {"policy": 5, "blocks": [{}], `, 1))
	if _, err := odd.Read(t.Context()); err != nil {
		t.Errorf("a part that is not read was refused: %v", err)
	}
}

func TestAuthFileIsReadAnewWhenItChanged(t *testing.T) {
	a, path := authFile(t, smallAuth)
	first, err := a.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := a.Read(t.Context()); err != nil || again != first {
		t.Errorf("an unchanged file was parsed again (%v)", err)
	}
	put(t, path, strings.Replace(smallAuth, `"username": "a"`, `"username": "c"`, 1))
	second, err := a.Read(t.Context())
	if err != nil || second.Accounts[0].Username != "c" {
		t.Errorf("another inode of the same size was not read: %v", err)
	}
	// In place, same size, another time of change.
	if err := os.WriteFile(path, []byte(strings.Replace(smallAuth, `"username": "a"`, `"username": "d"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if third, err := a.Read(t.Context()); err != nil || third.Accounts[0].Username != "d" {
		t.Errorf("a file that was changed in place was not read: %v", err)
	}
}

// Whatever happens to the file, the last good answer is not given again: from that read on nothing is known.
func TestAuthFileIsBlindFromTheReadOnThatFails(t *testing.T) {
	for name, broken := range map[string]string{
		"empty":         "",
		"cut off":       smallAuth[:len(smallAuth)/2],
		"without users": `{"aa": {"states": ["Member"], "users": []}}`,
		"without aa":    `{"guild_roles": [], "guild_members": []}`,
		"aa is null":    `{"aa": null}`,
		"not JSON":      "users: []",
	} {
		t.Run(name, func(t *testing.T) {
			a, path := authFile(t, smallAuth)
			if _, err := a.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
			put(t, path, broken)
			for range 2 {
				if d, err := a.Read(t.Context()); err == nil || d != nil {
					t.Fatalf("answered %+v, %v", d, err)
				}
			}
			put(t, path, smallAuth)
			if _, err := a.Read(t.Context()); err != nil {
				t.Errorf("a mended file is not read: %v", err)
			}
		})
	}
	a, path := authFile(t, smallAuth)
	if _, err := a.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := a.Read(t.Context())
	if !errors.Is(err, os.ErrNotExist) || problem.KindOf(err) != problem.Held || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
}

func TestAuthFileMustBeAFile(t *testing.T) {
	if _, err := snapshot.OpenAuth(t.TempDir()).Read(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	a, _ := authFile(t, smallAuth)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Read(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAuthFileFingerprintNamesTheFileAndNothingSecret(t *testing.T) {
	a, path := authFile(t, smallAuth)
	b, _ := authFile(t, smallAuth)
	first, _ := a.Read(t.Context())
	other, _ := b.Read(t.Context())
	if first.Fingerprint == other.Fingerprint || !strings.HasPrefix(first.Fingerprint, "snapshot:") || strings.Contains(first.Fingerprint, path) {
		t.Errorf("fingerprints %q and %q", first.Fingerprint, other.Fingerprint)
	}
	put(t, path, strings.Replace(smallAuth, `"a"`, `"z"`, 1))
	if again, err := a.Read(t.Context()); err != nil || again.Fingerprint != first.Fingerprint {
		t.Errorf("the same file became another Auth: %v", err)
	}
}

func TestAuthFileHasADigestOfWhatItSays(t *testing.T) {
	a, path := authFile(t, smallAuth)
	digest := func() (string, string) {
		t.Helper()
		sum, err := a.Digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d, err := a.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return sum, d.Version
	}
	sum, version := digest()
	if again, same := digest(); again != sum || same != version {
		t.Error("an untouched file has another digest or version")
	}
	put(t, path, strings.ReplaceAll(smallAuth, `"x"`, `"y"`))
	if other, changed := digest(); other == sum || changed == version {
		t.Error("a changed file has the digest or version of before")
	}
	put(t, path, smallAuth)
	if back, _ := digest(); back != sum {
		t.Error("a file that says what it said before has another digest")
	}
}
