package room

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
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

func (w *world) sameEpoch(k *wire, epoch int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return k.epoch == epoch
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
