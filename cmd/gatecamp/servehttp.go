package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	listenAgain = 5 * time.Second  // how often an address that another process uses is tried again
	httpWithin  = 5 * time.Second  // for a request to be read, and answered
	httpIdle    = 30 * time.Second // for a connection that nobody uses
)

// serveHTTP answers whoever asks how this process is, until the context ends. An address that cannot be had stops nothing: a replica on
// one machine with the owner waits for it, as it waits for the lease.
func (s *server) serveHTTP(ctx context.Context) {
	said := false
	for {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.HTTPListen)
		if err == nil {
			s.answerHTTP(ctx, listener)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if !said {
			said = true
			cure := "set GATECAMP_HTTP_LISTEN to an address of this machine"
			if errors.Is(err, syscall.EADDRINUSE) {
				cure = "another process uses the address: it is tried again; or set GATECAMP_HTTP_LISTEN to a free one"
			}
			s.log.WarnContext(ctx, "no answers over HTTP: /healthz, /readyz and /metrics are not served", "address", s.cfg.HTTPListen, "error", err, "cure", cure)
		}
		if wait(ctx, listenAgain) != nil {
			return
		}
	}
}

func (s *server) answerHTTP(ctx context.Context, listener net.Listener) {
	server := &http.Server{Handler: s.pages(), ReadTimeout: httpWithin, WriteTimeout: httpWithin, IdleTimeout: httpIdle}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, end := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer end()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	s.log.InfoContext(ctx, "answers over HTTP", "address", listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.ErrorContext(ctx, "HTTP ended", "error", err)
	}
	if !stop() {
		<-ended
	}
}

// routes are the pages. None of them holds a secret, or an id of a person.
func (s *server) pages() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("alive\n"))
	})
	pages.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		v := s.view()
		w.Header().Set("Content-Type", "application/json")
		if !v.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(v)
	})
	pages.Handle("GET /metrics", s.counts.handler())
	return pages
}
