package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"gatecamp/audit"
	"gatecamp/config"
	"gatecamp/storage"
)

// askState asks the serving process of this database how it is: over HTTP where it answers there, else through what it left. False if
// there is none that says.
func (c *console) askState(ctx context.Context, cfg config.Config, db storage.Memory, h *healthState) (bool, error) {
	if v, ok := askHTTP(ctx, cfg.HTTPListen); ok && h.ownerID != "" && (v.ID == h.ownerID || v.OwnerID == h.ownerID) {
		h.take(v)
		return true, nil
	}
	if h.ownerID == "" {
		return false, nil
	}
	v, fresh, err := leftState(ctx, db, stateName, c.now())
	if err != nil || !fresh || v.ID != h.ownerID {
		return false, err
	}
	h.take(v)
	return true, nil
}

// take is what the process said.
func (h *healthState) take(v stateView) {
	h.Guilds, h.Waiting, h.Gateway = v.Guilds, v.Role == roleWaiting, v.Gateway
	h.Healthy = v.Ready && h.Database.OK
	h.Roster = len(v.Guilds) > 0
	h.Auth.Verdict = "not_judged_yet"
	for _, g := range v.Guilds {
		h.Roster = h.Roster && g.Roster
		if rank(g.Auth) > rank(h.Auth.Verdict) {
			h.Auth.Verdict = g.Auth
		}
	}
}

// rank orders verdicts, the worst last.
func rank(verdict string) int {
	return slices.Index([]string{audit.Healthy.String(), audit.Doubtful.String(), audit.Blind.String()}, verdict)
}

// unwell says what is missing.
func (h *healthState) unwell() string {
	switch {
	case !h.Database.OK:
		return "not healthy: the database cannot be used"
	case h.Owner == nil:
		return "not healthy: no process watches a guild from this data directory"
	case !h.Gateway:
		return "not healthy: the process that acts has no session with Discord"
	case len(h.Guilds) == 0:
		return "not healthy: the process that acts has no guild in sight"
	case !h.Roster:
		return "not healthy: the process that acts has not seen every member yet"
	}
	return "not healthy: the process that acts has no verdict on Auth yet"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

const (
	stateWithin = 2 * time.Second // for a process to say how it is
	mostState   = 1 << 20         // more than any process says
)

// askHTTP asks whoever answers at the address of the settings; false if it is no gatecamp.
func askHTTP(ctx context.Context, listen string) (v stateView, ok bool) {
	ctx, end := context.WithTimeout(ctx, stateWithin)
	defer end()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+dialable(listen)+"/readyz", nil)
	if err != nil {
		return v, false
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // never by a proxy
	answer, err := client.Do(request)
	if err != nil {
		return v, false
	}
	defer answer.Body.Close() //nolint:errcheck // only read from
	data, err := io.ReadAll(io.LimitReader(answer.Body, mostState))
	return v, err == nil && json.Unmarshal(data, &v) == nil && v.ID != ""
}

// dialable is an address to listen on as one to call: all addresses of this machine become its own.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
