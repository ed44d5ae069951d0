package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecamp/auth"
	"gatecamp/auth/authtest"
	"gatecamp/config"
	"gatecamp/internal/secret"
	"gatecamp/notify"
)

func TestTheBellInAuthRingsForWhoeverMaySeeRuns(t *testing.T) {
	w := authtest.Small() // admin is a superuser, cid is not active
	w.Users[1].Permissions = []string{"aa_discord_audit.view_auditrun"}
	w.Users[3].Permissions = []string{"aa_discord_audit.view_auditrun"}
	url := authtest.SQLite(t, w)
	authtest.Exec(t, url, `CREATE TABLE notifications_notification (id integer PRIMARY KEY, user_id int, level varchar(10), title varchar(254), message text, timestamp datetime, viewed bool)`)
	source, err := auth.Open(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	log := &bytes.Buffer{}
	s := &server{
		console: &console{now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }}, auth: source, cfg: config.Config{AuthNotify: secret.New(url)}, log: newLog(log, config.LogText, 0),
	}
	closing, err := s.openNotices()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closing() }()
	m := notify.Message{Title: "Run 7 failed", Text: "Auth could not be read.", Tone: notify.Trouble, Fields: []notify.Field{{Name: "Held", Value: "3"}}, Footer: "guild 9"}
	if err := s.notice()(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	rows := authtest.Rows(t, url, "SELECT user_id, level, title, message FROM notifications_notification ORDER BY user_id")
	text := "Auth could not be read.\n\nHeld: 3\n\nguild 9"
	if diff := cmp.Diff([]string{"1|danger|Run 7 failed|" + text, "2|danger|Run 7 failed|" + text}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	authtest.Exec(t, url, "DELETE FROM auth_user_user_permissions", "UPDATE auth_user SET is_superuser = 0")
	if err := s.notice()(t.Context(), m); err != nil || !strings.Contains(log.String(), "nobody in Auth may see runs") {
		t.Errorf("with nobody to tell: %v\n%s", err, log)
	}
	if none := (&server{}); none.notice() != nil {
		t.Error("without the setting something would be written into Auth")
	}
}
