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
	"gatecamp/enforcement"
	"gatecamp/internal/problem"
	"gatecamp/internal/secret"
	"gatecamp/internal/wrap"
)

// Config are the options of a Client.
type Config struct {
	Token  secret.String
	APIURL string            // another server, up to and including /api; empty: Discord
	Routes map[string]string // which routes share a bucket, as an earlier Client's Routes told
	Log    *slog.Logger      // discarded if nil
	// Shards are those to open at once; nil: all, empty: none, then only REST is used until OpenShard.
	Shards     []int
	ShardCount int             // of all processes together, the same for all of them; zero: as many as Discord advises
	Sessions   map[int]Session // by shard, of an earlier Client, to be resumed
	// OnEvent is told every reason to look again, in order, on the goroutine that reads the gateway: it must not wait. May be nil.
	OnEvent func(audit.Event)
	// OnIncident is told what rules should look at, on the same goroutine: joins, and what others than the bot did as the audit log tells
	// it. It must not wait. May be nil.
	OnIncident func(enforcement.Incident)
	// OnInteraction takes what people do with commands, buttons and modals, on the same goroutine. May be nil.
	OnInteraction bot.EventListener
	Shared        Shared        // the request budget that other processes with this token use too; nil: there are none
	Gate          IdentifyGate  // the gate for new sessions that they use too; nil: there are none
	ChunkIdle     time.Duration // how long a member chunk may be late; 10 s if zero, and at most 3 s where members are named
	Silence       time.Duration // after which a connection that says nothing is cut; 100 s if zero, above two heartbeats of 41.25 s
	EchoWithin    time.Duration // how long the event that confirms a write may take before the member is read; 5 s if zero
	LookAgain     time.Duration // after which a write beside which Auth may be writing is looked at once more; 10 s if zero
	CountsSettle  time.Duration // how long Discord's count of a role's holders may differ from ours; 8 s if zero
}

// Client is one bot's connection to Discord: the gateway's shards, REST, and a mirror of each guild.
type Client struct {
	bot        *bot.Client
	cfg        Config
	dispatcher *dispatcher
	limiter    *Limiter
	identify   *identifyGate
	chunks     *chunker
	quiet      *slog.Logger
	log        *slog.Logger
	onEvent    func(audit.Event)
	entries    entriesSeen // of the audit log, that rules were told of

	echo   time.Duration // how long the event that confirms a write may take
	again  time.Duration // after which a write beside which Auth may be writing is looked at once more
	settle time.Duration // how long role counts may differ from ours
	later  sync.WaitGroup

	asking  sync.Mutex // held by whoever asks Discord for its gateway
	advised bool       // by the holder of asking: Discord was asked

	mu     sync.Mutex
	count  int // of shards; 0: not known yet
	guilds map[snowflake.ID]*Guild
	shards map[int]*shardState
	direct map[snowflake.ID]snowflake.ID // channels of direct messages that were opened, by person
	user   snowflake.ID                  // the bot's own
	closed chan struct{}                 // closed when the gateway gave up for good
	why    error
	quit   chan struct{}
	once   sync.Once
}

// noMentions keeps every message from pinging anybody. Empty, not nil: nil would be sent as null, and null pings.
var noMentions = discord.AllowedMentions{Parse: []discord.AllowedMentionType{}, Roles: []snowflake.ID{}, Users: []snowflake.ID{}}

// intents are what the bot needs to hear: guilds with their roles, members (privileged), and the audit log.
const intents = gateway.IntentGuilds | gateway.IntentGuildMembers | gateway.IntentGuildModeration

// Open connects and returns once a session stands on each of the shards. What a person can mend is a problem.Problem.
func Open(ctx context.Context, cfg Config) (_ *Client, err error) {
	defer wrap.Err(&err, "open Discord")
	c := newClient(cfg)
	if c.bot, err = disgo.New(cfg.Token.Reveal(), c.options()...); err != nil {
		return nil, c.explain(err)
	}
	c.dispatcher.client, c.user = c.bot, c.bot.ApplicationID // the same for all but the oldest bots; the session says it exactly
	if err := c.openAll(ctx); err != nil {
		c.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return c, nil
}

func newClient(cfg Config) *Client {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.ChunkIdle = orElse(cfg.ChunkIdle, 10*time.Second)
	cfg.Silence = orElse(cfg.Silence, 100*time.Second)
	c := &Client{
		cfg: cfg, log: cfg.Log, quiet: slog.New(quietHandler{cfg.Log.Handler()}), onEvent: cfg.OnEvent, count: cfg.ShardCount,
		guilds: map[snowflake.ID]*Guild{}, shards: map[int]*shardState{}, direct: map[snowflake.ID]snowflake.ID{},
		closed: make(chan struct{}), quit: make(chan struct{}),
		echo: orElse(cfg.EchoWithin, 5*time.Second), again: orElse(cfg.LookAgain, 10*time.Second), settle: orElse(cfg.CountsSettle, 8*time.Second),
	}
	c.limiter = NewLimiter(LimiterConfig{
		Routes: cfg.Routes, Shared: cfg.Shared, Warn: func(what string) { c.log.Error("discord budget", "what", what) },
	})
	c.identify = newIdentifyGate(cfg.Gate, c.log, c.shardQuit)
	c.chunks = newChunker(bot.NewMemberChunkingManager(nil, c.quiet, bot.MemberChunkingFilterNone), cfg.ChunkIdle)
	c.dispatcher = &dispatcher{log: c.log, handlers: handlers.GetGatewayHandlers(), first: c.watch, took: c.took}
	if cfg.OnInteraction != nil {
		c.dispatcher.AddEventListeners(cfg.OnInteraction) // disgo's own option reaches disgo's own event manager alone
	}
	return c
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

func (c *Client) options() []bot.ConfigOpt {
	requests := []rest.ClientConfigOpt{
		rest.WithUserAgent(fmt.Sprintf("DiscordBot (%s, %s)", disgo.GitHub, disgo.Version)), rest.WithLogger(c.quiet), rest.WithRateLimiter(c.limiter),
		rest.WithHTTPClient(&http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true, IdleConnTimeout: 90 * time.Second, Proxy: http.ProxyFromEnvironment},
		}),
	}
	if c.cfg.APIURL != "" {
		requests = append(requests, rest.WithURL(strings.TrimSuffix(c.cfg.APIURL, "/")+fmt.Sprintf("/v%d", rest.Version)))
	}
	return []bot.ConfigOpt{
		bot.WithLogger(c.quiet), bot.WithEventManager(c.dispatcher), bot.WithMemberChunkingManager(c.chunks),
		bot.WithRestClient(discreetClient{rest.NewClient(c.cfg.Token.Reveal(), requests...)}), bot.WithRestConfigOpts(rest.WithDefaultAllowedMentions(noMentions)),
		bot.WithCacheConfigOpts(cache.WithCaches(cache.FlagsNone)),
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
		if g.Visible() {
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

// Close stops sending, disconnects and lets everybody who waits go.
func (c *Client) Close(ctx context.Context) { c.CloseKeepingSession(ctx) }

// CloseKeepingSession is Close, and gives the sessions, by shard, so that the next start can resume them. They end a few minutes later.
func (c *Client) CloseKeepingSession(ctx context.Context) (sessions map[int]Session) {
	c.once.Do(func() {
		close(c.quit)
		sessions = c.closeShards(ctx)
		c.limiter.Close(ctx)
		c.bot.Close(ctx)
	})
	return sessions
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
	for code, why := range fatalCloses {
		if strings.Contains(text, "close "+code) {
			return problem.New(problem.Failed, "Discord ended the connection for good: "+why[0], why[1]).Because(err)
		}
	}
	return err
}

// fatalCloses are the other close codes after which nobody connects again (docs: topics/opcodes-and-status-codes): why, and the cure.
var fatalCloses = map[string][2]string{
	"4010": {"a shard was named that there is not", "the number of shards must be the same for every process of this bot: start all of them again"},
	"4011": {"the bot is in too many servers for so few shards", "start every process again: the number of shards is asked for at the start"},
	"4012": {"this version of gatecamp speaks a version of Discord's protocol that is no longer served", "install a newer gatecamp"},
	"4013": {"it does not know one of the intents", "install a newer gatecamp"},
}

// noToken reports whether disgo did not even find a bot's id in the token.
func noToken(err error) bool {
	return errors.Is(err, discord.ErrNoBotToken) || strings.Contains(err.Error(), "illegal base64") || strings.Contains(err.Error(), "application id")
}

// errTokenWords stands for what disgo says about a token: its words may quote it.
var errTokenWords = errors.New("invalid bot token")
