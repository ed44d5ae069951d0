package discord

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/httpserver"
)

// dispatcher is disgo's event manager without a lock over all shards, in which a panic ends one event and not the program.
type dispatcher struct {
	client   *bot.Client // set before the gateway is opened
	log      *slog.Logger
	handlers map[gateway.EventType]bot.GatewayEventHandler
	first    func(g gateway.Gateway, sequence int, t gateway.EventType, data gateway.EventData) // sees every event before disgo's handlers
	took     func(shard int, d time.Duration)                                                   // is told how long each kept the reader; may be nil

	mu        sync.Mutex // for changes of the list
	listeners atomic.Pointer[[]bot.EventListener]
}

var _ bot.EventManager = (*dispatcher)(nil)

func (d *dispatcher) recovered(in string) {
	if r := recover(); r != nil {
		d.log.Error("event dropped after a panic", "in", in, "panic", r, "stack", string(debug.Stack()))
	}
}

func (d *dispatcher) change(f func([]bot.EventListener) []bot.EventListener) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var now []bot.EventListener
	if p := d.listeners.Load(); p != nil {
		now = slices.Clone(*p)
	}
	now = f(now)
	d.listeners.Store(&now)
}

// AddEventListeners may be called at any time, also by a listener.
func (d *dispatcher) AddEventListeners(more ...bot.EventListener) {
	d.change(func(now []bot.EventListener) []bot.EventListener { return append(now, more...) })
}

// RemoveEventListeners may be called at any time, also by a listener.
func (d *dispatcher) RemoveEventListeners(gone ...bot.EventListener) {
	d.change(func(now []bot.EventListener) []bot.EventListener {
		return slices.DeleteFunc(now, func(l bot.EventListener) bool { return slices.Contains(gone, l) })
	})
}

// HandleGatewayEvent runs on the goroutine that reads the shard's socket.
func (d *dispatcher) HandleGatewayEvent(g gateway.Gateway, t gateway.EventType, sequence int, data gateway.EventData) {
	defer d.recovered(string(t))
	if d.took != nil {
		began := time.Now()
		defer func() { d.took(g.ShardID(), time.Since(began)) }()
	}
	d.first(g, sequence, t, data)
	if t == gateway.EventTypeRaw { // asked for its number alone
		return
	}
	if h, ok := d.handlers[t]; ok {
		h.HandleGatewayEvent(d.client, sequence, g.ShardID(), data)
	}
}

// HandleHTTPEvent is for interactions by HTTP, which gatecamp does not take.
func (d *dispatcher) HandleHTTPEvent(httpserver.RespondFunc, httpserver.EventInteractionCreate) {
	d.log.Error("interaction by HTTP refused: gatecamp takes them from the gateway only")
}

// DispatchEvent calls the listeners one after another.
func (d *dispatcher) DispatchEvent(e bot.Event) {
	listeners := d.listeners.Load()
	if listeners == nil {
		return
	}
	for _, l := range *listeners {
		func() {
			defer d.recovered("listener")
			l.OnEvent(e)
		}()
	}
}
