package room

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	ms       = time.Millisecond
	maxNodes = 16
)

// A world is real rooms on their goroutines, joined by links, media paths, gossip
// and a directory that are all in memory and in the virtual time of a synctest
// bubble. No two of its events fall on the same instant, so its seed decides a
// history, but for the order in which a room goes through its maps.
type world struct {
	t       testing.TB
	began   time.Time
	genesis *protocol.Genesis

	mu      sync.Mutex // of all that follows: rooms call from their goroutines
	nodes   []*node
	wires   map[[2]int]*wire
	cut     [maxNodes][maxNodes]bool
	last    map[slot]time.Duration
	taken   map[time.Duration]bool
	random  map[slot]*rand.Rand
	seed    uint64
	deaf    float64 // share of the gossip that is lost
	misuses []string
	log     []string
	letters string // sealed reports: from whom to whom they went
	loud    bool
}

// A slot is one kind of event from one node to another; each has its own place
// within a microsecond, and its own chance.
type slot struct{ from, to, kind int }

const (
	overLink = iota
	overTopic
	pathChange
	dialling
	slotKinds

	driverPlace = slotKinds * maxNodes * maxNodes // nothing of a node falls there
)

func (s slot) place() time.Duration {
	return time.Duration((s.from*maxNodes+s.to)*slotKinds + s.kind)
}

// grid is what events' times are rounded to; a slot's place comes on top.
const grid = 2 * time.Microsecond

// inWorld runs a test in a bubble, with a room that the first node founds.
func inWorld(t *testing.T, seed uint64, stage protocol.Stage, nodes int, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, stage, nodes)
		defer w.end()
		test(w)
	})
}

func newWorld(t testing.TB, seed uint64, stage protocol.Stage, nodes int) *world {
	w := &world{t: t, began: time.Now(), seed: seed, wires: map[[2]int]*wire{}, last: map[slot]time.Duration{},
		taken: map[time.Duration]bool{}, random: map[slot]*rand.Rand{}, loud: os.Getenv("EARSHOT_TRACE") != ""}
	for i := range nodes {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	w.genesis = &protocol.Genesis{Title: "a room", Stage: stage, Created: time.Unix(1, 0)}
	if err := w.genesis.Seal(w.nodes[0].key); err != nil {
		t.Fatal(err)
	}
	return w
}

// end kills every node, so that the bubble has no goroutine left.
func (w *world) end() {
	for _, n := range w.nodes {
		n.kill()
	}
	w.mu.Lock()
	misuses := w.misuses
	w.mu.Unlock()
	for _, m := range misuses {
		w.t.Error(m)
	}
	time.Sleep(5 * time.Second) // what was still under way finds nobody
	if w.t.Failed() && len(w.log) > 0 {
		w.t.Log("\n" + strings.Join(w.log, "\n"))
	}
}

func (w *world) now() time.Duration { return time.Since(w.began) }

// chance gives a slot's own random numbers: what one pair does moves no other's.
func (w *world) chance(s slot) *rand.Rand {
	r := w.random[s]
	if r == nil {
		r = rand.New(rand.NewPCG(w.seed, uint64(s.place())))
		w.random[s] = r
	}
	return r
}

// upTo draws a duration; w.mu is held.
func (w *world) upTo(s slot, d time.Duration) time.Duration {
	return time.Duration(w.chance(s).Int64N(int64(d)))
}

// after has do called at an instant that no other event has; ordered: never
// before what the slot has under way. w.mu is held, by do it is not.
func (w *world) after(s slot, d time.Duration, ordered bool, do func()) {
	at := (w.now() + max(d, grid)).Truncate(grid) + s.place()
	if ordered && at <= w.last[s] {
		at = w.last[s] + grid
	}
	for w.taken[at] {
		at += grid
	}
	if ordered {
		w.last[s] = at
	}
	w.taken[at] = true
	time.AfterFunc(at-w.now(), func() {
		w.mu.Lock()
		delete(w.taken, at)
		w.mu.Unlock()
		do()
	})
}

// sleep lets time pass, to an instant of the test's own.
func (w *world) sleep(d time.Duration) { w.sleepTo(d, 0) }

func (w *world) sleepTo(d time.Duration, place int) {
	at := (w.now() + d).Truncate(grid) + driverPlace + time.Duration(place)
	for at <= w.now() {
		at += grid
	}
	time.Sleep(at - w.now())
	synctest.Wait()
}

// note adds to the trace that a failure prints.
func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf("%10.4f  %s", w.now().Seconds(), fmt.Sprintf(format, args...))
	w.log = append(w.log, line)
	if w.loud {
		fmt.Println(line)
	}
}

// tell is note for those who don't hold w.mu.
func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(format, args...)
}

// misuse notes that a room called what it may not. w.mu is held.
func (w *world) misuse(format string, args ...any) {
	w.note("MISUSE "+format, args...)
	if len(w.misuses) < 20 {
		w.misuses = append(w.misuses, fmt.Sprintf("%.4f s: ", w.now().Seconds())+fmt.Sprintf(format, args...))
	}
}

func (w *world) index(p protocol.PeerID) int {
	for _, n := range w.nodes {
		if n.id == p {
			return n.index
		}
	}
	return -1
}

// letter names a node in traces.
func (w *world) letter(p protocol.PeerID) string {
	if i := w.index(p); i >= 0 {
		return string(rune('a' + i))
	}
	return "-"
}

func (w *world) seeds(infos []peer.AddrInfo) (s string) {
	for _, i := range infos {
		s += w.letter(i.ID)
	}
	return s
}
