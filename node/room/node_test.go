package room

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

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
	cfg := n.config(l)
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

// config is what a room gets on the node, for one of its lives. w.mu is held.
func (n *node) config(l *life) Config {
	w := n.w
	return Config{
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
		Seeds: n.directory(),
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
