package election

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// A message is a claim or a pulse on its way, and the version of its sender's log.
type message struct {
	claim   *protocol.Claim
	pulse   *protocol.Pulse
	sender  int
	version int
	seen    uint16 // the nodes that a flood has reached
}

// A node is one machine with the clock, the store and the log of its computer.
type node struct {
	name    protocol.PeerID // one letter
	machine *Machine
	up      bool
	stalled time.Duration // takes no input before this
	offset  time.Duration // of its clock
	drift   float64       // seconds of its clock in one of the world's
	class   uint8

	boot      uint64
	stored    protocol.Key
	storedEra uint32
	version   int // of its log
	learning  bool

	// What the invariants compare with.
	max     protocol.Key
	era     uint32
	best    protocol.Key
	relays  bool
	claimed protocol.Key
}

func (n *node) String() string { return string(n.name) }

// letters gives names as a trace has them.
func letters(ps []protocol.PeerID) (s string) {
	for _, p := range ps {
		s += string(p)
	}
	return s
}

type holder struct {
	era uint32
	key protocol.Key
}

// A world is a room's nodes and the network between them, in virtual time. The seed
// decides everything in it.
type world struct {
	rng   *rand.Rand
	now   time.Duration
	queue queue
	order uint64
	nodes []*node

	cut    [][]bool          // [from][to]
	delay  [][]time.Duration // [from][to], least
	jitter time.Duration
	loss   float64
	late   float64 // share of messages that come up to 2 s late, or twice
	flood  bool    // every node passes on what is new to it

	component []int // once it is quiet: which nodes can reach each other

	forgetful bool     // nothing is stored
	liar      int      // its index; -1: none
	lie       func()   // what it does at each tick; nil: it is silent
	log       []Roster // its versions

	holders map[holder]uint64 // whose boot claimed what (I3)
	broken  []string          // invariants that failed
	changed bool              // somebody's best, or who relays
	watch   func()
	trace   io.Writer
}

func newWorld(seed uint64, nodes int, trace io.Writer) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0xea5407)), jitter: 30 * ms, liar: -1,
		holders: map[holder]uint64{}, trace: trace,
	}
	var all []protocol.PeerID
	for i := range nodes {
		n := &node{name: protocol.PeerID(rune('a' + i))}
		n.offset = w.upTo(48*time.Hour) - 24*time.Hour
		n.drift = 1 + (w.rng.Float64()-0.5)*0.002
		all = append(all, n.name)
		w.nodes = append(w.nodes, n)
		w.cut = append(w.cut, make([]bool, nodes))
		w.delay = append(w.delay, make([]time.Duration, nodes))
	}
	w.log = []Roster{{Candidates: all}}
	return w
}

// farther draws the least delay of every link anew, up to most.
func (w *world) farther(most time.Duration) {
	for i := range w.delay {
		for j := range w.delay {
			w.delay[i][j] = 2*ms + w.upTo(most)
		}
	}
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }
func (w *world) anyone() int                        { return w.rng.IntN(len(w.nodes)) }

func (w *world) clock(n *node) time.Duration {
	return n.offset + time.Duration(float64(w.now)*n.drift)
}

func (w *world) index(p protocol.PeerID) int { return int(p[0] - 'a') }

func (w *world) push(e event) {
	w.order++
	e.order = w.order
	w.queue.push(e)
}

// after lets do happen once d has passed.
func (w *world) after(d time.Duration, do func()) { w.push(event{at: w.now + d, do: do}) }

func (w *world) note(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%9.3f  %s\n", w.now.Seconds(), fmt.Sprintf(format, args...))
	}
}

// show gives a key as a trace has it: peer IDs print as base58 otherwise.
func show(k protocol.Key) string { return fmt.Sprintf("%d%s", k.Term, string(k.Relay)) }

func (w *world) breaks(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
	w.note("BROKEN "+format, args...)
}

// start begins a node's next life, with what it has stored.
func (w *world) start(i int) {
	n := w.nodes[i]
	if n.machine == nil {
		w.push(event{at: w.now + w.upTo(100*ms), node: i})
	}
	n.up, n.stalled, n.learning = true, 0, false
	// A clock that is a day off gives boots that are a day off.
	n.boot = max(n.boot+1, uint64((w.clock(n)+1000*time.Hour)/ms))
	if w.forgetful {
		n.stored, n.storedEra = protocol.Key{}, 0
	}
	n.machine = New(Config{
		Self: n.name, Boot: n.boot, Class: n.class, Roster: w.log[n.version],
		Persisted: n.stored, PersistedEra: n.storedEra,
	}, w.clock(n))
	n.max, n.era, n.best, n.relays = protocol.Key{}, n.machine.Era(), protocol.Key{}, false
	w.changed = true
	w.note("%s starts, boot %d, stored %s of era %d", n, n.boot, show(n.stored), n.storedEra)
}

func (w *world) crash(i int) {
	w.nodes[i].up = false
	w.changed = true
	w.note("%s crashes", w.nodes[i])
}

// leave says bye and ends.
func (w *world) leave(i int) {
	n := w.nodes[i]
	if !n.up {
		return
	}
	w.note("%s says bye", n)
	w.do(i, n.machine.Bye(w.clock(n)))
	n.up = false
	w.changed = true
}

// cutOff takes all links from i (mute) or to i (deaf) away.
func (w *world) cutOff(i int, mute, deaf bool) {
	for j := range w.nodes {
		w.cut[i][j] = w.cut[i][j] || mute
		w.cut[j][i] = w.cut[j][i] || deaf
	}
	w.note("%s is cut off, mute %v, deaf %v", w.nodes[i], mute, deaf)
}

// split leaves only the links within each group.
func (w *world) split(group []int) {
	for i := range w.nodes {
		for j := range w.nodes {
			w.cut[i][j] = group[i] != group[j]
		}
	}
	w.note("links within %v", group)
}

func (w *world) heal() { w.split(make([]int, len(w.nodes))) }

// send puts a message on every link of a node.
func (w *world) send(i int, m *message) {
	for j := range w.nodes {
		if j != i {
			w.sendTo(i, j, m)
		}
	}
}

func (w *world) sendTo(i, j int, m *message) {
	if w.cut[i][j] || m.seen&(1<<j) != 0 || w.loss > 0 && w.rng.Float64() < w.loss {
		return
	}
	e := event{at: w.now + w.delay[i][j] + w.upTo(w.jitter), node: j, message: m}
	if w.late > 0 && w.rng.Float64() < w.late {
		w.push(e)
		e.at += w.upTo(2 * time.Second)
	}
	w.push(e)
}

// run lets the world go on until a time, or until stop says so.
func (w *world) run(until time.Duration, stop func() bool) {
	for len(w.queue) > 0 && w.queue[0].at <= until {
		e := w.queue.pop()
		w.now = e.at
		w.step(e)
		if w.watch != nil {
			w.watch()
		}
		if stop != nil && stop() {
			return
		}
	}
	w.now = until
}

func (w *world) step(e event) {
	if e.do != nil {
		e.do()
		return
	}
	n := w.nodes[e.node]
	if e.message == nil {
		w.push(event{at: w.now + 80*ms + w.upTo(40*ms), node: e.node})
	}
	switch {
	case !n.up:
	case n.stalled > w.now: // a busy processor: messages wait, ticks are late
		if e.message != nil {
			e.at = n.stalled
			w.push(e)
		}
	case e.message != nil:
		w.arrive(e.node, e.message)
	case e.node == w.liar:
		if w.lie != nil {
			w.lie()
		}
	default:
		w.input(e.node, func(*Machine, time.Duration) {})
	}
}

// arrive gives a node a message. One that shows a longer log makes it ask for that.
func (w *world) arrive(i int, m *message) {
	if w.flood {
		if m.seen&(1<<i) != 0 {
			return
		}
		m.seen |= 1 << i
		w.send(i, m)
	}
	w.sync(i, m.sender, m.version)
	w.input(i, func(machine *Machine, t time.Duration) {
		if m.claim != nil {
			machine.Claim(*m.claim, t)
		} else {
			machine.Pulse(*m.pulse, t)
		}
	})
}

// input gives a node's machine an input and does what it asks for.
func (w *world) input(i int, in func(*Machine, time.Duration)) {
	n := w.nodes[i]
	t := w.clock(n)
	in(n.machine, t)
	w.do(i, n.machine.Tick(t))
}

func (w *world) do(i int, out Out) {
	n := w.nodes[i]
	if out.Keep.Term > 0 {
		n.stored, n.storedEra = out.Keep, n.machine.Era()
	}
	if i == w.liar {
		return // its machine only listens
	}
	w.check(n, out)
	if out.Claim != nil {
		w.send(i, &message{claim: out.Claim, sender: i, version: n.version, seen: 1 << i})
	}
	if out.Pulse != nil {
		w.send(i, &message{pulse: out.Pulse, sender: i, version: n.version, seen: 1 << i})
	}
}

// check holds I1, I2 and I3 after each input.
func (w *world) check(n *node, out Out) {
	m := n.machine
	if m.max != n.max || m.Era() != n.era {
		if m.Era() == n.era && m.max.Compare(n.max, m.room) < 0 {
			w.breaks("I1: %s's max fell from %s to %s", n, show(n.max), show(m.max))
		}
		n.max, n.era = m.max, m.Era()
		if m.max != m.best.Key {
			w.note("%s has seen %s", n, show(m.max))
		}
	}
	best := m.Best()
	if best.Term > 0 && !m.in(best.Relay) {
		w.breaks("I2: %s follows %s, whose relay is not in its roster", n, show(best.Key))
	}
	if c := out.Claim; c != nil && (c.Key != n.claimed || !n.relays) {
		n.claimed = c.Key
		k := holder{c.Era, c.Key}
		if boot, ok := w.holders[k]; ok && boot != c.Boot && !w.forgetful {
			w.breaks("I3: %s of era %d claimed by two lives", show(c.Key), c.Era)
		}
		w.holders[k] = c.Boot
		if n.stored.Compare(c.Key, m.room) < 0 || n.storedEra != c.Era {
			w.breaks("rule 11: %s claims %s, but stored %s", n, show(c.Key), show(n.stored))
		}
	}
	if best.Key != n.best || m.Relaying() != n.relays {
		n.best, n.relays, w.changed = best.Key, m.Relaying(), true
		w.note("%s follows %s, solo %v, standby %q, max %s; relays %v, suspects %v, yields %v", n, show(best.Key),
			best.Solo, string(best.Standby), show(m.max), n.relays, m.suspecting(w.clock(n)), m.yields)
	}
}

// agreed tells whether each component that has a candidate has one relay, in it and
// up, that all its nodes follow (I4).
func (w *world) agreed(component []int) bool {
	var relays [2]int
	var best [2]protocol.Key
	electing := w.electing(component)
	for i, n := range w.nodes {
		c := component[i]
		if !n.up || i == w.liar || !electing[c] {
			continue
		}
		k := n.machine.best.Key
		if k.Term == 0 || best[c].Term > 0 && k != best[c] {
			return false
		}
		best[c] = k
		if r := w.index(k.Relay); !w.nodes[r].up || component[r] != c {
			return false
		}
		if n.machine.Relaying() {
			relays[c]++
		}
	}
	for c := range relays {
		if electing[c] && relays[c] != 1 {
			return false
		}
	}
	return true
}

// electing tells which components have a candidate.
func (w *world) electing(component []int) (e [2]bool) {
	for i, n := range w.nodes {
		e[component[i]] = e[component[i]] || n.up && i != w.liar && n.machine.candidate()
	}
	return e
}
