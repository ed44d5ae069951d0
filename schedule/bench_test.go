package schedule

import (
	"os"
	"slices"
	"testing"
	"time"
)

// BenchmarkFromInsertToStart measures how long a job waits in an idle queue.
func BenchmarkFromInsertToStart(b *testing.B) {
	for name, open := range map[string]func(testing.TB) base{"sqlite": sqliteBase, "postgres": postgresBase} {
		b.Run(name, func(b *testing.B) {
			if name == "postgres" && os.Getenv("GATECAMP_TEST_POSTGRES_URL") == "" {
				b.Skip("GATECAMP_TEST_POSTGRES_URL is not set: no Postgres to measure")
			}
			p := newProcess(b, open(b))
			p.Keep(p.guild("off", b))
			p.start(b)
			p.post(b)
			next(b, p.sender.sent, "the first message")
			waits := make([]time.Duration, 0, b.N)
			idle := time.NewTicker(150 * time.Millisecond) // the next job finds an idle queue
			defer idle.Stop()
			for b.Loop() {
				<-idle.C
				began := time.Now()
				p.post(b)
				next(b, p.sender.sent, "the message")
				waits = append(waits, time.Since(began))
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(waits[len(waits)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
