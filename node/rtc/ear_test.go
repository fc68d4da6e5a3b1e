package rtc

import (
	"testing"
	"time"

	machine "github.com/earshot-audio/earshot/node/stall"
	"github.com/earshot-audio/earshot/protocol"
)

// talk sends 50 frames a second of source 1 until it is told to stop, and says
// how many.
func talk(out *Link) (stop func() int) {
	o := out.Outlet(2)
	o.Bind(1, 1)
	quit, sent := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(20 * ms)
		defer tick.Stop()
		n := 0
		for {
			o.Send(frameOf(1, n))
			n++
			select {
			case <-quit:
				sent <- n
				return
			case <-tick.C:
			}
		}
	}()
	return func() int {
		close(quit)
		return <-sent
	}
}

// ear takes what a side hears and keeps its gaps.
type ear struct {
	t     testing.TB
	from  *side
	seen  map[uint16]bool
	last  time.Time
	gap   time.Duration // the longest
	twice int
	still func() time.Duration // that this machine stood still, in all
}

func hearing(t testing.TB, at *side, l *Link) *ear {
	l.Accept(1, 1, at)
	l.Accept(2, 0, at)
	return &ear{t: t, from: at, seen: map[uint16]bool{}, last: time.Now(), still: machine.Total(t)}
}

func (e *ear) take(f protocol.Frame) {
	if !same(&f, frameOf(1, int(f.Counter))) {
		e.t.Fatalf("changed: %+v", f)
	}
	if e.seen[f.Counter] {
		e.twice++
		return
	}
	e.seen[f.Counter] = true
	e.gap = max(e.gap, time.Since(e.last))
	e.last = time.Now()
}

// hear listens for a while.
func (e *ear) hear(d time.Duration) {
	for end := time.After(d); ; {
		select {
		case f := <-e.from.frames:
			e.take(f)
		case <-end:
			return
		}
	}
}

// until listens until something has come to pass.
func (e *ear) until(what string, done func() bool) {
	e.t.Helper()
	for end := time.Now().Add(patience); !done(); e.hear(5 * ms) {
		if time.Now().After(end) {
			e.t.Fatalf("%s does not come to pass", what)
		}
	}
}

// all checks that everything came.
func (e *ear) all(sent int) {
	e.t.Helper()
	e.until("all frames", func() bool { return len(e.seen) == sent })
	e.t.Logf("%d frames, %d of them twice; longest gap %v; stood still for %v", sent, e.twice, e.gap, e.still())
}
