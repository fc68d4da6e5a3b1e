// Package stall measures how long the machine under a test stood still. A gap in
// the sound that is the machine's own says nothing of the program.
package stall

import (
	"sync/atomic"
	"testing"
	"time"
)

const (
	// beat is how often the machine is looked at.
	beat = 5 * time.Millisecond
	// hiccup is what is too short to count towards the total.
	hiccup = 4 * beat
)

// Watch gives what tells how long the machine stood still at the most since, at
// one time. It watches until the test ends.
func Watch(t testing.TB) (most func() time.Duration) {
	var longest atomic.Int64
	watch(t, func(late time.Duration) { longest.Store(max(longest.Load(), int64(late))) })
	return func() time.Duration { return time.Duration(longest.Load()) }
}

// Total is Watch for how long it stood still in all.
func Total(t testing.TB) (sum func() time.Duration) {
	var total atomic.Int64
	watch(t, func(late time.Duration) {
		if late > hiccup {
			total.Add(int64(late))
		}
	})
	return func() time.Duration { return time.Duration(total.Load()) }
}

// watch has heard called at every beat with how late it is.
func watch(t testing.TB, heard func(late time.Duration)) {
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
				heard(time.Since(last) - beat)
				last = time.Now()
			}
		}
	}()
	t.Cleanup(func() { close(done); <-ended })
}
