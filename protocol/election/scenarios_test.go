package election

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// runs is how many worlds each scenario is tried in.
const runs = histories / 25

// settled gives a world of nodes that have agreed, and its relay.
func settled(t *testing.T, seed uint64, nodes int, loss float64) (*world, int) {
	w := newWorld(seed, nodes, nil)
	w.loss, w.flood = loss, seed%2 == 0
	w.farther(80 * ms)
	for i := range w.nodes {
		w.start(i)
	}
	w.run(6*time.Second+w.upTo(time.Second), nil)
	if !w.agreed(make([]int, nodes)) {
		t.Fatalf("seed %d: no agreement after %v", seed, w.now)
	}
	return w, w.index(w.nodes[0].best.Relay)
}

// untilAgreed lets the world go on for d and gives how long it took to the last
// moment without agreement.
func (w *world) untilAgreed(d time.Duration) time.Duration {
	began, last := w.now, w.now
	component := make([]int, len(w.nodes))
	w.watch = func() {
		if !w.agreed(component) {
			last = w.now
		}
	}
	w.run(began+d, nil)
	w.watch = nil
	return last - began
}

// follows gives whom the nodes that are up follow.
func (w *world) follows() protocol.PeerID {
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.up })
	return w.nodes[i].best.Relay
}

// A series is what many runs of a scenario came to.
type series struct {
	mu    sync.Mutex
	took  []time.Duration
	named int // by how many the named standby succeeded
}

func (s *series) add(took time.Duration, named bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, took)
	if named {
		s.named++
	}
}

// judge wants every run within most, and the named standby in at least share of them.
func (s *series) judge(t *testing.T, name string, most time.Duration, share float64) {
	t.Helper()
	t.Logf("%s; the standby succeeded in %d", summary(name, s.took), s.named)
	if worst := slices.Max(s.took); worst > most {
		t.Errorf("%s took %v, want at most %v", name, worst, most)
	}
	if float64(s.named) < share*float64(len(s.took)) {
		t.Errorf("%s: the standby succeeded in %d of %d", name, s.named, len(s.took))
	}
}

// The relay ends, with 1 % loss: the standby that it named takes its place.
func TestRelayEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(w *world, relay int)
		most time.Duration
	}{
		{"crash", func(w *world, relay int) { w.crash(relay) }, promise},
		{"goodbye", func(w *world, relay int) { w.leave(relay) }, promise},
	} {
		for _, nodes := range []int{2, 3, 6} {
			var s series
			each(runs, func(seed int) {
				w, relay := settled(t, uint64(seed), nodes, 0.01)
				standby := w.nodes[relay].machine.Standby()
				c.end(w, relay)
				took := w.untilAgreed(8 * time.Second)
				s.add(took, w.follows() == standby)
			})
			s.judge(t, fmt.Sprintf("%s of %d", c.name, nodes), c.most, 0.98)
		}
	}
}

// Without loss a goodbye hands over within a message's way there and back, long
// before anybody could suspect anything.
func TestGoodbye(t *testing.T) {
	var s series
	each(runs, func(seed int) {
		w, relay := settled(t, uint64(seed), 2+seed%5, 0)
		standby := w.nodes[relay].machine.Standby()
		w.leave(relay)
		took := w.untilAgreed(8 * time.Second)
		s.add(took, w.follows() == standby)
	})
	s.judge(t, "goodbye", 300*ms, 1)
}

// I5: a node that is not the relay is cut off, or deaf, or mute, for 1 to 6 s and
// comes back. Nobody else follows another relay, then or afterwards.
func TestFlaky(t *testing.T) {
	for _, c := range []struct {
		name       string
		mute, deaf bool
	}{{"cut off", true, true}, {"deaf", false, true}, {"mute", true, false}} {
		t.Run(c.name, func(t *testing.T) {
			each(runs, func(seed int) {
				nodes := 3 + seed%4
				w, relay := settled(t, uint64(seed), nodes, 0.01)
				flaky := (relay + 1 + seed%(nodes-1)) % nodes
				w.cutOff(flaky, c.mute, c.deaf)
				moved := false
				w.watch = func() {
					for i, n := range w.nodes {
						moved = moved || i != flaky && n.best.Relay != w.nodes[relay].name
					}
				}
				w.run(w.now+time.Second+w.upTo(5*time.Second), nil)
				w.heal()
				w.run(w.now+6*time.Second, nil)
				if moved {
					t.Errorf("seed %d: the outage of one moved the others", seed)
				}
				if !w.agreed(make([]int, nodes)) {
					t.Errorf("seed %d: no agreement 6 s after the outage", seed)
				}
			})
		})
	}
}

// Nobody moves through five minutes in which nothing happens but loss.
func TestQuiet(t *testing.T) {
	for _, c := range []struct {
		loss  float64
		flood bool
	}{{0, false}, {0.05, false}, {0.2, true}} {
		t.Run(fmt.Sprintf("loss %v, flood %v", c.loss, c.flood), func(t *testing.T) {
			each(max(4, runs/50), func(seed int) {
				w, _ := settled(t, uint64(seed), 5, c.loss)
				w.flood = c.flood
				before := w.nodes[0].max
				w.run(w.now+5*time.Minute, nil)
				for _, n := range w.nodes {
					if n.best != before {
						t.Errorf("seed %d: %s follows %s after the quiet, %s before", seed, n, show(n.best), show(before))
					}
				}
			})
		})
	}
}

// A member inflates terms and takes the room with each; a veto, which raises the era,
// ends it, and the terms begin anew.
func TestVeto(t *testing.T) {
	var s series
	each(runs, func(seed int) {
		nodes := 3 + seed%4
		w, relay := settled(t, uint64(seed), nodes, 0.01)
		w.liar = (relay + 1) % nodes
		for range 16 {
			w.inflate(w.nodes[relay].max.Term + Jump)
			w.run(w.now+300*ms, nil)
		}
		inflated := w.nodes[relay].best
		if inflated.Term < 8*Jump || w.index(inflated.Relay) != w.liar {
			t.Errorf("seed %d: the liar got no further than %s", seed, show(inflated))
		}
		w.veto()
		for i := range w.nodes {
			w.after(w.upTo(300*ms), func() { w.learn(i, 1) })
		}
		s.add(w.untilAgreed(8*time.Second), false)
		if k := w.nodes[relay].best; k.Term > 10 || w.index(k.Relay) == w.liar {
			t.Errorf("seed %d: after the veto all follow %s", seed, show(k))
		}
	})
	s.judge(t, "veto", 1500*ms, 0)
}

// A pin moves the room to the pinned peer at once, and an unrelated removal leaves it
// where it is.
func TestRosterMoves(t *testing.T) {
	var s series
	each(runs, func(seed int) {
		nodes := 3 + seed%4
		w, relay := settled(t, uint64(seed), nodes, 0)
		other := (relay + 1) % nodes
		next := Roster{Era: 1, Candidates: w.log[0].Candidates}
		want := w.nodes[other].name
		if seed%2 == 0 {
			next.Pin = want
		} else {
			next.Candidates = without(next.Candidates, want)
			want = w.nodes[relay].name
		}
		w.log = append(w.log, next)
		for i := range w.nodes {
			w.after(w.upTo(100*ms), func() { w.learn(i, 1) })
		}
		s.add(w.untilAgreed(5*time.Second), w.follows() == want)
	})
	s.judge(t, "pin or removal", 1500*ms, 1)
}

// A founder's new room has its relay at once, and those who come follow it.
func TestFounder(t *testing.T) {
	each(runs, func(seed int) {
		w := newWorld(uint64(seed), 4, nil)
		w.farther(80 * ms)
		w.start(0)
		w.input(0, func(m *Machine, now time.Duration) { m.Open(now) })
		if m := w.nodes[0].machine; !m.Relaying() || m.Best().Term != 1 {
			t.Errorf("seed %d: the founder follows %v", seed, m.Best())
		}
		for i := 1; i < 4; i++ {
			w.after(w.upTo(2*time.Second), func() { w.start(i) })
		}
		w.run(5*time.Second, nil)
		if !w.agreed(make([]int, 4)) || w.nodes[3].best != (protocol.Key{Term: 1, Relay: "a"}) {
			t.Errorf("seed %d: those who came follow %s", seed, show(w.nodes[3].best))
		}
	})
}
