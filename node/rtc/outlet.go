package rtc

import (
	"maps"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// Resends are bounded for a whole link, so that a flood of NACKs can't make
// this node send much more than it was asked to forward.
const (
	resendsASecond = 500
	resendBurst    = 250
)

// Outlet is one room's way out over a link. It outlives connections: while none
// is up, Send drops. Send and Beat are for one goroutine, the forwarder's.
type Outlet struct {
	link *Link
	beat protocol.Handle

	mu      sync.Mutex // of those who change bound
	bound   atomic.Pointer[map[protocol.Source]protocol.Handle]
	packet  packet
	payload [1]byte // of a heartbeat
}

// Bind lets frames of s out, under h. The far side must have accepted h.
func (o *Outlet) Bind(s protocol.Source, h protocol.Handle) {
	o.change(func(bound map[protocol.Source]protocol.Handle) { bound[s] = h })
}

// Unbind takes Bind back.
func (o *Outlet) Unbind(s protocol.Source) {
	o.change(func(bound map[protocol.Source]protocol.Handle) { delete(bound, s) })
}

func (o *Outlet) change(edit func(map[protocol.Source]protocol.Handle)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	bound := maps.Clone(*o.bound.Load())
	edit(bound)
	o.bound.Store(&bound)
}

// Send sends a frame; false: it was dropped. It keeps neither f nor f.Packet.
func (o *Outlet) Send(f *protocol.Frame) bool {
	h, ok := (*o.bound.Load())[f.Source]
	if !ok || len(f.Packet) == 0 || len(f.Packet) > protocol.MaxPacketBytes {
		o.link.stats.refused.Add(1)
		return false
	}
	out := o.link.out.Load()
	if out == nil {
		o.link.stats.refused.Add(1)
		return false
	}
	p := &o.packet
	p.prepare(out.path)
	p.csrc[0] = uint32(h)
	p.header.Timestamp = f.Timestamp
	p.setLevel(f.Level)
	f.PutExtension(p.frame[:])
	return out.send(p, f.Packet)
}

// Beat sends a heartbeat.
func (o *Outlet) Beat(b protocol.Beat) {
	out := o.link.out.Load()
	if out == nil {
		return
	}
	p := &o.packet
	p.prepare(out.path)
	p.csrc[0] = uint32(o.beat)
	p.header.Timestamp = 0
	p.setLevel(silent)
	p.frame = [protocol.FrameExtensionBytes]byte{}
	o.payload[0] = byte(b)
	out.send(p, o.payload[:])
}

// sending is the outgoing half of one connection. Its sequence numbers belong
// to the link, not to a room or a source.
type sending struct {
	engine *Engine
	path   *path
	stats  *counters
	bound  *rate.Limiter

	mu      sync.Mutex // next and history; never held over a write
	next    uint16
	history history

	again   packet // of resend, for one goroutine
	payload []byte
}

func newSending(e *Engine, to *path, stats *counters) *sending {
	return &sending{
		engine: e, path: to, stats: stats, next: e.cfg.first,
		bound: rate.NewLimiter(resendsASecond, resendBurst),
	}
}

// send numbers a packet, remembers it and writes it. What it writes is the
// caller's copy, so that the ring may turn meanwhile.
func (s *sending) send(p *packet, payload []byte) bool {
	at := s.engine.now()
	s.mu.Lock()
	p.header.SequenceNumber = s.next
	s.next++
	kept := s.history.put(p.header.SequenceNumber, at)
	kept.timestamp, kept.csrc = p.header.Timestamp, p.csrc[0]
	kept.level, kept.frame = p.level[0], p.frame
	kept.payload = append(kept.payload, payload...)
	s.mu.Unlock()
	return s.write(p, payload)
}

func (s *sending) write(p *packet, payload []byte) bool {
	if _, err := s.path.writer.WriteRTP(&p.header, payload); err != nil {
		s.stats.refused.Add(1)
		return false
	}
	s.stats.packetsSent.Add(1)
	s.stats.bytesSent.Add(uint64(len(payload)))
	return true
}

// resend answers a NACK (RFC 4585 section 6.2.1) for one packet. Header and
// payload are those of the first time: under SRTP the sequence number makes
// the nonce, which must never see a second text (RFC 7714 section 8.1).
func (s *sending) resend(sequence uint16) {
	at := s.engine.now()
	s.mu.Lock()
	kept := s.history.get(sequence, at)
	if kept == nil {
		s.mu.Unlock()
		return
	}
	p := &s.again
	p.prepare(s.path)
	p.header.SequenceNumber, p.header.Timestamp, p.csrc[0] = kept.sequence, kept.timestamp, kept.csrc
	p.level[0], p.frame = kept.level, kept.frame
	s.payload = append(s.payload[:0], kept.payload...)
	s.mu.Unlock()
	if s.write(p, s.payload) {
		s.stats.resent.Add(1)
	}
}
