package config_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecamp/config"
)

func TestAFileWithASecretThatEverybodyMayReadIsNamed(t *testing.T) {
	files := map[string]string{
		".env":                  "GATECAMP_REDIS_URL=redis://:" + canary + "@cache:6379/0\nGATECAMP_DATA_DIR=/srv\n",
		"/etc/open":             "postgres://u:canary@db/gatecamp",
		"/run/secrets/gatecamp": "mysql://u:canary@db/aa",
		"/etc/closed":           "https://discord.com/api/webhooks/900000000000000001/" + canary,
	}
	w := env("GATECAMP_DATABASE_URL_FILE", "/etc/open", "GATECAMP_AUTH_URL_FILE", "/run/secrets/gatecamp", "GATECAMP_WEBHOOK_URL_FILE", "/etc/closed")
	e := config.Environment{Lookup: func(name string) (string, bool) { v, is := w.env[name]; return v, is }}
	e.ReadFile = func(name string) ([]byte, error) {
		if text, is := files[name]; is {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	e.Mode = func(name string) (fs.FileMode, error) {
		switch name {
		case "/etc/closed":
			return 0o640, nil
		case ".env", "/etc/open", "/run/secrets/gatecamp":
			return 0o644, nil
		}
		return 0, errors.New("no such file")
	}
	c, err := config.Load(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".env", "/etc/open"}, c.Exposed()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	delete(files, ".env")
	files[".env"] = "GATECAMP_DATA_DIR=/srv\n"
	if c, err = config.Load(t.Context(), e); err != nil || len(c.Exposed()) != 1 {
		t.Errorf("a .env without a secret is named: %v, %v", c.Exposed(), err)
	}
}
