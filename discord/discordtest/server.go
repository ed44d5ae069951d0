package discordtest

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/sync/errgroup"

	"gatecamp/internal/problem"
	"gatecamp/internal/wrap"
)

// Config says what to serve and how.
type Config struct {
	Listen  string   // address of REST and gateway; "" is 127.0.0.1:0; loopback only
	Control string   // address of the control port; "" is 127.0.0.1:0; loopback only
	World   *World   // nil is the empty world
	More    []*World // further guilds, which the same two bots are in
	Clock   Clock    // nil is RealClock

	Shards         int // that bots are advised to open; 0 is 1
	MaxConcurrency int // shards that may identify at once; 0 is 1

	HeartbeatInterval time.Duration // 0 is Discord's 41.25 s; a bot silent for two of them is closed with 4009
	ReplayBuffer      int           // dispatches kept for a resume; 0 is Discord's rule, 100 for one guild
	StrictIdentify    bool          // refuse a second identify of a shard within 5 s with op 9
	Unlimited         bool          // no rate limits at all, for tests of other things

	// OnInteraction is given every interaction as a bot without a gateway would take it (Discord sends such a bot HTTP requests), beside
	// the gateway. It must not wait. May be nil.
	OnInteraction func(bot snowflake.ID, interaction []byte)
}

// Server is a local Discord. Its methods do what the control port does; all of them may be called at any time.
type Server struct {
	cfg     Config
	clock   Clock
	ctx     context.Context // ends with Run or Close; sockets and pauses live in it
	stop    context.CancelFunc
	api     net.Listener
	control net.Listener
	routes  *routeTable
	limiter *limiter

	requests requestLog
	work     sync.WaitGroup // streams of chunks

	faultMu    sync.Mutex
	faults     []*ActiveFault
	faultCount int

	mu                sync.Mutex // guards everything below
	lastID            snowflake.ID
	users             map[snowflake.ID]*user
	guilds            map[snowflake.ID]*guild
	guildOrder        []*guild // ascending by id
	apps              map[snowflake.ID]*application
	tokens            map[string]*application
	dms               map[snowflake.ID]*Channel
	webhooks          map[snowflake.ID]*webhook
	messages          map[snowflake.ID]*message
	interactions      map[snowflake.ID]*interaction
	interactionTokens map[string]*interaction
	deliveries        []Delivery
	sessions          map[string]*session
	identified        int
	conns             map[int]*conn
	connections       int
}

// New builds the world and takes its two ports; nothing is served before Run.
func New(cfg Config) (_ *Server, err error) {
	defer wrap.Err(&err, "discordtest.New")
	if cfg.World == nil {
		if cfg.World, err = LoadWorld("empty"); err != nil {
			return nil, err
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = RealClock{}
	}
	if cfg.HeartbeatInterval <= 0 {
		cfg.HeartbeatInterval = defaultInterval
	}
	cfg.Shards, cfg.MaxConcurrency = max(cfg.Shards, 1), max(cfg.MaxConcurrency, 1)
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		cfg: cfg, clock: cfg.Clock, ctx: ctx, stop: stop, routes: restRoutes(), limiter: newLimiter(), requests: requestLog{more: make(chan struct{})},
		users: map[snowflake.ID]*user{}, guilds: map[snowflake.ID]*guild{}, apps: map[snowflake.ID]*application{}, tokens: map[string]*application{},
		dms: map[snowflake.ID]*Channel{}, webhooks: map[snowflake.ID]*webhook{}, messages: map[snowflake.ID]*message{},
		interactions: map[snowflake.ID]*interaction{}, interactionTokens: map[string]*interaction{}, sessions: map[string]*session{}, conns: map[int]*conn{},
	}
	for _, w := range slices.Concat([]*World{cfg.World}, cfg.More) {
		if err := s.build(w); err != nil {
			return nil, err
		}
	}
	if s.api, err = listen(ctx, cfg.Listen); err != nil {
		return nil, err
	}
	if s.control, err = listen(ctx, cfg.Control); err != nil {
		return nil, errors.Join(err, s.api.Close())
	}
	return s, nil
}

// listen takes a port on loopback, and no other: everything here is a credential.
func listen(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, problem.Usagef("address %q: want host:port, such as 127.0.0.1:0", address).Because(err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, problem.Usagef("address %q: the local Discord listens on loopback only, such as 127.0.0.1:0", address)
	}
	var cfg net.ListenConfig
	l, err := cfg.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, problem.New(problem.Failed, "cannot listen on "+address, "choose another port, or 0 for a free one").Because(err)
	}
	return l, nil
}

// Run serves until ctx ends, then closes every socket.
func (s *Server) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/gateway", s.gatewayHandler)
	mux.HandleFunc("/gateway/{$}", s.gatewayHandler)
	mux.HandleFunc("/", s.restHandler)
	servers := []*http.Server{{Handler: mux, ReadHeaderTimeout: time.Minute, ConnContext: remember}, {Handler: s.controlHandler(), ReadHeaderTimeout: time.Minute}}
	group, ctx := errgroup.WithContext(ctx)
	for i, l := range []net.Listener{s.api, s.control} {
		group.Go(func() error {
			if err := servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-s.ctx.Done():
		}
		s.stop()
		return errors.Join(servers[0].Close(), servers[1].Close())
	})
	err := group.Wait()
	s.mu.Lock()
	open := slices.Collect(maps.Values(s.conns))
	s.mu.Unlock()
	for _, c := range open {
		<-c.done
	}
	s.work.Wait()
	return err
}

// Start runs the server beside the caller until ctx ends; wait returns when it has stopped.
func Start(ctx context.Context, cfg Config) (s *Server, wait func() error, err error) {
	s, err = New(cfg)
	if err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, sync.OnceValue(func() error { return <-done }), nil
}

// Close ends Run; without a Run it gives the ports back.
func (s *Server) Close() error {
	s.stop()
	return errors.Join(ignoreClosed(s.api.Close()), ignoreClosed(s.control.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// APIURL is the unversioned base of REST; add /v10 for all but Alliance Auth.
func (s *Server) APIURL() string { return "http://" + s.api.Addr().String() + "/api" }

// GatewayURL is where bots connect.
func (s *Server) GatewayURL() string { return "ws://" + s.api.Addr().String() + "/gateway" }

// ControlURL is the control port.
func (s *Server) ControlURL() string { return "http://" + s.control.Addr().String() }

// Clock is the clock it obeys.
func (s *Server) Clock() Clock { return s.clock }
