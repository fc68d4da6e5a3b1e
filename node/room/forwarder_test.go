package room

import (
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// forwarder records what its room has it do, and notes what it may not.
type forwarder struct {
	n       *node
	of      *life
	sources map[protocol.Source]protocol.PeerID
	sinks   map[protocol.PeerID]*sink
	watched protocol.PeerID
	resumed []protocol.PeerID
}

type sink struct {
	mode    Mode
	out     *outlet
	enabled map[protocol.Source]bool
}

func newForwarder(n *node, l *life) *forwarder {
	return &forwarder{n: n, of: l, sources: map[protocol.Source]protocol.PeerID{}, sinks: map[protocol.PeerID]*sink{}}
}

func (f *forwarder) lock() func() {
	f.n.w.mu.Lock()
	return f.n.w.mu.Unlock
}

// sink gives one that has to be there.
func (f *forwarder) sink(p protocol.PeerID, call string) *sink {
	s := f.sinks[p]
	if s == nil {
		f.n.w.misuse("%v: %s of no sink", f.n, call)
		return &sink{enabled: map[protocol.Source]bool{}}
	}
	return s
}

func (f *forwarder) OpenSource(s protocol.Source, owner, _ protocol.PeerID) {
	defer f.lock()()
	if _, open := f.sources[s]; open {
		f.n.w.misuse("%v: source %d opened twice", f.n, s)
	}
	f.sources[s] = owner
}

func (f *forwarder) CloseSource(s protocol.Source) {
	defer f.lock()()
	if _, open := f.sources[s]; !open {
		f.n.w.misuse("%v: source %d closed and not open", f.n, s)
	}
	delete(f.sources, s)
	for _, k := range f.sinks {
		delete(k.enabled, s)
	}
}

func (f *forwarder) AddSink(p protocol.PeerID, mode Mode, out Outlet) {
	defer f.lock()()
	if f.sinks[p] != nil {
		f.n.w.misuse("%v: second sink to %s", f.n, f.n.w.letter(p))
	}
	f.sinks[p] = &sink{mode: mode, out: out.(*outlet), enabled: map[protocol.Source]bool{}}
}

func (f *forwarder) SetMode(p protocol.PeerID, mode Mode) {
	defer f.lock()()
	f.sink(p, "SetMode").mode = mode
}

func (f *forwarder) RemoveSink(p protocol.PeerID) {
	defer f.lock()()
	f.sink(p, "RemoveSink")
	delete(f.sinks, p)
}

func (f *forwarder) Enable(p protocol.PeerID, s protocol.Source) {
	defer f.lock()()
	k := f.sink(p, "Enable")
	if k.out != nil && k.out.bound[s] == 0 {
		f.n.w.misuse("%v: source %d enabled before it was bound", f.n, s)
	}
	k.enabled[s] = true
}

func (f *forwarder) Disable(p protocol.PeerID, s protocol.Source) {
	defer f.lock()()
	delete(f.sink(p, "Disable").enabled, s)
}

func (f *forwarder) Resume(p protocol.PeerID, _ []*pb.Position) {
	defer f.lock()()
	if k := f.sink(p, "Resume"); k.mode == Warm {
		k.mode = Live
	}
	f.resumed = append(f.resumed, p)
}

func (f *forwarder) Watch(parent protocol.PeerID) {
	defer f.lock()()
	f.watched = parent
}

func (f *forwarder) Activity(protocol.PeerID, bool) {}

// wants says whether a sink is given a frame, as the relay's forwarder does.
func (k *sink) wants(self, far, owner, from protocol.PeerID) bool {
	switch k.mode {
	case Warm:
		return false
	case Up:
		return owner == self
	}
	return from != far && owner != far
}

// arrival is a frame that comes to a node from another one.
type arrival struct{ from, to *node }

// hearing walks a frame of source s from its owner along every sink that would
// send it, and gives each arrival that the far side would let in. w.mu is held.
func (w *world) hearing(s protocol.Source, owner *node) map[arrival]bool {
	out := map[arrival]bool{}
	type step struct{ at, from *node }
	seen := map[*node]bool{owner: true}
	for queue := []step{{at: owner}}; len(queue) > 0; queue = queue[1:] {
		at, from := queue[0].at, protocol.PeerID("")
		if queue[0].from != nil {
			from = queue[0].from.id
		}
		if at.room == nil {
			continue
		}
		if _, open := at.forwarder.sources[s]; !open {
			continue
		}
		for p, k := range at.forwarder.sinks {
			far := w.nodes[w.index(p)]
			if !k.wants(at.id, p, owner.id, from) || !k.enabled[s] || !w.lets(k, s, far) {
				continue
			}
			out[arrival{at, far}] = true
			if !seen[far] {
				seen[far] = true
				queue = append(queue, step{far, at})
			}
		}
	}
	return out
}

// lets says whether a sink's frames of s come out at the far side.
func (w *world) lets(k *sink, s protocol.Source, far *node) bool {
	y := k.out.way
	h := k.out.bound[s]
	if h == 0 || y.k.epoch != y.epoch || !y.k.side[0].path || !y.k.side[1].path || !far.alive || far.room == nil {
		return false
	}
	got, ok := y.k.side[1-y.mine].accepted[h]
	if ok && got != s {
		w.misuse("source %d comes out as %d at %v", s, got, far)
	}
	_, open := far.forwarder.sources[s]
	return ok && open
}
