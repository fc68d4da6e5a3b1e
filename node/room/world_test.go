package room

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

const maxNodes = 16

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

// loses has a share of the gossip go astray from now on.
func (w *world) loses(share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("gossip loses %v", share)
	w.deaf = share
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

// reach says whether gossip gets from one node to another: over any others.
func (w *world) reach(from, to int) bool {
	var seen [maxNodes]bool
	seen[from] = true
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			return true
		}
		for _, n := range w.nodes {
			if n.alive && !seen[n.index] && !w.cut[queue[0]][n.index] {
				seen[n.index] = true
				queue = append(queue, n.index)
			}
		}
	}
	return false
}

// A node is one machine: what it stores outlives its rooms.
type node struct {
	w     *world
	index int
	key   crypto.PrivKey
	id    protocol.PeerID
	addr  multiaddr.Multiaddr
	clock time.Duration // its clock's lead over the world's
	lends bool
	aloof bool // the topic's messages don't reach it: a node that nobody but the relay knows
	wild  bool // its program was changed: it hears of no law any more, and of no other relay

	boot, sequence uint64
	term           protocol.Key
	era            uint32
	actions        []*pb.SignedAction                                // as stored
	genesis        *protocol.Genesis                                 // as stored; nil: not
	lives          roster.Lives                                      // the same
	lies           func(to *node, m *pb.LinkMessage) *pb.LinkMessage // what it sends instead; nil: it is honest
	livesAt        time.Duration

	alive bool // the program runs
	*life
}

// A life is one run of a node's program; fakes of an earlier one do nothing.
type life struct {
	gone       bool // killed: nothing of it gets out any more
	room       *Room
	cancel     context.CancelFunc
	ended      chan error
	forwarder  *forwarder
	wants      map[int]bool
	dials      map[int]bool
	book       map[int]bool // whose addresses it knows
	announcers map[int]time.Duration
	announced  *protocol.Announcement // last
	use        Use
	spoken     []protocol.Session
	changes    []RelayChange
	earlier    int // changes of eras before the stored one
	said       int // messages sent
}

func newNode(w *world, i int) *node {
	var name [8]byte
	binary.BigEndian.PutUint64(name[:], uint64(i)+w.seed<<8)
	secret := sha256.Sum256(name[:])
	key, _, err := crypto.GenerateEd25519Key(strings.NewReader(string(secret[:])))
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(key.GetPublic())
	if err != nil {
		w.t.Fatal(err)
	}
	return &node{
		w: w, index: i, key: key, id: id, lends: true, boot: 1000, sequence: 1000,
		addr:  multiaddr.StringCast(fmt.Sprintf("/ip4/10.0.%d.1/udp/41641/quic-v1", i)),
		clock: time.Duration(i+1) * 1000 * time.Second, life: &life{},
	}
}

func (n *node) String() string { return string(rune('a' + n.index)) }

func (n *node) info() peer.AddrInfo {
	return peer.AddrInfo{ID: n.id, Addrs: []multiaddr.Multiaddr{n.addr}}
}

// boots starts the node's program, without a room.
func (n *node) boots() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.alive = true
	n.life = &life{wants: map[int]bool{}, dials: map[int]bool{}, book: map[int]bool{}, announcers: map[int]time.Duration{}}
}

// enters starts the room on a node; change adapts its Config.
func (n *node) enters(change ...func(*Config)) {
	n.w.t.Helper()
	if !n.alive {
		n.boots()
	}
	w := n.w
	w.sleepTo(0, n.index+1) // its ticks fall where no other's do
	w.mu.Lock()
	l := n.life
	n.boot++
	l.forwarder = newForwarder(n, l)
	l.ended = make(chan error, 1)
	l.use, l.spoken = Use{}, nil
	cfg := Config{
		Room: w.genesis.Room, Self: n.id, Key: n.key, Boot: n.boot, Name: protocol.Name(n.String()), Lends: n.lends,
		Term: n.term, TermEra: n.era, Actions: slices.Clone(n.actions), Wall: time.Now,
		SaveActions: func(actions []*pb.SignedAction) {
			w.mu.Lock()
			defer w.mu.Unlock()
			n.actions = append(n.actions, actions...)
		},
		Lives: n.lives, LivesAgo: w.now() - n.livesAt, SaveLives: func(lives roster.Lives) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !l.gone {
				n.lives, n.livesAt = lives, w.now()
			}
		},
		Genesis: n.genesis, SaveGenesis: func(g *protocol.Genesis) {
			w.mu.Lock()
			defer w.mu.Unlock()
			n.genesis = g
		},
		Links: &links{n, l}, Topic: &topic{n, l}, Forwarder: l.forwarder,
		Addresses: func() []multiaddr.Multiaddr { return []multiaddr.Multiaddr{n.addr} },
		SaveTerm:  func(era uint32, k protocol.Key, done func(error)) { done(n.save(l, era, k)) },
		Announce:  func(envelope []byte) { n.announce(l, envelope) },
		Announcers: func() []peer.AddrInfo {
			w.mu.Lock()
			defer w.mu.Unlock()
			return n.directory()
		},
		Rooms:    func() int { return 1 },
		Sequence: n.next,
		Changed:  func() {},
		Relayed:  func(c RelayChange) { n.relayed(l, c) },
		Now:      func() time.Duration { return w.now() + n.clock },
		Log:      slog.New(slog.DiscardHandler),
	}
	cfg.Seeds = n.directory()
	for _, c := range change {
		c(&cfg)
	}
	l.room = New(cfg)
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	w.note("%v enters, boot %d, seeds %v", n, n.boot, w.seeds(cfg.Seeds))
	r := l.room
	var up []protocol.PeerID // as pairs.greet does
	for _, o := range w.nodes {
		if o != n && w.wayUp(n.index, o.index) {
			up = append(up, o.id)
		}
	}
	w.mu.Unlock()
	go func() {
		err := r.Run(ctx)
		w.mu.Lock()
		if l.room == r {
			l.room = nil
			w.note("%v's room ended: %v", n, err)
		}
		w.mu.Unlock()
		l.ended <- err
	}()
	for _, p := range up {
		r.PathUp(p)
	}
	synctest.Wait()
}

func (w *world) seeds(infos []peer.AddrInfo) (s string) {
	for _, i := range infos {
		s += w.letter(i.ID)
	}
	return s
}

// opens founds the room.
func (n *node) opens(speakers ...*node) {
	n.enters(func(c *Config) {
		c.New, c.Genesis = true, n.w.genesis
		for _, s := range speakers {
			c.Speakers = append(c.Speakers, s.id)
		}
	})
}

// slowDisk has a node's store answer after this time.
func (n *node) slowDisk(takes time.Duration) func(*Config) {
	return func(c *Config) {
		save := c.SaveTerm
		c.SaveTerm = func(era uint32, k protocol.Key, done func(error)) {
			time.AfterFunc(takes, func() { save(era, k, done) })
		}
	}
}

// knows is for nodes that have the room's genesis, of the directory or stored.
func (n *node) knows(c *Config) { c.Genesis = n.w.genesis }

// asks gives a room seeds, as a link's hints do.
func asks(seeds ...*node) func(*Config) {
	return func(c *Config) {
		for _, s := range seeds {
			c.Seeds = append(c.Seeds, s.info())
		}
	}
}

// kill ends a node without a word.
func (n *node) kill() {
	w := n.w
	w.mu.Lock()
	l := n.life
	if !n.alive {
		w.mu.Unlock()
		return
	}
	n.alive, l.gone = false, true
	w.note("%v is killed", n)
	w.broken(n.index)
	running := l.room != nil
	w.mu.Unlock()
	if running {
		l.cancel()
		<-l.ended
	}
}

// leaves ends its room with a goodbye, and waits for that.
func (n *node) leaves() {
	n.w.tell("%v leaves", n)
	if r := n.room; r != nil {
		r.Leave()
		<-n.ended
	}
	n.w.mu.Lock()
	clear(n.wants)
	n.w.mu.Unlock()
}

func (n *node) save(l *life, era uint32, k protocol.Key) error {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if l.gone {
		return nil
	}
	if era != n.era {
		l.earlier = len(l.changes)
	}
	for _, c := range l.changes[l.earlier:] {
		if c.Relay == n.id && k.Term < c.Term {
			n.w.misuse("%v stores term %d, and has claimed %d", n, k.Term, c.Term)
		}
	}
	n.era, n.term = era, k
	return nil
}

func (n *node) next() uint64 {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.sequence++
	return n.sequence
}

func (n *node) relayed(l *life, c RelayChange) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	l.changes = append(l.changes, c)
	if !l.gone {
		n.w.note("%v follows %s, term %d", n, n.w.letter(c.Relay), c.Term)
	}
}

// announce publishes in the directory, which is gossip too.
func (n *node) announce(l *life, envelope []byte) {
	w := n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.gone {
		return
	}
	a, err := protocol.OpenAnnouncement(envelope)
	if err != nil {
		w.misuse("%v announces what nobody takes: %v", n, err)
		return
	}
	w.note("%v announces", n)
	l.announced = a
	for _, o := range w.nodes {
		if !o.alive || !w.reach(n.index, o.index) {
			continue
		}
		to := o.life
		w.after(slot{n.index, o.index, overTopic}, 5*time.Millisecond+w.upTo(slot{n.index, o.index, overTopic}, 60*time.Millisecond), false, func() {
			w.mu.Lock()
			if to.gone {
				w.mu.Unlock()
				return
			}
			to.announcers[n.index] = w.now() + a.Life
			if a.Closed {
				clear(to.announcers)
			}
			seeds, r := o.directory(), to.room
			w.mu.Unlock()
			if r != nil {
				r.Learn(a.Genesis)
				for _, s := range seeds {
					r.Seed(s)
				}
			}
		})
	}
}

// directory gives who announces the room, as far as this node or one that it
// reaches knows. w.mu is held.
func (n *node) directory() (out []peer.AddrInfo) {
	for _, o := range n.w.nodes {
		if o.alive && n.w.reach(n.index, o.index) {
			for i, until := range o.announcers {
				n.announcers[i] = max(n.announcers[i], until)
			}
		}
	}
	for _, o := range n.w.nodes {
		if o != n && n.announcers[o.index] > n.w.now() {
			out = append(out, o.info())
		}
	}
	return out
}

// uses says what programs on this node's machine do.
func (n *node) uses(u Use) {
	n.w.tell("%v uses %+v", n, u)
	n.use = u
	n.room.Used(u)
	synctest.Wait()
}

// speaks opens a voice.
func (n *node) speaks() (protocol.Source, error) {
	var session protocol.Session
	n.w.mu.Lock()
	for i := range session {
		session[i] = byte(n.w.chance(slot{n.index, n.index, overLink}).Uint32())
	}
	n.w.mu.Unlock()
	s, err := n.room.OpenVoice(context.Background(), session)
	n.w.tell("%v opens voice %d: %v", n, s, err)
	if err == nil {
		n.spoken = append(n.spoken, session)
		u := n.use
		u.Speaking++
		n.uses(u)
	}
	return s, err
}

// hushes ends its oldest voice.
func (n *node) hushes() {
	if len(n.spoken) == 0 {
		return
	}
	s := protocol.SourceOf(n.w.genesis.Room, n.id, n.spoken[0])
	n.w.tell("%v ends voice %d", n, s)
	n.spoken = n.spoken[1:]
	n.room.CloseVoice(s)
	u := n.use
	u.Speaking--
	n.uses(u)
}
