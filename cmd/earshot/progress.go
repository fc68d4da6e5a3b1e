package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/node/ogg"
	"github.com/earshot-audio/earshot/protocol"
)

// progressEvery is how often the progress line is written anew.
const progressEvery = 250 * time.Millisecond

// progress is the line on a terminal that says how far a talk is. Its methods
// do nothing on a nil one: others than people don't want to see it.
type progress struct {
	out     io.Writer
	spoken  time.Duration
	total   atomic.Int64 // nanoseconds; 0 while it is not known
	written time.Time
}

// progress makes the progress line for the file, if a terminal can show it.
func (p *program) progress(name string) *progress {
	if p.json || !terminal(p.stderr) {
		return nil
	}
	line := &progress{out: p.stderr}
	if info, err := os.Stat(name); err == nil && name != "-" && info.Mode().IsRegular() {
		go func() { line.total.Store(int64(lasting(name))) }()
	}
	return line
}

// lasting gives how long a file's sound is; 0 if it does not say.
func lasting(name string) time.Duration {
	f, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	var d time.Duration
	for reader := ogg.NewReader(f); ; {
		packet, err := reader.Next()
		if err != nil {
			return d
		}
		d += packet.Gap + packet.Duration
	}
}

// spoke says that d more was spoken.
func (l *progress) spoke(d time.Duration) {
	if l == nil {
		return
	}
	l.spoken += d
	now := time.Now()
	if now.Sub(l.written) < progressEvery {
		return
	}
	l.written = now
	if total := time.Duration(l.total.Load()); total > 0 {
		fmt.Fprintf(l.out, "\r\x1b[K  %s of %s", clock(l.spoken), clock(total))
		return
	}
	fmt.Fprintf(l.out, "\r\x1b[K  %s", clock(l.spoken))
}

// clear takes the line away.
func (l *progress) clear() {
	if l != nil && !l.written.IsZero() {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

// waiting shows on a terminal what is being done and for how long already,
// until stop is called.
func (p *program) waiting(what string) (stop func()) {
	if p.json || !terminal(p.stderr) {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		began, tick := time.Now(), time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(p.stderr, "\r\x1b[K  %s … %s", what, ago(time.Since(began)))
			select {
			case <-tick.C:
			case <-done:
				fmt.Fprint(p.stderr, "\r\x1b[K")
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// problemOfFile is a file that can't be spoken.
func problemOfFile(message string) error {
	return &protocol.Problem{Code: protocol.CodeNoFile, Message: message, Hint: "name an Ogg Opus file"}
}
