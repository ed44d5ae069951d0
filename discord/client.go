package discord

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/bot/handlers"
	"github.com/disgoorg/disgo/cache"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
)

// Config are the options of a Client.
type Config struct {
	Token   secret.String
	APIURL  string            // another server, up to and including /api; empty: Discord
	Routes  map[string]string // which routes share a bucket, as an earlier Client's Routes told
	Session Session           // of an earlier Client, to be resumed; zero: a new one
	Log     *slog.Logger      // discarded if nil
	// OnEvent is told every reason to look again, in order, on the goroutine that reads the gateway: it must not wait. May be nil.
	OnEvent func(audit.Event)
	// OnInteraction takes what people do with commands, buttons and modals, on the same goroutine. May be nil.
	OnInteraction bot.EventListener
	Shared        Shared        // the request budget that other processes with this token use too; nil: there are none
	ChunkIdle     time.Duration // how long a member chunk may be late; 10 s if zero
	EchoWithin    time.Duration // how long the event that confirms a write may take before the member is read; 5 s if zero
	LookAgain     time.Duration // after which a write beside which Auth may be writing is looked at once more; 10 s if zero
	CountsSettle  time.Duration // how long Discord's count of a role's holders may differ from ours; 8 s if zero
}

// Session is what it takes to resume a gateway session after a restart. It ends a few minutes after the connection.
type Session struct {
	ID, ResumeURL string
	Sequence      int
}

// Client is one bot's connection to Discord: gateway, REST, and a mirror of each guild.
type Client struct {
	bot     *bot.Client
	limiter *Limiter
	chunks  *chunker
	log     *slog.Logger
	onEvent func(audit.Event)

	echo   time.Duration // how long the event that confirms a write may take
	again  time.Duration // after which a write beside which Auth may be writing is looked at once more
	settle time.Duration // how long role counts may differ from ours
	later  sync.WaitGroup

	mu        sync.Mutex
	guilds    map[snowflake.ID]*Guild
	direct    map[snowflake.ID]snowflake.ID // channels of direct messages that were opened, by person
	member    map[snowflake.ID]struct{}     // the guilds that the bot is in, as the session began; nil: not known yet
	user      snowflake.ID                  // the bot's own
	resumed   bool                          // the session began with an earlier process
	sequences map[int]int                   // of the last event, by shard
	begun     chan struct{}                 // closed when we heard how the session begins, which is a little after disgo says that it stands
	beginOnce sync.Once
	closed    chan struct{} // closed when the gateway gave up for good
	why       error
	quit      chan struct{}
	once      sync.Once
}

// noMentions keeps every message from pinging anybody. Empty, not nil: nil would be sent as null, and null pings.
var noMentions = discord.AllowedMentions{Parse: []discord.AllowedMentionType{}, Roles: []snowflake.ID{}, Users: []snowflake.ID{}}

// intents are what the bot needs to hear: guilds with their roles, members (privileged), and the audit log.
const intents = gateway.IntentGuilds | gateway.IntentGuildMembers | gateway.IntentGuildModeration

// Open asks Discord for its gateway, connects, and returns once a session stands. What a person can mend is a problem.Problem.
func Open(ctx context.Context, cfg Config) (_ *Client, err error) {
	defer wrap.Err(&err, "open Discord")
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		log: cfg.Log, onEvent: cfg.OnEvent, guilds: map[snowflake.ID]*Guild{}, direct: map[snowflake.ID]snowflake.ID{}, sequences: map[int]int{},
		begun: make(chan struct{}), closed: make(chan struct{}), quit: make(chan struct{}),
		echo: orElse(cfg.EchoWithin, 5*time.Second), again: orElse(cfg.LookAgain, 10*time.Second), settle: orElse(cfg.CountsSettle, 8*time.Second),
	}
	cfg.ChunkIdle = orElse(cfg.ChunkIdle, 10*time.Second)
	c.limiter = NewLimiter(LimiterConfig{
		Routes: cfg.Routes, Shared: cfg.Shared, Warn: func(what string) { c.log.Error("discord budget", "what", what) },
	})
	quiet := slog.New(quietHandler{cfg.Log.Handler()})
	c.chunks = newChunker(bot.NewMemberChunkingManager(nil, quiet, bot.MemberChunkingFilterNone), cfg.ChunkIdle)
	d := &dispatcher{log: cfg.Log, handlers: handlers.GetGatewayHandlers(), first: c.watch}
	if c.bot, err = disgo.New(cfg.Token.Reveal(), c.options(cfg, d, quiet)...); err != nil {
		return nil, c.explain(err)
	}
	d.client, c.user = c.bot, c.bot.ApplicationID // the same for all but the oldest bots; the session says it exactly
	if err := c.bot.OpenGateway(ctx); err != nil {
		c.Close(context.WithoutCancel(ctx))
		return nil, c.explain(err)
	}
	return c, nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

func (c *Client) options(cfg Config, d *dispatcher, quiet *slog.Logger) []bot.ConfigOpt {
	requests := []rest.ClientConfigOpt{
		rest.WithRateLimiter(c.limiter),
		rest.WithHTTPClient(&http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second, Proxy: http.ProxyFromEnvironment},
		}),
	}
	if cfg.APIURL != "" {
		requests = append(requests, rest.WithURL(strings.TrimSuffix(cfg.APIURL, "/")+fmt.Sprintf("/v%d", rest.Version)))
	}
	socket := []gateway.ConfigOpt{
		// Not one of the compressed streams: disgo v0.19.6 closes their decoder while another goroutine reads from it, which ends the
		// program with a panic now and then, when a socket is closed under load.
		gateway.WithIntents(intents), gateway.WithCompression(gateway.CompressionZlibPayload), gateway.WithEnableRawEvents(true),
		gateway.WithIdentifyRateLimiter(&identifyGuard{next: gateway.NewIdentifyRateLimiter(), quit: c.quit, log: cfg.Log}),
		gateway.WithCloseHandler(func(_ gateway.Gateway, err error, reconnect bool) { c.gaveUp(err, reconnect) }),
	}
	if s := cfg.Session; s.ID != "" {
		socket = append(socket, gateway.WithSessionID(s.ID), gateway.WithSequence(s.Sequence), gateway.WithResumeURL(s.ResumeURL))
	}
	options := []bot.ConfigOpt{
		bot.WithLogger(quiet), bot.WithEventManager(d), bot.WithMemberChunkingManager(c.chunks),
		bot.WithRestClientConfigOpts(requests...), bot.WithRestConfigOpts(rest.WithDefaultAllowedMentions(noMentions)),
		bot.WithCacheConfigOpts(cache.WithCaches(cache.FlagsNone)), bot.WithGatewayConfigOpts(socket...),
	}
	if cfg.OnInteraction != nil {
		options = append(options, bot.WithEventListeners(cfg.OnInteraction))
	}
	return options
}

// gaveUp is told by disgo when it will not connect again by itself.
func (c *Client) gaveUp(err error, reconnect bool) {
	if reconnect {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
	default:
		c.why = c.explain(err)
		close(c.closed)
	}
}

// Lost is closed when the gateway has given up for good; Err then says why.
func (c *Client) Lost() <-chan struct{} { return c.closed }

// Err says why the gateway gave up.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// Bot is the bot's own user id.
func (c *Client) Bot() snowflake.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.user
}

// Rest is for messages, commands and answers; guilds are changed through Guild alone.
func (c *Client) Rest() rest.Rest { return c.bot.Rest }

// Routes tells which routes share a bucket, for the Client of the next start.
func (c *Client) Routes() map[string]string { return c.limiter.Routes() }

// Guilds lists the guilds in sight, ascending.
func (c *Client) Guilds() []snowflake.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]snowflake.ID, 0, len(c.guilds))
	for id, g := range c.guilds {
		if g.visible() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Guild is what can be seen and changed of one guild.
func (c *Client) Guild(id snowflake.ID) *Guild {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.guilds[id]
	if g == nil {
		g = newGuild(c, id)
		c.guilds[id] = g
	}
	return g
}

// Drain waits until everything that was written has been looked at for the last time, or the context ends. Close does not wait.
func (c *Client) Drain(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		c.later.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Close stops sending, ends the session and lets everybody who waits go.
func (c *Client) Close(ctx context.Context) { c.close(ctx, false) }

// Park stops like Close, but leaves the session so that the next start can resume it.
func (c *Client) Park(ctx context.Context) Session { return c.close(ctx, true) }

// parkCode is any close code but 1000 and 1001: those end the session (docs: events/gateway).
const parkCode = 4900

func (c *Client) close(ctx context.Context, park bool) (s Session) {
	c.once.Do(func() {
		close(c.quit) // disgo waits for the identify limiter with its connection lock held
		g := c.bot.Gateway
		if park && g != nil && g.SessionID() != nil && g.LastSequenceReceived() != nil {
			s.ID, s.Sequence = *g.SessionID(), *g.LastSequenceReceived()
			if url := g.ResumeURL(); url != nil {
				s.ResumeURL = *url
			}
			g.CloseWithCode(ctx, parkCode, "restart")
		}
		c.limiter.Close(ctx)
		c.bot.Close(ctx)
	})
	return s
}

// BotOf is the application that a token belongs to: its first part says so. Zero: it is no bot's token.
func BotOf(token secret.String) snowflake.ID {
	first, _, _ := strings.Cut(token.Reveal(), ".")
	digits, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(first, "="))
	if err != nil {
		return 0
	}
	id, err := snowflake.Parse(string(digits))
	if err != nil {
		return 0
	}
	return id
}

// explain turns what disgo says into what a person can mend, and keeps the token out of it.
func (c *Client) explain(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "close 4014"):
		return problem.New(problem.Usage, "Discord refuses the connection: the bot may not hear about members",
			"switch on Server Members Intent at https://discord.com/developers/applications, your application, Bot").Because(err)
	case status(err) == http.StatusUnauthorized, strings.Contains(text, "close 4004"), noToken(err):
		return problem.New(problem.Usage, "Discord does not accept the bot's token", "copy it anew from the developer portal into GATECAMP_DISCORD_TOKEN").Because(errTokenWords)
	}
	return err
}

// noToken reports whether disgo did not even find a bot's id in the token.
func noToken(err error) bool {
	return errors.Is(err, discord.ErrNoBotToken) || strings.Contains(err.Error(), "illegal base64") || strings.Contains(err.Error(), "application id")
}

// errTokenWords stands for what disgo says about a token: its words may quote it.
var errTokenWords = errors.New("invalid bot token")

// quietHandler drops disgo's debug records: they hold the bot's token and the tokens of interactions.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level > slog.LevelDebug && h.Handler.Enabled(ctx, level)
}

func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(attrs)}
}

func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}

const (
	identifyMost   = 5
	identifyWithin = 10 * time.Minute
)

// identifyGuard slows a loop of new sessions down. A payload that disgo cannot read makes it identify anew every few seconds, and
// after a thousand Discord resets the token (docs: events/gateway, Session Start Limit).
type identifyGuard struct {
	next gateway.IdentifyRateLimiter
	quit <-chan struct{}
	log  *slog.Logger

	mu   sync.Mutex
	past []time.Time
}

func (g *identifyGuard) Close(ctx context.Context) { g.next.Close(ctx) }
func (g *identifyGuard) Unlock(shard int)          { g.next.Unlock(shard) }

// Wait lets at most identifyMost sessions begin within identifyWithin.
func (g *identifyGuard) Wait(ctx context.Context, shard int) error {
	for {
		wait := g.due(time.Now())
		if wait == 0 {
			return g.next.Wait(ctx, shard)
		}
		g.log.ErrorContext(ctx, "too many new gateway sessions", "shard", shard, "waiting", wait)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-g.quit:
			t.Stop()
			return context.Canceled
		case <-t.C:
		}
	}
}

func (g *identifyGuard) due(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.past) > 0 && now.Sub(g.past[0]) >= identifyWithin {
		g.past = g.past[1:]
	}
	if len(g.past) < identifyMost {
		g.past = append(g.past, now)
		return 0
	}
	return identifyWithin - now.Sub(g.past[0])
}
