package room

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
	ms = time.Millisecond

	redial   = time.Second
	deadLink = 3 * time.Second // without a sign of life
)

// A wire is the link of two nodes, with its media path. Index 0 is the node of
// the lower number.
type wire struct {
	nodes [2]*node
	lives [2]*life
	up    bool
	epoch int
	born  time.Duration
	held  [2][]func() // what each has sent since the wire was cut
	side  [2]side
}

// side is a wire as one of its nodes has it.
type side struct {
	path     bool // frames can pass
	handle   protocol.Handle
	accepted map[protocol.Handle]protocol.Source
}

func (w *world) wire(i, j int) (*wire, int) {
	mine := 0
	if j < i {
		i, j, mine = j, i, 1
	}
	k := w.wires[[2]int{i, j}]
	if k == nil {
		k = &wire{nodes: [2]*node{w.nodes[i], w.nodes[j]}}
		w.wires[[2]int{i, j}] = k
	}
	return k, mine
}

func (w *world) wayUp(i, j int) bool {
	k, mine := w.wire(i, j)
	return k.up && k.side[mine].path && k.lives[mine] == w.nodes[i].life
}

// links is a room's Links.
type links struct {
	*node
	of *life
}

func (l *links) Want(info peer.AddrInfo) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	j := l.w.index(info.ID)
	switch {
	case l.of.gone || j < 0:
		return
	case j == l.index:
		l.w.misuse("%v wants itself", l.node)
		return
	}
	if len(info.Addrs) > 0 {
		l.of.book[j] = true
	}
	l.of.wants[j] = true
	l.dial(l.of, j, 5*ms)
}

func (l *links) Release(p protocol.PeerID) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	j := l.w.index(p)
	if l.of.gone || j < 0 {
		return
	}
	delete(l.of.wants, j)
	l.w.loosen(l.index, j)
}

func (l *links) Addresses(p protocol.PeerID) []multiaddr.Multiaddr {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if j := l.w.index(p); j >= 0 && l.of.book[j] {
		return []multiaddr.Multiaddr{l.w.nodes[j].addr}
	}
	return nil
}

func (l *links) Path(p protocol.PeerID) Path {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	j := l.w.index(p)
	if l.of.gone || j < 0 || !l.w.wayUp(l.index, j) {
		return nil
	}
	k, mine := l.w.wire(l.index, j)
	return way{w: l.w, k: k, mine: mine, epoch: k.epoch}
}

// dial tries to bring a link up, and again while it is wanted. w.mu is held.
func (n *node) dial(l *life, j int, after time.Duration) {
	if l.dials[j] {
		return
	}
	l.dials[j] = true
	w, to, s := n.w, n.w.nodes[j], slot{n.index, j, dialling}
	w.after(s, after+w.upTo(s, 20*ms), true, func() {
		w.mu.Lock()
		delete(l.dials, j)
		k, mine := w.wire(n.index, j)
		if l.gone || !l.wants[j] || k.up && k.lives[mine] == l && k.lives[1-mine] == to.life {
			w.mu.Unlock()
			return
		}
		if !to.alive || w.cut[n.index][j] || !l.book[j] {
			n.dial(l, j, redial-10*ms)
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		w.unplug(k) // the far side has begun a new life
		w.plug(k)
	})
}

// plug brings a link up, and a little later its media path.
func (w *world) plug(k *wire) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k.up, k.born, k.held = true, w.now(), [2][]func(){}
	k.epoch++
	w.note("link %v%v up", k.nodes[0], k.nodes[1])
	for i, n := range k.nodes {
		k.lives[i] = n.life
		k.side[i] = side{accepted: map[protocol.Handle]protocol.Source{}}
		n.book[k.nodes[1-i].index] = true // identify tells
	}
	w.pathsUp(k, 60*ms)
}

// pathsUp brings the media path up on both sides, each in its own time.
func (w *world) pathsUp(k *wire, after time.Duration) {
	for i, n := range k.nodes {
		w.pathTurn(k, i, after+w.upTo(slot{n.index, k.nodes[1-i].index, pathChange}, 80*ms), true)
	}
}

// pathTurn changes one side's path a little later. w.mu is held.
func (w *world) pathTurn(k *wire, i int, after time.Duration, up bool) {
	epoch, n, other := k.epoch, k.nodes[i], k.nodes[1-i]
	w.after(slot{n.index, other.index, pathChange}, after, true, func() {
		w.mu.Lock()
		if k.epoch != epoch || !k.up || k.lives[i].gone {
			w.mu.Unlock()
			return
		}
		k.side[i].path = up
		r := k.lives[i].room
		w.mu.Unlock()
		if r == nil {
			return
		}
		if up {
			r.PathUp(other.id)
		} else {
			r.PathDown(other.id)
		}
	})
}

// unplug takes a link down; those who want it dial again.
func (w *world) unplug(k *wire) {
	w.mu.Lock()
	if !k.up {
		w.mu.Unlock()
		return
	}
	k.up = false
	k.epoch++
	w.note("link %v%v down", k.nodes[0], k.nodes[1])
	var tell []func()
	for i, n := range k.nodes {
		l, other := k.lives[i], k.nodes[1-i]
		k.side[i] = side{}
		if l.gone {
			continue
		}
		if l.wants[other.index] {
			n.dial(l, other.index, redial)
		}
		if r := l.room; r != nil {
			tell = append(tell, func() { r.PathDown(other.id) })
		}
	}
	w.mu.Unlock()
	for _, t := range tell {
		t()
	}
}

// loosen ends a link that neither side wants any more. w.mu is held.
func (w *world) loosen(i, j int) {
	k, _ := w.wire(i, j)
	epoch := k.epoch
	if !k.up {
		return
	}
	w.after(slot{i, j, dialling}, deadLink, false, func() {
		w.mu.Lock()
		idle := k.up && k.epoch == epoch && !k.lives[0].wants[k.nodes[1].index] && !k.lives[1].wants[k.nodes[0].index]
		w.mu.Unlock()
		if idle {
			w.unplug(k)
		}
	})
}

// broken has the neighbours of a node that was killed find out. w.mu is held.
func (w *world) broken(i int) {
	for _, o := range w.nodes {
		k, _ := w.wire(i, o.index)
		if o.index == i || !k.up {
			continue
		}
		epoch := k.epoch
		s := slot{i, o.index, dialling}
		patience := deadLink
		if w.chance(s).IntN(3) == 0 {
			patience = 20 * ms // its machine still says that the socket is closed
		}
		w.after(s, patience+w.upTo(s, 200*ms), false, func() {
			if w.sameEpoch(k, epoch) {
				w.unplug(k)
			}
		})
	}
}

func (w *world) sameEpoch(k *wire, epoch int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return k.epoch == epoch
}

// parts cuts all that joins one set of nodes with the others.
func (w *world) parts(half ...*node) {
	in := map[*node]bool{}
	for _, n := range half {
		in[n] = true
	}
	w.tell("cut: %v from the others", half)
	for i, n := range w.nodes {
		for _, o := range w.nodes[i+1:] {
			if in[n] != in[o] {
				w.cuts(n, o)
			}
		}
	}
}

// halves parts the relay and every other node from the standby and the rest.
func (w *world) halves() {
	relay, standby := w.relay(), w.standby()
	var half []*node
	for i, n := range w.nodes {
		if n == relay || n != standby && i%2 == 0 {
			half = append(half, n)
		}
	}
	w.parts(half...)
}

// cuts ends what passes between two nodes; their link is dead a while later.
func (w *world) cuts(n, o *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[n.index][o.index], w.cut[o.index][n.index] = true, true
	k, _ := w.wire(n.index, o.index)
	epoch := k.epoch
	w.after(slot{n.index, o.index, dialling}, deadLink, false, func() {
		w.mu.Lock()
		dead := k.epoch == epoch && k.up && w.cut[n.index][o.index]
		w.mu.Unlock()
		if dead {
			w.unplug(k)
		}
	})
}

// heal mends every cut. What a link still holds is sent again, as streams do.
func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("heal")
	w.cut = [maxNodes][maxNodes]bool{}
	for _, k := range w.wires {
		for i, held := range k.held {
			for _, deliver := range held {
				w.deliver(k, i, deliver)
			}
		}
		k.held = [2][]func(){}
	}
}

// flaps takes the media path of two nodes down and up again.
func (w *world) flaps(n, o *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, _ := w.wire(n.index, o.index)
	if !k.up {
		return
	}
	w.note("path %v%v flaps", n, o)
	for i := range k.side {
		w.pathTurn(k, i, w.upTo(slot{k.nodes[i].index, k.nodes[1-i].index, pathChange}, 300*ms), false)
	}
	w.pathsUp(k, 400*ms)
}

// Send marshals, carries and parses a message.
func (l *links) Send(p protocol.PeerID, m *pb.LinkMessage) bool {
	w := l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.index(p)
	if l.of.gone || j < 0 {
		return false
	}
	k, mine := w.wire(l.index, j)
	if !k.up || k.lives[mine] != l.of {
		return false
	}
	if l.lies != nil {
		if m = l.lies(w.nodes[j], m); m == nil {
			return true
		}
	}
	raw, err := proto.Marshal(m)
	if err != nil || len(raw) > protocol.MaxLinkMessageBytes {
		w.misuse("%v sends %d bytes: %v", l.node, len(raw), err)
		return false
	}
	l.of.said++
	if m.GetReport() != nil {
		w.letters += fmt.Sprintf("%v%v ", l.node, w.nodes[j])
	}
	if w.loud && m.GetFeed() == nil {
		w.note("%v>%v %v", l.node, w.nodes[j], describe(m))
	}
	epoch, to := k.epoch, k.lives[1-mine]
	deliver := func() {
		w.mu.Lock()
		dead := k.epoch != epoch || to.gone
		w.mu.Unlock()
		if !dead {
			w.nodes[j].receive(to, l.node, raw)
		}
	}
	if w.cut[l.index][j] {
		k.held[mine] = append(k.held[mine], deliver)
		return true
	}
	w.deliver(k, mine, deliver)
	return true
}

// deliver brings what one side of a wire has sent, in order. w.mu is held.
func (w *world) deliver(k *wire, mine int, do func()) {
	s := slot{k.nodes[mine].index, k.nodes[1-mine].index, overLink}
	w.after(s, 10*ms+time.Duration(s.from*s.to%5)*10*ms+w.upTo(s, 20*ms), true, do)
}

// receive does what the node's pairs do with a message.
func (n *node) receive(l *life, from *node, raw []byte) {
	var m pb.LinkMessage
	if err := proto.Unmarshal(raw, &m); err != nil {
		n.w.t.Error(err)
		return
	}
	n.w.mu.Lock()
	r := l.room
	n.w.mu.Unlock()
	switch {
	case n.wild && wouldMove(&m):
	case r == nil:
		if a := m.GetAttach(); a != nil {
			(&links{n, l}).Send(from.id, &pb.LinkMessage{What: &pb.LinkMessage_Refuse{Refuse: &pb.Refuse{Room: a.Room, Reason: pb.Refuse_UNKNOWN_ROOM}}})
		}
	case m.GetBound() != nil:
		r.Bound(from.id, protocol.Handle(m.GetBound().Handle), m.GetBound().Refused)
	case m.GetUnbind() != nil:
		r.Unbind(from.id, protocol.Handle(m.GetUnbind().Handle))
	default:
		select {
		case <-r.Done():
			return
		default:
		}
		if !r.LinkMessage(from.id, &m) {
			k, _ := n.w.wire(n.index, from.index)
			n.w.tell("%v's inbox is full", n)
			n.w.unplug(k)
		}
	}
}

func describe(m *pb.LinkMessage) string {
	s := m.String()
	if len(s) > 60 {
		s = s[:60]
	}
	return s
}

// way is one room's Path.
type way struct {
	w     *world
	k     *wire
	mine  int
	epoch int
}

func (y way) side() *side {
	if y.k.epoch != y.epoch {
		return &side{accepted: map[protocol.Handle]protocol.Source{}}
	}
	return &y.k.side[y.mine]
}

func (y way) Handle() protocol.Handle {
	y.w.mu.Lock()
	defer y.w.mu.Unlock()
	s := y.side()
	s.handle++
	return s.handle
}

func (y way) Accept(h protocol.Handle, s protocol.Source) {
	y.w.mu.Lock()
	defer y.w.mu.Unlock()
	y.side().accepted[h] = s
}

func (y way) Forget(h protocol.Handle) {
	y.w.mu.Lock()
	defer y.w.mu.Unlock()
	delete(y.side().accepted, h)
}

func (y way) Outlet(beats protocol.Handle) Outlet {
	return &outlet{way: y, beats: beats, bound: map[protocol.Source]protocol.Handle{}}
}

// outlet is a way out. Frames are only thought of: see hearing.
type outlet struct {
	way
	beats protocol.Handle
	bound map[protocol.Source]protocol.Handle
}

func (o *outlet) Bind(s protocol.Source, h protocol.Handle) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	if o.bound[s] != 0 {
		o.w.misuse("source %d bound twice", s)
	}
	o.bound[s] = h
}

func (o *outlet) Unbind(s protocol.Source) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	delete(o.bound, s)
}

func (o *outlet) Send(*protocol.Frame) bool { return true }
func (o *outlet) Beat(protocol.Beat)        {}

// topic is a room's gossip.
type topic struct {
	*node
	of *life
}

func (p *topic) Publish(raw []byte) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.of.gone {
		return
	}
	p.of.said++
	for _, o := range w.nodes {
		s := slot{p.index, o.index, overTopic}
		if o == p.node || o.aloof || p.aloof || !o.alive || o.room == nil || !w.reach(p.index, o.index) || w.chance(s).Float64() < w.deaf {
			continue
		}
		to, r := o.life, o.room
		w.after(s, 15*ms+w.upTo(s, 120*ms), false, func() {
			w.mu.Lock()
			gone := to.gone || to.room != r
			w.mu.Unlock()
			if gone {
				return
			}
			if _, err := r.Check(raw); errors.Is(err, protocol.ErrNoRight) {
				return
			} else if err != nil {
				w.t.Errorf("gossip of %v rejected by %v: %v", p.node, o, err)
				return
			}
			m, err := protocol.ParseMessage(bytes.Clone(raw))
			if err != nil {
				w.t.Error(err)
				return
			}
			if o.wild && wouldMoveAll(m) {
				return
			}
			r.Gossip(m)
		})
	}
}
