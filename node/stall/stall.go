// Package stall measures how long the machine under a test stood still. A gap in
// the sound that is the machine's own says nothing of the program.
package stall

import (
	"sync/atomic"
	"testing"
	"time"
)

// beat is how often the machine is looked at.
const beat = 5 * time.Millisecond

// Watch gives what tells how long the machine stood still at the most since, at
// one time. It watches until the test ends.
func Watch(t testing.TB) (most func() time.Duration) {
	var longest atomic.Int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-done:
				return
			case <-tick.C:
				longest.Store(max(longest.Load(), int64(time.Since(last)-beat)))
				last = time.Now()
			}
		}
	}()
	t.Cleanup(func() { close(done); <-ended })
	return func() time.Duration { return time.Duration(longest.Load()) }
}
