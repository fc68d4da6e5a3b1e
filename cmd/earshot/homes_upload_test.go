//go:build linux

package main

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const (
	uploadLimit     = 1_000_000 / 8 // bytes a second: --max-upload 1mbit
	uploadListeners = 20
	sampleEvery     = 10 * time.Millisecond
)

// TestMaxUpload has twenty listeners ask a relay that may send a megabit a
// second: over any second, all that leaves its interface is less.
func TestMaxUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public := w.host().up("public", "--no-lend")
	relay := w.host().up("relay", append(through(public), "--max-upload", "1mbit")...)
	var voices []*liveNode
	for _, name := range []string{"ana", "budi", "citra"} {
		voices = append(voices, w.host().up(name, append(through(public), "--no-lend")...))
	}
	var listeners []*liveNode
	for i := range uploadListeners {
		listeners = append(listeners, w.host().up(fmt.Sprintf("listener%d", i), append(through(public), "--no-lend")...))
	}
	w.connected(append(listeners, voices...)...)
	room, _ := relay.open("A thin line", "--stage", "open")
	w.until(soundWithin, "the room is listed", listedBy(room.Room, append(listeners, voices...)))
	for _, v := range voices {
		v.speak(room.Room, w.numbered(v.name))
	}

	sent := relay.sample()
	var ears []*process
	for _, n := range listeners {
		ears = append(ears, n.start("listen", room.Room))
	}
	var hear int
	w.throughout(length(10*time.Second, time.Minute), func() string { return "" })
	for _, e := range ears {
		w.mu.Lock()
		if _, _, ok := e.first("event", "first_frame"); ok {
			hear++
		}
		w.mu.Unlock()
	}
	most, average := sent()
	t.Logf("%d of %d hear; at most %d bytes in a second, %d on average, of %d", hear, len(ears), most, average, uploadLimit)
	if most >= uploadLimit {
		t.Errorf("%d bytes were sent within a second, where %d is the limit", most, uploadLimit)
	}
	if (hear == 0 || average < uploadLimit/4) && !w.busy() {
		t.Errorf("%d hear, and %d bytes a second are sent: the limit was not reached for", hear, average)
	}
}

// sample begins to read what leaves a node's host. Its answer ends that, and
// gives the most that did within any second after the first, and the average.
func (n *liveNode) sample() func() (most, average int64) {
	n.f.Helper()
	type reading struct {
		before, after time.Time // the figure was true at a time in between
		out           int64
	}
	var readings []reading
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				before := time.Now()
				out := n.traffic().out
				readings = append(readings, reading{before, time.Now(), out})
			}
		}
	}()
	n.f.Cleanup(func() {
		select {
		case <-ended:
		default:
			close(done)
		}
	})
	return func() (most, average int64) {
		close(done)
		<-ended
		began := readings[0].before
		readings = slices.DeleteFunc(readings, func(r reading) bool { return r.before.Sub(began) < time.Second })
		for from, to := 0, 0; to < len(readings); to++ {
			for readings[to].after.Sub(readings[from].before) > time.Second {
				from++
			}
			most = max(most, readings[to].out-readings[from].out)
		}
		first, last := readings[0], readings[len(readings)-1]
		return most, int64(float64(last.out-first.out) / last.before.Sub(first.before).Seconds())
	}
}
