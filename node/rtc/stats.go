package rtc

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// LinkStats is what a link has done since Connect, over all its connections.
type LinkStats struct {
	Up     bool
	Path   string         // "udp" or "tcp"; empty while down
	Remote netip.AddrPort // where the far side is reached
	RTT    time.Duration  // as SetRTT said

	PacketsSent, BytesSent         uint64 // bytes of payload; with what was sent again
	PacketsReceived, BytesReceived uint64
	Resent                         uint64 // sent again, as asked by NACK
	Recovered                      uint64 // received because of our NACK
	Lost                           uint64 // for good
	Refused                        uint64 // not sent: no connection, source not bound, or too large
	Unbound                        uint64 // dropped: of a handle that nobody accepted
	Malformed                      uint64 // dropped: not as frames or heartbeats are
	OutOfTurn                      uint64 // signals dropped: stale, from the wrong side, or too many
}

// counters are LinkStats in the making.
type counters struct {
	packetsSent, bytesSent         atomic.Uint64
	packetsReceived, bytesReceived atomic.Uint64
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

// where is the far end of the path that ICE chose.
type where struct {
	path   string
	remote netip.AddrPort
}
