package room

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// TestHistories holds the invariants against random histories: nodes come, crash,
// come back and leave, are parted and meet again, listen and speak, while paths
// flap and gossip goes astray. Then they are left in quiet.
//
// EARSHOT_HISTORIES says how many; EARSHOT_SEED replays one of them, with
// EARSHOT_TRACE as it happens. The order in which a room goes through its maps is
// not the seed's: a replay may have to be repeated (-count).
func TestHistories(t *testing.T) {
	first, count := uint64(0), uint64(histories)
	if s := os.Getenv("EARSHOT_SEED"); s != "" {
		first, count = number(t, "EARSHOT_SEED", s), 1
	} else if s := os.Getenv("EARSHOT_HISTORIES"); s != "" {
		count = number(t, "EARSHOT_HISTORIES", s)
	}
	for seed := first; seed < first+count; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			stage := protocol.StageOpen
			if seed%5 == 4 {
				stage = protocol.StageHost
			}
			inWorld(t, seed, stage, 2+int(seed%6), func(w *world) {
				h := history{w, rand.New(rand.NewPCG(seed, 0xea5407))}
				h.happens()
				h.quiet()
			})
			if t.Failed() {
				t.Logf("replay: EARSHOT_SEED=%d EARSHOT_TRACE=1 go test -run TestHistories -v ./node/room", seed)
			}
		})
	}
}

func number(t *testing.T, name, s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s is no number: %v", name, s, err)
	}
	return n
}

type history struct {
	*world
	random *rand.Rand
}

func (h history) anyone() *node          { return h.nodes[h.random.IntN(len(h.nodes))] }
func (h history) within(d time.Duration) { h.sleep(time.Duration(h.random.Int64N(int64(d)))) }
func (h history) oneIn(n int) bool       { return h.random.IntN(n) == 0 }
func (h history) some(n int) (out []*node) {
	for _, i := range h.random.Perm(len(h.nodes))[:n] {
		out = append(out, h.nodes[i])
	}
	return out
}

// happens is the turbulent part.
func (h history) happens() {
	for _, n := range h.nodes {
		n.lends = !h.oneIn(3)
	}
	var speakers []*node
	if h.genesis.Stage == protocol.StageHost {
		speakers = h.some(h.random.IntN(2))
		speakers = slices.DeleteFunc(speakers, func(n *node) bool { return n == h.nodes[0] })
	}
	h.nodes[0].opens(speakers...)
	h.within(2 * time.Second)
	for end := h.now() + 25*time.Second; h.now() < end; {
		h.step(h.anyone())
		if h.oneIn(3) {
			h.within(4 * time.Second)
		} else {
			h.within(400 * ms)
		}
	}
}

// step does one thing that may happen to a node.
func (h history) step(n *node) {
	switch inside := n.alive && n.room != nil; {
	case !inside:
		h.come(n)
	case h.oneIn(12):
		n.kill()
	case h.oneIn(14):
		n.leaves()
	case h.oneIn(12):
		if n.use.Speaking > 0 && h.oneIn(2) {
			n.hushes()
		} else if n.use.Speaking < voicesEach {
			n.speaks()
		}
	case h.oneIn(4):
		n.uses(Use{Listening: h.random.IntN(2), Speaking: n.use.Speaking})
	case h.oneIn(8):
		h.parts(h.some(h.random.IntN(len(h.nodes)))...)
	case h.oneIn(8):
		if o := h.anyone(); o != n {
			h.tell("cut %v%v", n, o)
			h.cuts(n, o)
		}
	case h.oneIn(3):
		h.heal()
	case h.oneIn(3):
		if o := h.anyone(); o != n {
			h.flaps(n, o)
		}
	case h.oneIn(2):
		h.loses([]float64{0, 0.1, 0.5, 1}[h.random.IntN(4)])
	}
}

// come has a node enter: by the directory, or by a link with up to two hints.
func (h history) come(n *node) {
	if n.index == 0 {
		n.enters(n.knows)
		return
	}
	hints := slices.DeleteFunc(h.some(1+h.random.IntN(len(h.nodes)-1)), func(o *node) bool { return o == n || !o.alive })
	n.enters(asks(hints[:min(2, len(hints))]...))
}

// quiet leaves everyone alone, and wants the room to be as it should.
func (h history) quiet() {
	h.heal()
	h.loses(0)
	if n := h.nodes[0]; !n.alive || n.room == nil {
		h.come(n)
	}
	for _, n := range inRoom(h.nodes) {
		n.room.Seed(h.nodes[0].info()) // as who asks for the room again
	}
	h.tell("quiet")
	h.sleep(time.Second)
	h.agrees(promised+3*time.Second, h.nodes...)
	h.sleep(10 * time.Second)
	relays := h.relays(inRoom(h.nodes))
	h.sleep(forgetting - 10*time.Second)
	if now := h.relays(inRoom(h.nodes)); now != relays {
		h.t.Errorf("relay changes in quiet: %s, then %s", relays, now)
	}
	h.settles(settling)
	h.stays(5 * time.Second)
}
