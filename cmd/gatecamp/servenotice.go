package main

import (
	"context"
	"strings"

	"gatecamp/audit"
	"gatecamp/auth"
	"gatecamp/internal/wrap"
	"gatecamp/notify"
)

// openNotices makes what writes into Auth, where an operator has set that; else there is none.
func (s *server) openNotices() (closing func() error, err error) {
	if !s.cfg.AuthNotify.IsSet() {
		return func() error { return nil }, nil
	}
	if s.notices, err = auth.OpenNotices(s.cfg.AuthNotify); err != nil {
		return nil, err
	}
	return s.notices.Close, nil
}

// notice is what the queue calls; nil where nothing may be written into Auth.
func (s *server) notice() func(context.Context, notify.Message) error {
	if s.notices == nil {
		return nil
	}
	return s.writeNotice
}

// writeNotice tells everyone who holds Auth's permission to see runs, and is active, as Auth says now.
func (s *server) writeNotice(ctx context.Context, m notify.Message) (err error) {
	defer wrap.Err(&err, "write a notification into Auth")
	d, err := s.auth.Read(ctx)
	if err != nil {
		return err
	}
	var users []int64
	for i := range d.Accounts {
		if a := &d.Accounts[i]; d.Holds(a, audit.RightViewRuns.String()) {
			users = append(users, a.User)
		}
	}
	if len(users) == 0 {
		s.log.WarnContext(ctx, "nobody in Auth may see runs, so no notification was written there", "title", m.Title)
		return nil
	}
	level := auth.Warning
	if m.Tone == notify.Trouble {
		level = auth.Danger
	}
	return s.notices.Write(ctx, users, auth.Notice{Level: level, Title: m.Title, Text: inWriting(m), At: s.now()})
}

// inWriting is a message where there are no fields.
func inWriting(m notify.Message) string {
	parts := []string{m.Text}
	for _, f := range m.Fields {
		parts = append(parts, f.Name+": "+f.Value)
	}
	return strings.Join(append(parts, m.Footer), "\n\n")
}
