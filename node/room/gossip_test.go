package room

import (
	"bytes"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
)

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

// loses has a share of the gossip go astray from now on.
func (w *world) loses(share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("gossip loses %v", share)
	w.deaf = share
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
