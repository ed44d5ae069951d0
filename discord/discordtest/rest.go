package discordtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/disgoorg/snowflake/v2"
)

const (
	unversioned  = 0 // the old API without a number: PATCH member answers 204, waits count milliseconds
	maxBody      = 25 << 20
	maxFile      = 10 << 20
	maxReason    = 512
	faultWait    = time.Second      // retry_after of the faults 429_*
	faultSkew    = 90 * time.Second // of clock_skew
	faultSlow    = 3 * time.Second
	blockMessage = "<!DOCTYPE html><html><head><title>Access denied | discord.com used Cloudflare to restrict access</title></head><body>error code: 1015</body></html>"
)

// call is one REST request on its way.
type call struct {
	*Server
	route   *route
	app     *application // nil without a bot token
	bearer  *user        // whom an OAuth2 token stands for; see the package comment
	version int
	path    map[string]string
	query   url.Values
	header  http.Header
	body    json.RawMessage // JSON, or payload_json of a form
	files   []file
	reason  string
	ok      bool // fault ok_without_effect

	delivered *snowflake.ID // the message that a webhook's call made or changed
}

// answer is what a handler says: status and something to encode, nil for no body.
type answer struct {
	status int
	body   any
}

func ok(body any) (answer, error)      { return answer{http.StatusOK, body}, nil }
func created(body any) (answer, error) { return answer{http.StatusCreated, body}, nil }
func noContent() (answer, error)       { return answer{http.StatusNoContent, nil}, nil }

// result is an answer on its way out, with what the log needs.
type result struct {
	status int
	body   []byte
	html   bool
	scope  scope
	permit permit
	fault  string
}

// splitVersion parts "/api/v10/guilds/1" into 10 and "/guilds/1"; a path without a number is unversioned, -1 is a version that Discord lacks.
func splitVersion(path string) (int, string) {
	path = strings.TrimPrefix(path, "/api")
	if !strings.HasPrefix(path, "/v") || len(path) < 3 || path[2] < '0' || path[2] > '9' {
		return unversioned, path
	}
	number, rest, _ := strings.Cut(path[2:], "/")
	switch number {
	case "9":
		return 9, "/" + rest
	case "10":
		return 10, "/" + rest
	default:
		return -1, "/" + rest
	}
}

// restHandler is the door for REST: fault, limit, act, answer, note, in this order.
func (s *Server) restHandler(w http.ResponseWriter, r *http.Request) {
	arrived, started := s.clock.Now(), time.Now()
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	c := &call{Server: s, query: r.URL.Query(), header: r.Header}
	var path string
	c.version, path = splitVersion(r.URL.Path)
	c.route, c.path = s.routes.find(r.Method, path)
	log := Request{Time: arrived.UnixMicro(), Method: r.Method, Path: maskPath(path), Query: r.URL.RawQuery, Version: c.version}
	log.Route = log.Path
	if c.route.template != "" {
		log.Route = c.route.template
	}
	res := s.serve(r.Context(), c, w.Header(), r, address, log.Path)
	s.limiter.count(s.clock.Now(), address, res.status, res.scope)
	log.Bot, log.Body, log.Reason, log.Status = c.botName(), maskBody(c.body), c.reason, res.status
	if res.permit.bucket != nil {
		log.Bucket = res.permit.bucket.hash()
	}
	log.Fault, log.Duration = res.fault, float64(time.Since(started).Microseconds())/1000
	s.requests.add(log)
	s.noteDelivery(c, res, arrived)
	s.write(w, res)
}

// write sends the answer. Everything that is Discord's own comes through a proxy that says Via; without it libraries take it for Cloudflare.
func (s *Server) write(w http.ResponseWriter, res result) {
	h := w.Header()
	if res.scope != scopeCloudflare {
		h.Set("Via", "1.1 google")
	}
	switch {
	case res.html:
		h.Set("Content-Type", "text/html; charset=UTF-8")
	case len(res.body) > 0:
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(res.status)
	w.Write(res.body) //nolint:errcheck // the bot may have hung up
}

func (c *call) botName() string {
	if c.app == nil {
		return ""
	}
	return c.app.name
}

// serve does everything between request and answer.
func (s *Server) serve(ctx context.Context, c *call, h http.Header, r *http.Request, address, masked string) result {
	if wait := s.limiter.blockedFor(s.clock.Now(), address); wait > 0 && !s.cfg.Unlimited {
		return cloudflare(h, wait)
	}
	if err := c.prepare(r); err != nil {
		return refuse(err)
	}
	at := site{method: r.Method, route: c.route.template, path: masked, bot: c.botName()}
	skew := time.Duration(0)
	fault := ""
	if s.fires(FaultClockSkew, at) {
		skew, fault = faultSkew, FaultClockSkew.String()
	}
	h.Set("Date", s.clock.Now().Add(skew).UTC().Format(http.TimeFormat))
	if s.fires(FaultSlow, at) {
		fault = FaultSlow.String()
		s.pause(ctx, faultSlow)
	}
	p := s.permit(c)
	if res, hit := s.faultBefore(c, h, at, &p); hit {
		p.headers(h, s.clock.Now(), skew)
		return res
	}
	p.headers(h, s.clock.Now(), skew)
	if p.scope != scopeNone {
		return result{status: http.StatusTooManyRequests, body: encode(p.refusal(h, c.version)), scope: p.scope, permit: p, fault: fault}
	}
	res := s.act(c, at)
	res.permit = p
	if res.fault == "" {
		res.fault = fault
	}
	return res
}

// act lets the route do its work, with the faults that touch the work itself.
func (s *Server) act(c *call, at site) result {
	fault := ""
	s.mu.Lock()
	if c.route.members == writes && s.fires(FaultForeignWrite, at) {
		fault = FaultForeignWrite.String()
		s.foreignWrite(c)
	}
	if c.route.members != nothing && isWrite(at.method) && s.fires(FaultOKWithoutEffect, at) {
		fault, c.ok = FaultOKWithoutEffect.String(), true
	}
	if c.route.members == reads && s.fires(FaultDeletedRoleInMember, at) {
		fault = FaultDeletedRoleInMember.String()
		s.haunt(c)
	}
	a, err := c.route.do(c)
	var body []byte
	if err == nil && a.body != nil {
		body = encode(a.body)
	}
	s.mu.Unlock()
	if isWrite(at.method) && s.fires(Fault5xxAfter, at) {
		return result{status: 500, body: []byte(`{"message": "500: Internal Server Error", "code": 0}`), fault: Fault5xxAfter.String()}
	}
	if err != nil {
		res := refuse(err)
		res.fault = fault
		return res
	}
	return result{status: a.status, body: body, fault: fault}
}

// faultBefore are the faults that answer in the route's place.
func (s *Server) faultBefore(c *call, h http.Header, at site, p *permit) (result, bool) {
	refuse := func(why scope, name FaultName) (result, bool) {
		p.scope, p.wait = why, faultWait
		if why == scopeGlobal {
			p.bucket = nil
		} else if p.bucket != nil {
			p.remaining = 0
		}
		if why == scopeUser { // the wait is for the end of the window
			p.resets = s.clock.Now().Add(faultWait)
		}
		return result{status: 429, body: encode(p.refusal(h, c.version)), scope: why, permit: *p, fault: name.String()}, true
	}
	switch {
	case s.fires(Fault429User, at):
		return refuse(scopeUser, Fault429User)
	case s.fires(Fault429Shared, at):
		return refuse(scopeShared, Fault429Shared)
	case s.fires(Fault429Global, at):
		return refuse(scopeGlobal, Fault429Global)
	case s.fires(Fault429Cloudflare, at):
		res := cloudflare(h, faultWait)
		res.fault = Fault429Cloudflare.String()
		p.bucket = nil
		return res, true
	case s.fires(Fault5xxBefore, at):
		return result{status: http.StatusBadGateway, body: []byte("<html><head><title>502 Bad Gateway</title></head></html>"), html: true, fault: Fault5xxBefore.String()}, true
	}
	return result{}, false
}

// permit asks the limiter. Interaction endpoints are not under the global limit.
func (s *Server) permit(c *call) permit {
	if s.cfg.Unlimited || c.route.template == "" {
		return permit{}
	}
	key := bucketKey{bot: c.botName()}
	if b := c.route.bucket; b != nil {
		key.bucket, key.resource = b.name, c.path[b.per]
	}
	return s.limiter.ask(s.clock.Now(), c.app, key, c.route.bucket, !c.route.free)
}

func cloudflare(h http.Header, wait time.Duration) result {
	h.Set("Retry-After", strconv.Itoa(max(int(wait/time.Second), 1)))
	return result{status: http.StatusTooManyRequests, body: []byte(blockMessage), html: true, scope: scopeCloudflare}
}

func refuse(err error) result {
	var e *APIError
	if !errors.As(err, &e) {
		e = &APIError{Status: 500, Message: "500: Internal Server Error"} // a bug of ours, told as Discord would
	}
	return result{status: e.Status, body: encode(e)}
}

// pause waits by the clock, or until the bot hangs up.
func (s *Server) pause(ctx context.Context, d time.Duration) {
	over := make(chan struct{})
	stop := s.clock.AfterFunc(d, func() { close(over) })
	defer stop()
	select {
	case <-over:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}

// prepare reads who calls and what with.
func (c *call) prepare(r *http.Request) error {
	if auth, has := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); has {
		if id, err := snowflake.Parse(auth); err == nil {
			c.mu.Lock()
			c.bearer = c.userOrNew(id)
			c.mu.Unlock()
		}
	} else if token := r.Header.Get("Authorization"); token != "" {
		c.mu.Lock()
		c.app = c.appByToken(token)
		c.mu.Unlock()
	}
	switch {
	case c.version < 0:
		return badRequest(50041, "Invalid API version provided.")
	case c.route.template == "" && c.route.do == nil:
		return &APIError{Status: http.StatusNotFound, Message: "404: Not Found"}
	case c.route.do == nil:
		return &APIError{Status: http.StatusMethodNotAllowed, Message: "405: Method Not Allowed"}
	case c.route.auth && c.app == nil && !(c.bearer != nil && c.route.oauth):
		return unauthorized()
	}
	reason := r.Header.Get("X-Audit-Log-Reason")
	if reason == "" && c.version != 10 { // before v10 the query could carry it; discordgo's bans and kicks do so
		reason = url.PathEscape(c.query.Get("reason"))
	}
	if err := c.readReason(reason); err != nil {
		return err
	}
	return c.readBody(r)
}

// readReason decodes the audit-log reason; raw UTF-8 is taken as it is.
func (c *call) readReason(raw string) error {
	c.reason = raw
	if plain, err := url.PathUnescape(raw); err == nil && utf8.ValidString(plain) {
		c.reason = plain
	}
	if utf8.RuneCountInString(c.reason) > maxReason {
		return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 512 in length.", "X-Audit-Log-Reason")
	}
	return nil
}

// readBody takes JSON, or a form with payload_json and files[n].
func (c *call) readBody(r *http.Request) error {
	tooLarge := &APIError{Status: http.StatusRequestEntityTooLarge, Code: 40005, Message: "Request entity too large"}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return badRequest(50109, "The request body contains invalid JSON.")
	case len(data) > maxBody:
		return tooLarge
	case len(data) == 0:
		return nil
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		c.body = data
	} else if err := c.readForm(multipart.NewReader(bytes.NewReader(data), params["boundary"])); err != nil {
		return err
	}
	if c.body != nil && !json.Valid(c.body) {
		c.body = nil
		return badRequest(50109, "The request body contains invalid JSON.")
	}
	for _, f := range c.files {
		if len(f.data) > maxFile {
			return tooLarge
		}
	}
	return nil
}

func (c *call) readForm(form *multipart.Reader) error {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return badRequest(50109, "The request body contains an invalid form.")
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return badRequest(50109, "The request body contains an invalid form.")
		}
		if part.FormName() == "payload_json" {
			c.body = data
		} else if strings.HasPrefix(part.FormName(), "file") {
			c.files = append(c.files, file{Name: part.FileName(), data: data})
		}
	}
}

// decode reads the body into v; what does not fit is 50035.
func (c *call) decode(v any) error {
	if len(c.body) == 0 {
		return nil
	}
	err := json.Unmarshal(c.body, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return invalidForm("BASE_TYPE_BAD_TYPE", "The value has the wrong type.", strings.Split(wrong.Field, ".")...)
	case err != nil:
		return invalidForm("BASE_TYPE_BAD_VALUE", err.Error(), "_")
	}
	return nil
}

// id is a path value as a snowflake.
func (c *call) id(name string) (snowflake.ID, error) {
	id, err := snowflake.Parse(c.path[name])
	if err != nil || c.path[name] == "null" {
		return 0, invalidForm("NUMBER_TYPE_COERCE", "Value \""+c.path[name]+"\" is not snowflake.", name)
	}
	return id, nil
}

// actor is the calling bot.
func (c *call) actor() actor {
	return actor{id: c.app.user.id, app: c.app, reason: c.reason, noEffect: c.ok}
}
