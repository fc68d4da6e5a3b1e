package rtc

import (
	"time"

	"github.com/pion/rtcp"
)

// maxRoundTrip bounds what a measured round trip adds to the time that
// acknowledgements may take.
const maxRoundTrip = 500 * time.Millisecond

// acks watches which packets of one direction of a connection have been
// acknowledged: the extended highest sequence number of the far side's receiver
// reports (RFC 3550 section 6.4.1). It has no clock.
type acks struct {
	sent  uint32        // extended sequence number of the newest packet
	acked uint32        // the highest acknowledged
	since time.Duration // when the packet after the acknowledged ones was sent
	last  time.Duration // when the newest packet was sent
}

// newAcks begins before a connection's first packet.
func newAcks(first uint16) acks {
	before := uint32(first) - 1
	return acks{sent: before, acked: before}
}

// send notes a packet and gives its sequence number; began: none was on its way.
func (a *acks) send(at time.Duration) (sequence uint16, began bool) {
	began = a.sent == a.acked
	if began {
		a.since = at
	}
	a.sent++
	a.last = at
	return uint16(a.sent), began
}

// take notes a report; false: it speaks of packets that were never sent. next is
// when the packet after the reported one was sent, if one was.
func (a *acks) take(highest uint32, next time.Duration) bool {
	if int32(a.sent-highest) < 0 {
		return false
	}
	if int32(highest-a.acked) > 0 {
		a.acked, a.since = highest, next
	}
	return true
}

// pardon makes up for time in which this machine stood still.
func (a *acks) pardon(late, at time.Duration) { a.since = min(a.since+late, at) }

// pending says whether packets are on their way.
func (a *acks) pending() bool { return a.sent != a.acked }

// reports is the other end of acks: what a receiver of media says about it.
type reports struct {
	highest uint32        // extended: cycles, then the highest sequence number received
	news    bool          // something came since the last report
	last    time.Duration // when that was sent
	every   time.Duration
}

// newReports begins before a connection's first packet.
func newReports(first uint16, every time.Duration) reports {
	return reports{highest: uint32(first) - 1, last: -every, every: every}
}

// take notes a packet.
func (r *reports) take(sequence uint16) {
	if ahead := int16(sequence - uint16(r.highest)); ahead > 0 {
		r.highest += uint32(ahead)
	}
	r.news = true
}

// due says whether to report at this time, and counts that it is done.
func (r *reports) due(at time.Duration) bool {
	if !r.news || at < r.last+r.every {
		return false
	}
	r.news, r.last = false, at
	return true
}

// wake gives when due is to be called next; false if nothing came.
func (r *reports) wake() (time.Duration, bool) { return r.last + r.every, r.news }

// report acknowledges what came (RFC 3550 section 6.4.2). The other figures of
// its block would mean nothing: timestamps jump between sources.
func (c *connection) report(highest uint32) {
	media := c.remote.Load()
	err := c.pc.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverReport{
		SSRC:    c.ssrc(),
		Reports: []rtcp.ReceptionReport{{SSRC: media, LastSequenceNumber: highest}},
	}})
	if err != nil {
		c.link.log.Debug("a receiver report could not be sent", "error", err)
	}
}

// acknowledge takes the blocks of a report that are about this side's packets.
func (s *sending) acknowledge(reports []rtcp.ReceptionReport) {
	at := s.engine.now()
	sound := true
	s.mu.Lock()
	for _, r := range reports {
		if r.SSRC != s.path.ssrc {
			continue
		}
		next := s.history.sentAt(uint16(r.LastSequenceNumber)+1, at)
		sound = s.acks.take(r.LastSequenceNumber, next) && sound
	}
	s.mu.Unlock()
	if !sound {
		s.stats.malformed.Add(1)
	}
	s.wake()
}
