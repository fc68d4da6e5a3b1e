package link

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// Frames carry packets of a pair's media path over libp2p, where UDP does not:
// one stream of protocol.FramesStream each way, opened by its sender at its first
// packet, framed as in RFC 4571. They end with their link.
type Frames struct {
	links *Links
	peer  protocol.PeerID
	ctx   context.Context // until the link ends
	wake  chan struct{}   // packets wait
	fresh chan struct{}   // there may be a better connection: don't wait to look
	probe chan struct{}   // the link's: UDP seems to be blocked

	mu      sync.Mutex
	waiting backlog
	stream  network.Stream // written by run only; nil: none
	circuit bool           // it leads through a relay

	looked time.Time // run's: last, for a direct connection

	sent, dropped, taken atomic.Uint64 // packets

	intake intake
}

// FramesState is what there is to know of a link's Frames.
type FramesState struct {
	Open      bool                // a stream of this side's is open
	Remote    multiaddr.Multiaddr // of its connection; nil: none is open
	Transport string              // libp2p's name: "quic-v1", "tcp"; of a circuit, "p2p-circuit"
	Circuit   bool                // it leads through a relay
	Sent      uint64              // packets that a stream took
	Dropped   uint64              // packets that none took in time
	Taken     uint64              // packets that came
}

// Frames gives the Frames of the link to a peer that is up now; nil: there is
// none.
func (l *Links) Frames(p protocol.PeerID) *Frames {
	if k := l.link(p); k != nil {
		return k.frames
	}
	return nil
}

func newFrames(ctx context.Context, l *Links, p protocol.PeerID, probe chan struct{}) *Frames {
	return &Frames{
		links: l, peer: p, ctx: ctx, probe: probe,
		wake:   make(chan struct{}, 1),
		fresh:  make(chan struct{}, 1),
		intake: newIntake(),
	}
}

// Send posts a copy of a packet; it does not block. False: it was dropped, since
// the link has ended, or the packet is empty or too large.
func (f *Frames) Send(packet []byte) bool {
	if f.ctx.Err() != nil || len(packet) == 0 || len(packet) > maxFrameBytes {
		f.drop(1)
		return false
	}
	f.mu.Lock()
	dropped := f.waiting.push(packet, time.Now())
	f.mu.Unlock()
	f.drop(dropped)
	nudge(f.wake)
	return true
}

func (f *Frames) drop(packets int) {
	f.dropped.Add(uint64(packets))
	f.links.counts.framesDropped.Add(uint64(packets))
}

func (f *Frames) state() FramesState {
	s := FramesState{Sent: f.sent.Load(), Dropped: f.dropped.Load(), Taken: f.taken.Load()}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stream != nil {
		c := f.stream.Conn()
		s.Open, s.Remote, s.Transport, s.Circuit = true, c.RemoteMultiaddr(), c.ConnState().Transport, f.circuit
	}
	return s
}

// run sends what is posted until the link ends.
func (f *Frames) run() {
	opened := make(chan network.Stream, 1) // nil: it failed
	opening := false
	var next time.Time // no stream is opened before
	stop := func() bool { return true }
	batch := make([]byte, 0, batchBytes)
	for {
		select {
		case <-f.ctx.Done():
			if opening {
				hangUp(<-opened)
			}
			hangUp(f.swap(nil))
			return
		case <-f.fresh:
			next, f.looked = time.Time{}, time.Time{}
			continue
		case s := <-opened:
			if opening = false; s != nil {
				stop()
				stop = context.AfterFunc(f.ctx, func() { s.Reset() }) // wakes flush
				leave(f.swap(s))
			}
		case <-f.wake:
		}
		if now := time.Now(); !opening && !now.Before(next) && f.misplaced(now) {
			opening, next = true, now.Add(reopen)
			nudge(f.probe)
			go func() { opened <- f.open() }()
		}
		if f.stream != nil && !f.flush(batch) {
			hangUp(f.swap(nil))
		}
	}
}

// elsewhere says that the link has moved: the packets' stream should, too.
func (f *Frames) elsewhere() { nudge(f.fresh) }

// swap puts a stream in the place of the one that it returns.
func (f *Frames) swap(s network.Stream) (old network.Stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, f.stream = f.stream, s
	f.circuit = s != nil && circuit(s.Conn())
	return old
}

// misplaced says that packets wait for a stream, or for a better one: theirs is
// on a connection that is gone, or leads through a relay although there is a
// direct connection.
func (f *Frames) misplaced(now time.Time) bool {
	f.mu.Lock()
	waiting := f.waiting.len()
	f.mu.Unlock()
	switch {
	case waiting == 0:
		return false
	case f.stream == nil, f.stream.Conn().IsClosed():
		return true
	case !f.circuit, now.Sub(f.looked) < reopen:
		return false
	}
	f.looked = now
	return f.links.direct(f.peer)
}

// open opens a stream on the best connection that there is; libp2p prefers
// direct ones. nil: it failed.
func (f *Frames) open() network.Stream {
	ctx, cancel := context.WithTimeout(f.ctx, dialTimeout)
	defer cancel()
	ctx = network.WithNoDial(network.WithAllowLimitedConn(ctx, "earshot frames"), "a link has a connection")
	s, err := f.links.cfg.Host.NewStream(ctx, f.peer, protocol.FramesStream)
	if err != nil {
		f.links.cfg.Log.Debug("no stream for frames", "peer", f.peer, "err", err)
		return nil
	}
	f.links.cfg.Log.Debug("frames go by stream", "peer", f.peer, "remote", s.Conn().RemoteMultiaddr())
	return s
}

// flush writes what waits, several packets at once where they do. False: the
// stream is of no use any more.
func (f *Frames) flush(batch []byte) bool {
	for {
		now := time.Now()
		f.mu.Lock()
		b, packets, dropped := f.waiting.take(batch[:0], now)
		f.mu.Unlock()
		f.drop(dropped)
		if packets == 0 {
			return true
		}
		f.stream.SetWriteDeadline(now.Add(maxFrameStall))
		if _, err := f.stream.Write(b); err != nil {
			f.drop(packets)
			return false
		}
		f.sent.Add(uint64(packets))
		f.links.counts.framesSent.Add(uint64(packets))
	}
}

// leave ends a stream whose place another took; the far side may still read what
// is under way.
func leave(s network.Stream) {
	if s != nil {
		s.CloseWrite()
		s.CloseRead()
	}
}

func hangUp(s network.Stream) {
	if s != nil {
		s.Reset()
	}
}

// circuit says whether a connection leads through a relay. Limited would not do:
// a relay without limits makes circuits that are not.
func circuit(c network.Conn) bool {
	return c.Stat().Limited || protocol.IsCircuit(c.RemoteMultiaddr())
}

// direct says whether there is a connection to a peer that leads through no
// relay.
func (l *Links) direct(p protocol.PeerID) bool {
	for _, c := range l.cfg.Host.Network().ConnsToPeer(p) {
		if !c.IsClosed() && !circuit(c) {
			return true
		}
	}
	return false
}
