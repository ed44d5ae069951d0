package law

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "gatecamp"
	root   = "../.."
)

// listed is one call for the whole module, since go list takes its second each time.
func listed(t *testing.T) []Package {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", "./...")
	cmd.Dir = root
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, said.String())
	}
	var packages []Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestTheHouseKeepsItsLaw(t *testing.T) {
	for _, breach := range Breaches(module, listed(t)) {
		t.Error(breach)
	}
}

// eachFile calls f with every text file of the repository, named from its root with slashes.
func eachFile(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if slices.Contains([]string{".git", ".cache", "data", "node_modules"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || name == "go.sum" || name == ".env" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Contains(text[:min(len(text), 8000)], []byte{0}) {
			f(name, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoFileHoldsASecret(t *testing.T) {
	seen := 0
	eachFile(t, func(name string, text []byte) {
		seen++
		for _, s := range SecretsIn(name, text) {
			t.Error(s)
		}
	})
	if seen < 10 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func TestGoFilesAreAboutOneThing(t *testing.T) {
	eachFile(t, func(name string, text []byte) {
		if strings.HasSuffix(name, ".go") {
			for _, s := range TooLong(name, text) {
				t.Error(s)
			}
		}
	})
}

func TestTestsWaitForSignalsNotForTime(t *testing.T) {
	eachFile(t, func(name string, text []byte) {
		for _, s := range Sleeps(name, text) {
			t.Error(s)
		}
	})
}

func TestPureCodeReadsNoClock(t *testing.T) {
	eachFile(t, func(name string, text []byte) {
		if !strings.HasSuffix(name, ".go") || !isPure(name) {
			return
		}
		found, err := Clocks(name, text)
		if err != nil {
			t.Error(err)
		}
		for _, s := range found {
			t.Error(s)
		}
	})
}

func TestTheLinterKnowsTheHomesToo(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range homes {
		if !slices.Contains(h.in, "") && !slices.Contains(h.in, "harness") && !bytes.Contains(text, []byte("pkg: "+h.library+"\n")) {
			t.Errorf(".golangci.yml has no depguard line for %s; add \"- pkg: %s\" to the rule outside its home", h.library, h.library)
		}
	}
}
