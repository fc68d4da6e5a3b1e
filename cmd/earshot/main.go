// Command earshot runs an Earshot node and speaks to the one that runs.
//
// `earshot up` is the node: flags, environment and config.toml become a
// node.Config, and that is all the wiring there is here. Every other command
// finds the running node by the api.json in its home and asks its HTTP API.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	// A reader that goes away is an error from Write, not a signal that ends
	// the program before a recording is finished.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := interruptible(context.Background())
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	stop()
	os.Exit(code)
}

// sameSignal is how soon after the first a second signal is still that one:
// timeout(1) and shells send theirs to the process and to its group.
const sameSignal = 500 * time.Millisecond

// interruptible gives a context that the first Ctrl-C or SIGTERM ends; the
// second ends the process at once.
func interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case <-signals:
			case <-done:
				return
			}
			switch {
			case first.IsZero():
				first = time.Now()
				cancel()
			case time.Since(first) > sameSignal:
				os.Exit(130)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
