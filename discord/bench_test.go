//go:build !race

// disgo's gateway is not race-clean (its connection and heartbeat share fields without a lock).

package discord_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/discord"
	"gatecamp/discord/discordtest"
)

// BenchmarkFullRead reads 250,000 members by chunks, the local Discord's encoding included.
func BenchmarkFullRead(b *testing.B) {
	const n = 250_000
	s := here(b, 0, func(c *discordtest.Config) { c.Unlimited = true; c.World.Populate(n, 1) })
	for b.Loop() {
		b.StopTimer()
		c, g, _ := client(b, s, func(c *discord.Config) { c.ChunkIdle = 10 * time.Second; c.CountsSettle = 5 * time.Second })
		b.StartTimer()
		start := time.Now()
		p := picture(b, g)
		took := time.Since(start)
		b.StopTimer()
		if !p.Complete || len(p.Members) < n {
			b.Fatalf("%d members, %s", len(p.Members), p.Doubt)
		}
		b.ReportMetric(float64(len(p.Members))/took.Seconds(), "members/s")
		runtime.GC()
		c.Close(context.WithoutCancel(b.Context()))
		b.StartTimer()
	}
}

// refusals counts what the local Discord answered with 429.
func refusals(s *discordtest.Server, since int) (n int) {
	for _, r := range s.Requests(since) {
		if r.Status == http.StatusTooManyRequests {
			n++
		}
	}
	return n
}

// BenchmarkStripBesideStock takes one role from 60 members with real buckets: strangers with our writer, and the same number of role
// removals as a bot with disgo's own limiter makes them.
func BenchmarkStripBesideStock(b *testing.B) {
	const members = 60
	for _, c := range []struct {
		name   string
		linked bool
		stock  bool
	}{{"linked", true, false}, {"strangers", false, false}, {"stock", true, true}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := here(b, members)
				strip := ours(b, s, c.linked)
				if c.stock {
					strip = stock(b, s)
				}
				before := len(s.Requests(0))
				b.StartTimer()
				start := time.Now()
				strip(members)
				b.ReportMetric(time.Since(start).Seconds(), "s/60")
				b.ReportMetric(float64(refusals(s, before)), "429s")
			}
		})
	}
}

func ours(b *testing.B, s *discordtest.Server, linked bool) func(n int) {
	_, g, _ := client(b, s)
	return func(n int) {
		for i := range n {
			do(b, g, discord.Offer{Actions: []audit.Action{strip(pilot+snowflake.ID(i), fleet)}, Linked: linked, Priority: discord.Bulk})
		}
	}
}

func stock(b *testing.B, s *discordtest.Server) func(n int) {
	c := rest.NewClient(s.Bot(discordtest.BotGatecamp).Token, rest.WithURL(s.APIURL()+"/v10"), rest.WithLogger(slog.New(slog.DiscardHandler)))
	b.Cleanup(func() { c.Close(context.WithoutCancel(b.Context())) })
	r := rest.New(c)
	return func(n int) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if err := r.RemoveMemberRole(guild, pilot+snowflake.ID(i), fleet, rest.WithReason(fmt.Sprint("bench ", i))); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// BenchmarkKickBesideStock kicks 60 members, likewise.
func BenchmarkKickBesideStock(b *testing.B) {
	const members = 60
	for _, own := range []bool{true, false} {
		b.Run(map[bool]string{true: "own", false: "stock"}[own], func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := here(b, members)
				_, g, _ := client(b, s)
				c := rest.NewClient(s.Bot(discordtest.BotGatecamp).Token, rest.WithURL(s.APIURL()+"/v10"), rest.WithLogger(slog.New(slog.DiscardHandler)))
				r := rest.New(c)
				before := len(s.Requests(0))
				b.StartTimer()
				start := time.Now()
				var all sync.WaitGroup
				for i := range members {
					if own {
						do(b, g, discord.Offer{Actions: []audit.Action{kick(pilot + snowflake.ID(i))}, Priority: discord.Bulk})
						continue
					}
					all.Go(func() {
						if err := r.RemoveMember(guild, pilot+snowflake.ID(i)); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
				b.ReportMetric(members/time.Since(start).Seconds(), "kicks/s")
				b.ReportMetric(float64(refusals(s, before)), "429s")
			}
		})
	}
}
