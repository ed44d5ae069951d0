package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestStoriesOfASmallDisk are told on a file system of a few megabytes, which can be filled up.
func TestStoriesOfASmallDisk(t *testing.T) {
	probe := t.TempDir()
	if err := mount(probe, "64k"); err != nil {
		t.Skip("a small disk can be mounted only as root: ", err)
	}
	if err := unmount(probe); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("testdata/disk/*.txtar")
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

func mount(at, size string) error {
	return ran("mount", "-t", "tmpfs", "-o", "size="+size+",mode=0700", "tmpfs", at)
}

func unmount(at string) error { return ran("umount", at) }

func ran(command string, args ...string) error {
	if out, err := exec.CommandContext(context.Background(), command, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}

// disk gives the program a small disk, fills it up and frees it again: disk 8m · disk full · disk freed.
func (s *story) disk(a []string) error {
	filler := filepath.Join(s.small, "filler")
	switch {
	case a[0] == "full" && s.small != "":
		return fill(filler)
	case a[0] == "freed" && s.small != "":
		return os.Remove(filler)
	case s.small != "" || a[0] == "full" || a[0] == "freed":
		return errors.New("want disk SIZE, then disk full and disk freed")
	}
	s.small = filepath.Join(s.dir, "data")
	if err := os.MkdirAll(s.small, 0o700); err != nil {
		return err
	}
	if err := mount(s.small, a[0]); err != nil {
		return err
	}
	s.t.Cleanup(func() {
		s.endAll()
		if err := unmount(s.small); err != nil {
			s.t.Error(err)
		}
	})
	return nil
}

// fill writes until there is no room for a single byte.
func fill(path string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for block := make([]byte, 1<<16); len(block) > 0; {
		n, err := f.Write(block)
		switch {
		case err == nil:
		case !errors.Is(err, syscall.ENOSPC):
			return err
		default:
			block = block[:(len(block)-n)/2]
		}
	}
	return nil
}
