package node

import (
	"sync"
	"time"

	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// forwarder is the relay's forwarder as a room sees it: sinks are named by the
// node behind them. Only the room's goroutine calls it.
type forwarder struct {
	*relay.Forwarder
	opened *openings
	now    func() time.Duration
	sinks  map[protocol.PeerID]relay.SinkID
	last   relay.SinkID
}

// localSinks is where the numbers of local listeners' sinks begin: above any
// that a room gives its links.
const localSinks relay.SinkID = 1 << 32

var modes = [...]relay.Mode{room.Warm: relay.Warm, room.Live: relay.Live, room.Mirror: relay.Mirror, room.Up: relay.Up}

func (f *forwarder) OpenSource(s protocol.Source, owner, by protocol.PeerID) {
	f.opened.add(s, owner, f.now())
	f.Forwarder.OpenSource(s, by)
}

func (f *forwarder) CloseSource(s protocol.Source) {
	f.Forwarder.CloseSource(s)
	f.opened.remove(s)
}

func (f *forwarder) AddSink(p protocol.PeerID, mode room.Mode, out room.Outlet) {
	if f.sinks == nil {
		f.sinks = map[protocol.PeerID]relay.SinkID{}
	}
	f.last++
	f.sinks[p] = f.last
	f.Forwarder.AddSink(f.last, p, modes[mode], out)
}

func (f *forwarder) SetMode(p protocol.PeerID, mode room.Mode) {
	f.Forwarder.SetMode(f.sinks[p], modes[mode])
}

func (f *forwarder) RemoveSink(p protocol.PeerID) {
	f.Forwarder.RemoveSink(f.sinks[p])
	delete(f.sinks, p)
}

func (f *forwarder) Enable(p protocol.PeerID, s protocol.Source)  { f.Forwarder.Enable(f.sinks[p], s) }
func (f *forwarder) Disable(p protocol.PeerID, s protocol.Source) { f.Forwarder.Disable(f.sinks[p], s) }

func (f *forwarder) Resume(p protocol.PeerID, from []*pb.Position) {
	at := make([]relay.Position, 0, len(from))
	for _, w := range from {
		at = append(at, relay.Position{Source: protocol.Source(w.Source), Timestamp: w.Timestamp})
	}
	f.Forwarder.Resume(f.sinks[p], at)
}

// openings remembers whose the open sources are, and since when this node knows
// of them.
type openings struct {
	mu sync.Mutex
	of map[protocol.Source]opening
}

type opening struct {
	owner protocol.PeerID
	at    time.Duration
}

func newOpenings() *openings { return &openings{of: map[protocol.Source]opening{}} }

func (o *openings) add(s protocol.Source, owner protocol.PeerID, at time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.of[s] = opening{owner, at}
}

func (o *openings) remove(s protocol.Source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.of, s)
}

func (o *openings) get(s protocol.Source) (opening, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.of[s]
	return v, ok
}
