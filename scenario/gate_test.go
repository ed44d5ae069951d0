package scenario

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// gate stands between the program and the local Discord: it can hold a call while something else happens.
type gate struct {
	proxy  *httputil.ReverseProxy
	server *httptest.Server

	mu     sync.Mutex
	hooks  []*hook
	tokens []string // of interactions that were answered
}

// hook is something that happens at a call.
type hook struct {
	method, path string
	every        int // 0: at the first such call, and then no more
	after        bool
	do           func() (pass bool)
	shorten      bool // the list that Discord answers with loses its second half
	refusal      int  // not zero: the call is answered with this status, and does not arrive
	words        string

	seen int
	done bool
}

func newGate(t *testing.T, discord string) *gate {
	t.Helper()
	target, err := url.Parse(strings.TrimSuffix(discord, "/api"))
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{proxy: httputil.NewSingleHostReverseProxy(target)}
	g.proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	g.server = httptest.NewServer(g)
	t.Cleanup(g.server.Close)
	return g
}

func (g *gate) url() string { return g.server.URL + "/api" }

func (g *gate) add(h *hook) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hooks = append(g.hooks, h)
}

// unused are the hooks that never happened: a story that waits for nothing claims nothing.
func (g *gate) unused() (list []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.hooks {
		if h.seen == 0 || h.every == 0 && !h.done {
			list = append(list, h.method+" "+h.path)
		}
	}
	return list
}

// at are the hooks that this call sets off.
func (g *gate) at(r *http.Request) (before, after []*hook) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.hooks {
		if h.done || h.method != r.Method || !fits(h.path, versionless(r.URL.Path)) {
			continue
		}
		h.seen++
		switch {
		case h.every > 0 && h.seen%h.every != 0:
			continue
		case h.every == 0:
			h.done = true
		}
		if h.after {
			after = append(after, h)
		} else {
			before = append(before, h)
		}
	}
	return before, after
}

// ServeHTTP passes a call on.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.remember(r.URL.Path)
	before, after := g.at(r)
	for _, h := range before {
		if h.refusal != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(h.refusal)
			_, _ = io.WriteString(w, h.words)
			return
		}
		if !h.do() {
			panic(http.ErrAbortHandler)
		}
	}
	if len(after) == 0 {
		g.proxy.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	g.proxy.ServeHTTP(answer, r)
	for _, h := range after {
		if h.shorten {
			answer.Body = half(answer.Body.Bytes())
			answer.Header().Del("Content-Length")
		} else if !h.do() {
			panic(http.ErrAbortHandler)
		}
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = io.Copy(w, answer.Body)
}

// half is the first half of a JSON list.
func half(list []byte) *bytes.Buffer {
	var items []json.RawMessage
	if json.Unmarshal(list, &items) != nil {
		return bytes.NewBuffer(list)
	}
	short, err := json.Marshal(items[:len(items)/2])
	if err != nil {
		return bytes.NewBuffer(list)
	}
	return bytes.NewBuffer(short)
}

// versionless is the path without /api/v10.
func versionless(path string) string {
	path = strings.TrimPrefix(path, "/api")
	if rest, ok := strings.CutPrefix(path, "/v10"); ok {
		path = rest
	}
	return path
}

// fits compares a path with a pattern in which * is any one part.
func fits(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		if w != "*" && w != got[i] {
			return false
		}
	}
	return true
}
