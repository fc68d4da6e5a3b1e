package rtc

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// Resends are bounded for a whole link, so that a flood of NACKs can't make
// this node send much more than it was asked to forward.
const (
	resendsASecond = 500
	resendBurst    = 250
)

// probe is the handle of packets that say nothing and exist to be acknowledged.
const probe protocol.Handle = 0

// outbound is the outgoing half of a link: what carries its packets now. With
// both there, they go by the detour, and the connection is tried.
type outbound struct {
	engine *Engine
	stats  *counters

	mu     sync.Mutex
	udp    *sending // of the connection that is up; nil: none
	detour Detour   // nil: not by it
	framer framer   // of the detour
}

// send sends a packet whose handle, timestamp and extensions are set; false: it
// was dropped.
func (o *outbound) send(p *packet, payload []byte) bool {
	o.mu.Lock()
	if o.detour != nil {
		defer o.mu.Unlock()
		return o.divert(p, payload)
	}
	udp := o.udp
	if udp == nil {
		o.mu.Unlock()
		o.stats.refused.Add(1)
		return false
	}
	udp.number(p, payload)
	o.mu.Unlock()
	return udp.write(p, payload)
}

// divert sends a packet by the detour.
func (o *outbound) divert(p *packet, payload []byte) bool {
	if !o.detour.Send(o.framer.frame(p, payload, o.engine.now())) {
		o.stats.refused.Add(1)
		return false
	}
	o.stats.packetsSent.Add(1)
	o.stats.bytesSent.Add(uint64(len(payload)))
	o.stats.detoured.Add(1)
	return true
}

// turn makes udp, or d if there is one, carry what comes from here on. What a
// connection took and was not acknowledged goes by the detour once more, first:
// the far side may hear it twice, and tells by source and timestamp.
func (o *outbound) turn(udp *sending, d Detour) {
	o.mu.Lock()
	defer o.mu.Unlock()
	direct := o.detour == nil
	o.detour = d
	if d != nil && direct && o.udp != nil {
		var again packet
		o.udp.unacknowledged(func(s *sent) {
			again.restore(s)
			o.divert(&again, s.payload)
		})
	}
	o.udp = udp
}

// sending is the outgoing half of one connection. Its sequence numbers belong
// to the connection, not to a room or a source.
type sending struct {
	engine *Engine
	path   *path
	stats  *counters
	bound  *rate.Limiter
	wake   func() // tells the owner that acks are worth a look; must not block

	mu      sync.Mutex // acks and history; never held over a write
	acks    acks
	history history

	again   packet // of resend, for one goroutine
	payload []byte
	tries   packet // of try, for one goroutine
}

func newSending(e *Engine, to *path, stats *counters, wake func()) *sending {
	return &sending{
		engine: e, path: to, stats: stats, wake: wake, acks: newAcks(e.cfg.first),
		bound: rate.NewLimiter(resendsASecond, resendBurst),
	}
}

// number gives a packet its place and remembers it. What is written later is
// the caller's copy, so that the ring may turn meanwhile.
func (s *sending) number(p *packet, payload []byte) {
	p.prepare(s.path)
	at := s.engine.now()
	s.mu.Lock()
	sequence, began := s.acks.send(at)
	p.header.SequenceNumber = sequence
	kept := s.history.put(sequence, at)
	kept.timestamp, kept.csrc = p.header.Timestamp, p.csrc[0]
	kept.level, kept.frame = p.level[0], p.frame
	kept.payload = append(kept.payload, payload...)
	s.mu.Unlock()
	if began {
		s.wake()
	}
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

// try sends a probe.
func (s *sending) try() {
	p := &s.tries
	p.csrc[0] = uint32(probe)
	p.setLevel(silent)
	payload := []byte{0}
	s.number(p, payload)
	s.write(p, payload)
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
	p.restore(kept)
	p.header.SequenceNumber = kept.sequence
	s.payload = append(s.payload[:0], kept.payload...)
	s.mu.Unlock()
	if s.write(p, s.payload) {
		s.stats.resent.Add(1)
	}
}

// unacknowledged gives what the far side may not have, oldest first. Of what is
// older than the last acknowledged packet, some may be asked for still.
func (s *sending) unacknowledged(yield func(*sent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history.since(uint16(s.acks.acked), protocol.NackSpan, s.engine.now(), func(kept *sent) {
		if kept.csrc != uint32(probe) {
			yield(kept)
		}
	})
}

// state gives a copy of what has been acknowledged.
func (s *sending) state() acks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks
}

// pardon makes up for time in which this machine stood still.
func (s *sending) pardon(late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks.pardon(late, s.engine.now())
}
