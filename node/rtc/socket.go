package rtc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// Port is where a node listens for media unless it is told otherwise, or
// another program has it.
const Port = 41642

const (
	// socketBuffer holds a fifth of a second of 64 sources to 64 children.
	socketBuffer = 1 << 20
	// maxHosts is how many host candidates a description names, each twice
	// there (pion: RTP and RTCP), which leaves room for those that are added.
	maxHosts = 10
	// portTries is how often a port of the system's choice may turn out to be
	// taken in the other address family.
	portTries = 8
	// addressInUse is EADDRINUSE as Windows has it; Go does not translate it.
	addressInUse = syscall.Errno(10048)
)

// packetConn is a net.PacketConn that also does without net.Addr, and so
// without allocations.
type packetConn interface {
	net.PacketConn
	ice.AddrPortReaderWriter
}

// udpConn is the system's socket as a packetConn.
type udpConn struct{ *net.UDPConn }

func (c udpConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
}

func (c udpConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteToUDPAddrPort(b, to)
}

// addrConn makes a packetConn of what Config.Wrap gave, at the price of an
// allocation a packet.
type addrConn struct{ net.PacketConn }

func (c addrConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.ReadFrom(b)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	udp, ok := from.(*net.UDPAddr)
	if !ok {
		return n, netip.AddrPort{}, fmt.Errorf("rtc: a packet from %T, not from a UDP address", from)
	}
	return n, unmap(udp.AddrPort()), nil
}

func (c addrConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteTo(b, net.UDPAddrFromAddrPort(to))
}

// unmap gives an IPv4 address as such, not mapped into IPv6.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// listen opens a socket on addr; for an unspecified address one of each family
// that the system has, all on the same port.
func listen(addr netip.AddrPort) ([]*net.UDPConn, error) {
	if !addr.Addr().IsUnspecified() {
		conn, err := listenUDP(addr)
		if err != nil {
			return nil, err
		}
		return []*net.UDPConn{conn}, nil
	}
	for try := 1; ; try++ {
		conns, err := listenBoth(addr.Port())
		if err == nil || addr.Port() != 0 || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return conns, err
		}
	}
}

// listenBoth opens a socket for IPv4 and one for IPv6. It is content with one
// where the system does not have the other family, but not where another
// program has the port.
func listenBoth(port uint16) ([]*net.UDPConn, error) {
	var conns []*net.UDPConn
	var missing error
	for _, unspecified := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		conn, err := listenUDP(netip.AddrPortFrom(unspecified, port))
		switch {
		case err == nil:
			conns = append(conns, conn)
			port = localAddr(conn).Port()
		case errors.Is(err, syscall.EADDRINUSE):
			closeAll(conns)
			return nil, err
		default:
			missing = err
		}
	}
	if len(conns) == 0 {
		return nil, missing
	}
	return conns, nil
}

// listenUDP opens one socket; its errors are syscall.EADDRINUSE on all systems
// if the port is taken.
func listenUDP(addr netip.AddrPort) (*net.UDPConn, error) {
	addr = unmap(addr)
	network := "udp4"
	if addr.Addr().Is6() {
		network = "udp6" // and so not IPv4 as well
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if errors.Is(err, addressInUse) {
		err = fmt.Errorf("%w: %w", syscall.EADDRINUSE, err)
	}
	if err != nil {
		return nil, fmt.Errorf("rtc: can't listen on UDP %s, choose another port: %w", addr, err)
	}
	// Best effort: the system may allow less.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	return conn, nil
}

func closeAll(conns []*net.UDPConn) {
	for _, conn := range conns {
		_ = conn.Close()
	}
}

func localAddr(conn net.PacketConn) netip.AddrPort {
	addr, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return unmap(addr.AddrPort())
}

// sockets are the UDP sockets that all links share, at most one of an address
// family.
type sockets struct {
	each  []*socket
	muxes []*ice.UDPMuxDefault // of each
}

// share puts pion's mux on sockets.
func share(each []*socket, logger logging.LeveledLogger) *sockets {
	s := &sockets{each: each}
	for _, socket := range each {
		s.muxes = append(s.muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: socket, Logger: logger}))
	}
	return s
}

// to gives the socket that reaches addr; nil: none does.
func (s *sockets) to(addr netip.Addr) *socket {
	for _, socket := range s.each {
		if addr.IsValid() && socket.local.Addr().Is4() == addr.Is4() {
			return socket
		}
	}
	return nil
}

func (s *sockets) close() error {
	var errs []error
	for _, mux := range s.muxes {
		errs = append(errs, mux.Close())
	}
	return errors.Join(errs...)
}

// hosts is the sockets as an ICE agent sees them, an ice.UDPMux: its listen
// addresses are the agent's host candidates. Unlike pion's, it looks at the
// machine's addresses anew each time, as laptops move between networks.
type hosts struct {
	*sockets
	loopback bool // addresses of this machine alone, too
}

// GetConn gives the agent its share of a socket.
func (h hosts) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, fmt.Errorf("rtc: no socket for %s addresses", addr.Network())
	}
	for i, socket := range h.each {
		if socket.local.Addr().Is4() == (udp.IP.To4() != nil) {
			return h.muxes[i].GetConn(ufrag, addr)
		}
	}
	return nil, fmt.Errorf("rtc: no socket for %s", addr)
}

// RemoveConnByUfrag takes GetConn back.
func (h hosts) RemoveConnByUfrag(ufrag string) {
	for _, mux := range h.muxes {
		mux.RemoveConnByUfrag(ufrag)
	}
}

// GetListenAddresses gives the addresses under which this machine may be
// reached.
func (h hosts) GetListenAddresses() []net.Addr {
	var found []netip.AddrPort
	for _, socket := range h.each {
		if !socket.local.Addr().IsUnspecified() {
			found = append(found, socket.local)
			continue
		}
		for _, addr := range machineAddrs() {
			if addr.Is4() == socket.local.Addr().Is4() {
				found = append(found, netip.AddrPortFrom(addr, socket.local.Port()))
			}
		}
	}
	var addrs []net.Addr
	for _, host := range foremost(found, h.loopback) {
		addrs = append(addrs, net.UDPAddrFromAddrPort(host))
	}
	return addrs
}

// foremost gives the hosts to offer, if there are too many: machines have any
// number of private networks with nobody else in them.
func foremost(found []netip.AddrPort, loopback bool) []netip.AddrPort {
	found = slices.DeleteFunc(found, func(h netip.AddrPort) bool { return h.Addr().IsLoopback() && !loopback })
	slices.SortStableFunc(found, func(a, b netip.AddrPort) int { return distance(a.Addr()) - distance(b.Addr()) })
	return found[:min(len(found), maxHosts)]
}

// distance is 0 for an address that is reached from everywhere, and more for
// others.
func distance(addr netip.Addr) int {
	switch {
	case addr.IsLoopback():
		return 1
	case addr.IsPrivate(), addr.IsLinkLocalUnicast():
		return 2
	}
	return 0
}

// Close is for others: the sockets outlive an agent.
func (h hosts) Close() error { return nil }

// machineAddrs gives the addresses of the interfaces that are up. Those of an
// IPv6 link say nothing without a zone, which a candidate can't name (RFC 8839
// section 5.1).
func machineAddrs() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var found []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addrs {
			network, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, _ := netip.AddrFromSlice(network.IP)
			addr = addr.Unmap()
			if addr.IsGlobalUnicast() || addr.Is4() && addr.IsLinkLocalUnicast() || addr.IsLoopback() {
				found = append(found, addr)
			}
		}
	}
	return found
}

var _ ice.UDPMux = hosts{}
var _ io.Closer = hosts{}
