package main

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/bot"
)

// digester is an Auth that says cheaply whether anything in it is another than before.
type digester interface {
	Digest(ctx context.Context) (string, error)
}

// authWatch finds what changes on Auth's side, where Discord tells nothing.
func (s *server) authWatch() *bot.AuthWatch {
	return bot.NewAuthWatch(bot.AuthWatchConfig{
		Every: s.cfg.AuthInterval, Guilds: s.keepers, Trouble: s.authTrouble, Log: s.log, Digest: s.authDigest, Changed: s.authChanged,
	})
}

// authDigest compares nothing while this process waits.
func (s *server) authDigest(ctx context.Context) (string, error) {
	d, is := s.auth.(digester)
	if !is || len(s.present()) == 0 {
		return "", nil
	}
	digest, err := d.Digest(ctx)
	if err == nil {
		s.state.compared(s.now())
	}
	return digest, err
}

// authChanged asks any guild's line: there is one Auth.
func (s *server) authChanged(ctx context.Context, since time.Time) ([]snowflake.ID, bool, error) {
	all := s.kept()
	if len(all) == 0 {
		return nil, false, nil
	}
	h, is := s.house(all[0])
	if !is {
		return nil, false, nil
	}
	news, err := h.engine.AuthChanged(ctx, since)
	if err == nil {
		s.state.judge(news.Health.String(), s.now(), all...)
	}
	return news.Members, news.Everybody, err
}

// authWithin is how long Auth may take to be judged anew once it can be read again.
const authWithin = time.Minute

// authTrouble notes that Auth cannot be read, or can be again.
func (s *server) authTrouble(code, detail string) {
	switch code {
	case bot.TroubleAuth:
		s.state.judge(audit.Blind.String(), s.now(), s.kept()...)
	case bot.TroubleAuthBack:
		go s.judgeAnew()
	}
	s.troubleEverywhere(code, detail)
}

func (s *server) judgeAnew() {
	ctx, end := context.WithTimeout(context.Background(), authWithin)
	defer end()
	for _, t := range s.present() {
		for _, h := range t.all() {
			if r, err := h.engine.ReadSource(ctx); err == nil {
				s.state.judge(r.Verdict.Health.String(), s.now(), h.id)
			}
		}
	}
}

func (s *server) keepers() (all []*bot.Guild) {
	for _, t := range s.present() {
		for _, h := range t.all() {
			all = append(all, h.keeper)
		}
	}
	return all
}
