package scenario

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// canaries looks for every secret of the story wherever the program leaves anything behind: the logs of its processes, its data folder (the
// database, its journal, the lock file) and what its HTTP port tells. It must have had something to look through.
func (s *story) canaries() error {
	p, err := s.process("serve")
	if err != nil {
		return err
	}
	places := map[string][]byte{"the log of serve": []byte(p.out.String()), "the last answer of the console": []byte(s.last)}
	for _, page := range []string{"/metrics", "/readyz", "/healthz"} {
		text, err := s.get(p.http + page)
		if err != nil {
			return err
		}
		places[page] = []byte(text)
	}
	data := filepath.Join(s.dir, "data")
	err = filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		places[filepath.Base(path)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return err
	}
	for _, must := range []string{"the log of serve", "/metrics", "gatecamp.db"} {
		if len(places[must]) == 0 {
			return fmt.Errorf("%s is empty: nothing is shown by it", must)
		}
	}
	for where, text := range places {
		for what, secret := range s.everySecret() {
			if bytes.Contains(text, []byte(secret)) {
				return fmt.Errorf("%s holds %s", where, what)
			}
		}
	}
	return nil
}

// everySecret is what the program was given, or was handed by Discord, that nobody else may have.
func (s *story) everySecret() map[string]string {
	all := map[string]string{}
	for i, secret := range s.secrets() {
		all[fmt.Sprintf("secret %d", i+1)] = secret
	}
	for i, token := range s.gate.handed() {
		all[fmt.Sprintf("the token of interaction %d", i+1)] = token
	}
	p, err := s.process("serve")
	if err != nil {
		return all
	}
	for _, setting := range p.cmd.Env {
		if name, value, _ := strings.Cut(setting, "="); strings.HasSuffix(name, "_URL") && strings.Contains(value, "@") {
			_, password, _ := strings.Cut(value[:strings.LastIndexByte(value, '@')], "://")
			_, password, _ = strings.Cut(password, ":")
			all["the password in "+name] = password
		}
	}
	return all
}

// handed are the tokens of interactions that the program answered with.
func (g *gate) handed() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.tokens)
}

// remember notes the token of an interaction, which stands in the path of every answer to it.
func (g *gate) remember(path string) {
	parts := strings.Split(versionless(path), "/")
	if len(parts) < 4 || parts[1] != "interactions" && (parts[1] != "webhooks" || !strings.Contains(path, "messages")) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.tokens, parts[3]) {
		g.tokens = append(g.tokens, parts[3])
	}
}
