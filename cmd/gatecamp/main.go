// Command gatecamp keeps an EVE Online alliance's Discord guild honest: it compares the roles that members hold with what
// Alliance Auth says, explains every verdict, and reports, strips or removes under brakes that hold.
//
// What must stay true: this package wires and prints; what is decided, kept and done is decided, kept and done elsewhere.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"syscall"
	"time"

	"gatecamp/config"
	"gatecamp/internal/problem"
	"gatecamp/storage/redis"
)

func main() {
	redis.Quiet()
	ctx, stop := untilSignal(context.Background())
	c := &console{env: config.System(), in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now, user: osUser()}
	err := run(ctx, os.Args[1:], c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gatecamp: "+describe(err))
	}
	os.Exit(exitCode(err))
}

// run is the whole program with its surroundings as values: the entry that end-to-end tests use too.
func run(ctx context.Context, args []string, c *console) error {
	root := newRoot(c)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	if s, ok := errors.AsType[*signalError](context.Cause(ctx)); ok && err != nil {
		return errors.Join(s, withoutEchoes(err))
	}
	return err
}

// withoutEchoes drops from an error what only says that the work was stopped; nil if nothing else is in it.
func withoutEchoes(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, e := range joined.Unwrap() {
			rest = append(rest, withoutEchoes(e))
		}
		return errors.Join(rest...)
	}
	if _, told := errors.AsType[*problem.Problem](err); told {
		return err
	}
	if _, stopped := errors.AsType[*signalError](err); stopped || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// signalError says which signal stopped the program.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "stopped by " + e.signal.String() }

// untilSignal is a context that the first SIGINT or SIGTERM ends, with a signalError as its cause; a second one kills as usual.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			if s, ok := s.(syscall.Signal); ok {
				cancel(&signalError{s})
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// The exit codes. README and `gatecamp --help` list them.
const (
	exitDone    = 0
	exitFailed  = 1 // failed, or completed with errors
	exitUsage   = 2 // wrong arguments, configuration or file
	exitRefused = 3 // a right, the lock, a pause or an allowance says no
	exitHeld    = 4 // held by a brake, or by the health of a source
)

// exitCode is what the shell is told: 128 and the signal's number where a signal stopped the work.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if s, ok := errors.AsType[*signalError](err); ok {
		return 128 + int(s.signal)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	switch problem.KindOf(err) {
	case problem.Usage:
		return exitUsage
	case problem.Refused:
		return exitRefused
	case problem.Held:
		return exitHeld
	case problem.Failed:
	}
	return exitFailed
}

// usageError is what the command line parser says.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// osUser is the name of the user at the console; whoever can run gatecamp holds token and database, so nothing is proven by it.
func osUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "unknown"
}
