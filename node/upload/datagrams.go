package upload

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Media gives a socket that sends sound within the limit: packets beyond it, and
// those that would take what is kept for control, are dropped and counted. What
// keeps the paths themselves alive counts as control. Writing never waits. Of a
// *net.UDPConn it makes one that reads and writes without net.Addr, too, as ICE
// likes it (pion's ice.AddrPortReaderWriter).
func (m *Meter) Media(c net.PacketConn) net.PacketConn {
	s := mediaSocket{c, m}
	if udp, ok := c.(*net.UDPConn); ok {
		return &mediaUDP{s, udp}
	}
	return &s
}

// Control gives a socket for QUIC: packets beyond the limit wait a little, and are
// dropped if that is not enough. Being no *net.UDPConn it has QUIC send packet by
// packet (quic-go's basic path, without segmentation offload and ECN), so that
// each is charged when it leaves.
func (m *Meter) Control(c *net.UDPConn) net.PacketConn {
	return &quicSocket{PacketConn: c, udp: c, m: m, gone: make(chan struct{})}
}

type mediaSocket struct {
	net.PacketConn
	m *Meter
}

// WriteTo sends or drops the datagram; dropping is no error, as on any network.
func (s *mediaSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	if !s.m.passes(b, far(to)) {
		return len(b), nil
	}
	return s.PacketConn.WriteTo(b, to)
}

// passes says whether a datagram of the media socket may go, or counts it as
// dropped.
func (m *Meter) passes(b []byte, to place) bool {
	if to.loopback && !m.cfg.loopback {
		return true
	}
	keep := m.keep
	if urgent(b) {
		keep = 0
	}
	if !m.allow(datagramBytes(len(b), to.ip6), keep) {
		m.droppedMedia.Add(1)
		return false
	}
	return true
}

type mediaUDP struct {
	mediaSocket
	udp *net.UDPConn
}

// ReadFromAddrPort is ReadFrom without a net.Addr.
func (s *mediaUDP) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return s.udp.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort is WriteTo without a net.Addr.
func (s *mediaUDP) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if !s.m.passes(b, placeOf(to.Addr())) {
		return len(b), nil
	}
	return s.udp.WriteToUDPAddrPort(b, to)
}

type quicSocket struct {
	net.PacketConn
	udp  *net.UDPConn
	m    *Meter
	once sync.Once
	gone chan struct{} // closed by Close
}

// WriteTo sends the datagram when its turn comes, or drops it. QUIC has a
// goroutine for each connection here, so one that waits holds up no other.
func (s *quicSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	at := far(to)
	if at.loopback && !s.m.cfg.loopback {
		return s.PacketConn.WriteTo(b, to)
	}
	if !s.m.await(datagramBytes(len(b), at.ip6), patience, s.gone) {
		s.m.droppedControl.Add(1)
		return len(b), nil
	}
	return s.PacketConn.WriteTo(b, to)
}

// Close ends all waiting.
func (s *quicSocket) Close() error {
	s.once.Do(func() { close(s.gone) })
	return s.PacketConn.Close()
}

// SetReadBuffer, SetWriteBuffer and SyscallConn are what quic-go wants of a socket
// to size its buffers and to find a path's MTU.
func (s *quicSocket) SetReadBuffer(bytes int) error         { return s.udp.SetReadBuffer(bytes) }
func (s *quicSocket) SetWriteBuffer(bytes int) error        { return s.udp.SetWriteBuffer(bytes) }
func (s *quicSocket) SyscallConn() (syscall.RawConn, error) { return s.udp.SyscallConn() }
