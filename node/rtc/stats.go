package rtc

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// LinkStats is what a link has done since Connect, over all its connections.
type LinkStats struct {
	Up     bool
	Path   string         // by which this side sends: "udp", or "stream" for the detour; empty while down
	Remote netip.AddrPort // where the far side is reached by UDP
	RTT    time.Duration  // as SetRTT said

	PacketsSent, BytesSent         uint64 // bytes of payload; with what was sent again
	PacketsReceived, BytesReceived uint64
	Detoured                       uint64        // of PacketsSent, by the detour
	Jitter                         time.Duration // that the detour's jitter buffer adds; 0: nothing comes that way
	Resent                         uint64        // sent again, as asked by NACK
	Recovered                      uint64        // received because of our NACK
	Lost                           uint64        // for good
	Refused                        uint64        // not sent: link down, detour full, source not bound, or too large
	Unbound                        uint64        // dropped: of a handle that nobody accepted
	Malformed                      uint64        // dropped: not as frames or heartbeats are
	OutOfTurn                      uint64        // signals dropped: stale, from the wrong side, or too many
}

// counters are LinkStats in the making.
type counters struct {
	packetsSent, bytesSent         atomic.Uint64
	packetsReceived, bytesReceived atomic.Uint64
	detoured                       atomic.Uint64
	resent, recovered              atomic.Uint64
	lost                           atomic.Int64 // falls when a packet comes after all
	refused, unbound, malformed    atomic.Uint64
	outOfTurn                      atomic.Uint64
}

// SetRTT tells the link the round trip that its pings measured.
func (l *Link) SetRTT(d time.Duration) { l.roundTrip.Store(int64(d)) }

func (l *Link) rtt() time.Duration { return time.Duration(l.roundTrip.Load()) }

// Stats gives the link's figures.
func (l *Link) Stats() LinkStats {
	c := &l.stats
	s := LinkStats{
		RTT:         l.rtt(),
		PacketsSent: c.packetsSent.Load(), BytesSent: c.bytesSent.Load(),
		PacketsReceived: c.packetsReceived.Load(), BytesReceived: c.bytesReceived.Load(),
		Detoured: c.detoured.Load(), Jitter: time.Duration(l.in.delay.Load()),
		Resent: c.resent.Load(), Recovered: c.recovered.Load(),
		Lost:    uint64(max(0, c.lost.Load())),
		Refused: c.refused.Load(), Unbound: c.unbound.Load(),
		Malformed: c.malformed.Load(), OutOfTurn: c.outOfTurn.Load(),
	}
	if where := l.where.Load(); where != nil {
		s.Up, s.Path, s.Remote = true, where.path, where.remote
	}
	return s
}

// pathStream names the detour in LinkStats.
const pathStream = "stream"

// where is the way that packets go: the path that ICE chose, or the detour.
type where struct {
	path   string
	remote netip.AddrPort
}
