package rtc

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
)

// requireIPv6 skips a test on a machine without it.
func requireIPv6(t testing.TB) {
	t.Helper()
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	_ = conn.Close()
}

// listenAt opens a socket of the test's own.
func listenAt(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Skipf("can't listen on %s: %v", addr, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestBothFamiliesOnOnePort(t *testing.T) {
	requireIPv6(t)
	for _, address := range []string{"0.0.0.0:0", "[::]:0"} {
		e := newSide(t, "one", Config{Listen: netip.MustParseAddrPort(address)}).engine
		for name, each := range map[string][]*socket{"links": e.sockets.each, "aside": e.asides} {
			if len(each) != 2 || each[0].local.Addr() != netip.IPv4Unspecified() ||
				each[1].local.Addr() != netip.IPv6Unspecified() || each[0].local.Port() != each[1].local.Port() {
				t.Errorf("%s: %s: %d sockets", address, name, len(each))
			}
		}
		ports := e.STUNPorts()
		if len(ports) != 2 || ports[0] != e.Addr().Port() || ports[0] == ports[1] {
			t.Errorf("%s: ports %v of %v", address, ports, e.Addr())
		}
	}
}

func TestPortTaken(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		other, err := net.ListenUDP(network, nil)
		if err != nil {
			t.Logf("no %s here: %v", network, err)
			continue
		}
		e, err := New(Config{Listen: netip.AddrPortFrom(netip.IPv4Unspecified(), localAddr(other).Port())})
		if !errors.Is(err, syscall.EADDRINUSE) || e != nil {
			t.Errorf("%s: %v", network, err)
		}
		_ = other.Close()
	}
}

func TestLinkOverIPv6(t *testing.T) {
	requireIPv6(t)
	listen := netip.MustParseAddrPort("[::1]:0")
	a, b := pair(t, Config{Listen: listen}, Config{Listen: listen})
	la, lb := join(t, a, b)
	lb.Accept(1, 1, b)
	o := la.Outlet(0)
	o.Bind(1, 1)
	o.Send(frameOf(1, 1))
	receiveFrom(t, "frame", b.frames)
	if got := la.Stats().Remote; got != b.engine.Addr() {
		t.Errorf("remote %v, not %v", got, b.engine.Addr())
	}
}

func TestHostCandidates(t *testing.T) {
	e := newSide(t, "one", Config{Listen: netip.MustParseAddrPort("0.0.0.0:0")}).engine
	for _, loopback := range []bool{false, true} {
		h := hosts{sockets: e.sockets, loopback: loopback}
		found, here := h.GetListenAddresses(), false
		for _, a := range found {
			addr := unmap(a.(*net.UDPAddr).AddrPort())
			here = here || addr.Addr().IsLoopback()
			if !unicast(addr, loopback) || addr.Port() != e.Addr().Port() || addr.Addr().Is6() && addr.Addr().IsLinkLocalUnicast() {
				t.Errorf("loopback %v: host candidate %v", loopback, addr)
			}
			conn, err := h.GetConn("ufrag", a)
			if err != nil {
				t.Fatalf("%v: %v", addr, err)
			}
			if got := localAddr(conn).Addr().Is4(); got != addr.Addr().Is4() {
				t.Errorf("%v got the other family's socket", addr)
			}
			_ = conn.Close()
		}
		if here != loopback || len(found) > maxHosts {
			t.Errorf("loopback %v: %v", loopback, found)
		}
	}
	four := newSide(t, "two", Config{}).engine
	if _, err := (hosts{sockets: four.sockets}).GetConn("ufrag", &net.UDPAddr{IP: net.IPv6loopback}); err == nil {
		t.Error("a socket for IPv6 where there is none")
	}
	if _, err := (hosts{sockets: four.sockets}).GetConn("ufrag", &net.TCPAddr{}); err == nil {
		t.Error("a socket for TCP")
	}
}

func TestForemostHosts(t *testing.T) {
	var found []netip.AddrPort
	for n := range byte(maxHosts + 5) {
		found = append(found, netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 17, n, 1}), Port))
	}
	here := netip.MustParseAddrPort("127.0.0.1:41642")
	public := []netip.AddrPort{netip.MustParseAddrPort("198.51.100.7:41642"), netip.MustParseAddrPort("[2001:db8::7]:41642")}
	found = append(append(found, here), public...)
	for loopback, want := range map[bool][]netip.AddrPort{
		false: append(slices.Clone(public), found[:maxHosts-2]...),
		true:  append(append(slices.Clone(public), here), found[:maxHosts-3]...),
	} {
		if got := foremost(slices.Clone(found), loopback); !slices.Equal(got, want) {
			t.Errorf("loopback %v: %v", loopback, got)
		}
	}
}

// What the far side bounds must hold all that this side sends.
func TestOwnCandidatesFit(t *testing.T) {
	if most := 2*maxHosts + maxOutside; most > maxCandidates {
		t.Errorf("%d candidates, but far sides take %d", most, maxCandidates)
	}
}
