package room

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

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

func (w *world) wayUp(i, j int) bool {
	k, mine := w.wire(i, j)
	return k.up && k.side[mine].path && k.lives[mine] == w.nodes[i].life
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
