package auth

import (
	"errors"
	"strings"
	"testing"

	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
)

func FuzzAURLIsTakenOrRefusedWithoutItsPassword(f *testing.F) {
	for _, url := range []string{
		"mysql://u:canary@host/db?tls=true", "postgres://u:canary@[::1]:5432/db?sslmode=disable", "sqlite:/a b?c", "mysql://u:canary%zz@h/d", "snapshot:x", ":", "//",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		target, err := parse(secret.New(url))
		if err == nil {
			if target.connector == nil {
				t.Errorf("%q: taken without a way to connect", url)
			}
			return
		}
		p, ok := errors.AsType[*problem.Problem](err)
		if !ok || p.Kind != problem.Usage || p.Cure == "" || p.Cause != nil {
			t.Fatalf("%q: %#v", url, err)
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", url, err)
		}
	})
}
