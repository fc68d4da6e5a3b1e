package room

import (
	"sync"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// places is what a node's upload bears, in a test's hands.
type places struct {
	mu    sync.Mutex
	free  int
	taken map[protocol.PeerID]bool
	twice bool // somebody took a place that it had, or left one that it had not
}

func newPlaces(free int) *places { return &places{free: free, taken: map[protocol.PeerID]bool{}} }

func (p *places) of(c *Config) {
	c.Place = func(child protocol.PeerID, duty bool) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.free <= 0 && !duty {
			return false
		}
		p.twice = p.twice || p.taken[child]
		p.taken[child] = true
		p.free--
		return true
	}
	c.Leave = func(child protocol.PeerID) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.twice = p.twice || !p.taken[child]
		delete(p.taken, child)
		p.free++
	}
}

func (p *places) set(free int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = free
}

// holds checks how many places are free and how many are taken.
func (p *places) holds(t *testing.T, free, taken int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free != free || len(p.taken) != taken || p.twice {
		t.Errorf("%d places free and %d taken, want %d and %d; wrongly counted: %v", p.free, len(p.taken), free, taken, p.twice)
	}
}

// A relay, a standby and a listener that does not lend, with what each of the
// first two has places for.
func inCrowd(t *testing.T, test func(w *world, listener *node, atRelay, atStandby *places)) {
	inWorld(t, 1, protocol.StageHost, 3, func(w *world) {
		host, second, listener := w.nodes[0], w.nodes[1], w.nodes[2]
		atRelay, atStandby := newPlaces(8), newPlaces(8)
		host.enters(w.fresh, atRelay.of)
		second.enters(asks(host), atStandby.of)
		w.sleep(3 * time.Second)
		w.settles(settling, host, second)
		if w.relay() != host || w.standby() != second {
			t.Fatal("the first is not the relay with the second by its side")
		}
		listener.lends = false
		test(w, listener, atRelay, atStandby)
	})
}

// fresh is how a room is opened.
func (w *world) fresh(c *Config) { c.New, c.Genesis = true, w.genesis }

// view gives a node's room as it sees it.
func (n *node) view() View {
	n.w.t.Helper()
	v, err := n.room.View(n.w.t.Context())
	if err != nil {
		n.w.t.Fatal(err)
	}
	return v
}

func TestWhomTheRelayRefusesTheStandbyTakes(t *testing.T) {
	inCrowd(t, func(w *world, listener *node, atRelay, atStandby *places) {
		atRelay.set(0)
		atStandby.set(1)
		listener.enters(func(c *Config) { c.Seeds = nil }, asks(w.nodes[0])) // it knows the relay alone, and no genesis
		listener.uses(Use{Listening: 1})
		w.sleep(3 * time.Second)
		if !listener.hears(w.nodes[1]) || listener.view().Full {
			t.Fatalf("it does not hear by the standby: %+v", listener.view())
		}
		atRelay.set(1) // whoever is refused asks again
		w.sleep(2 * time.Second)
		atRelay.holds(t, 0, 2)
		atStandby.holds(t, 0, 1)
		listener.kill()
		w.sleep(10 * time.Second)
		atRelay.holds(t, 1, 1)
		atStandby.holds(t, 1, 0)
	})
}

func TestAFullRoomSaysSoAndTakesInLater(t *testing.T) {
	inCrowd(t, func(w *world, listener *node, atRelay, atStandby *places) {
		atRelay.set(0)
		atStandby.set(0)
		listener.enters(func(c *Config) { c.Seeds = nil }, asks(w.nodes[0]))
		listener.uses(Use{Listening: 1})
		w.sleep(5 * time.Second)
		if v := listener.view(); !v.Full || v.Genesis == nil || len(v.Paths) > 0 {
			t.Fatalf("want it outside a full room: %+v", v)
		}
		atStandby.set(1)
		w.sleep(2 * time.Second)
		if !listener.hears(w.nodes[1]) || listener.view().Full {
			t.Errorf("a place became free, and it does not hear: %+v", listener.view())
		}
	})
}

func TestWhoHasADutyGetsIn(t *testing.T) {
	inWorld(t, 1, protocol.StageHost, 3, func(w *world) {
		host, second, third := w.nodes[0], w.nodes[1], w.nodes[2]
		full := newPlaces(0)
		third.lends = false
		host.enters(w.fresh, func(c *Config) { c.Speakers = []protocol.PeerID{second.id} }, full.of)
		second.enters(asks(host))
		third.enters(asks(host))
		w.sleep(5 * time.Second)
		if !second.hears(host) || third.hears(host) {
			t.Errorf("the speaker is in: %v, the other one: %v", second.hears(host), third.hears(host))
		}
		full.holds(t, -1, 1)
	})
}
