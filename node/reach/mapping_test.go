package reach

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"
)

// gateway is a router that speaks NAT-PMP.
type gateway struct {
	net.PacketConn
	mu      sync.Mutex
	outside [4]byte
	epoch   uint32
	shift   uint16 // of the ports outside
	result  uint16 // of each answer; 0: success
	deaf    int    // to so many requests
	open    map[port]uint16
	asked   chan port // when one is opened
	closed  chan port
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	g := &gateway{PacketConn: conn, outside: [4]byte{127, 1, 9, 9}, epoch: 1000, open: map[port]uint16{}, asked: make(chan port, 16), closed: make(chan port, 16)}
	served := make(chan struct{})
	go func() { defer close(served); g.serve() }()
	t.Cleanup(func() { conn.Close(); <-served })
	return g
}

// becomes changes it.
func (g *gateway) becomes(edit func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	edit()
}

func (g *gateway) at() netip.AddrPort { return g.LocalAddr().(*net.UDPAddr).AddrPort() }

func (g *gateway) serve() {
	var b [64]byte
	for {
		n, from, err := g.ReadFrom(b[:])
		if err != nil {
			return
		}
		if answer := g.answer(b[:n]); answer != nil {
			_, _ = g.WriteTo([]byte{0, 99, 0, 0}, from) // of some other request
			_, _ = g.WriteTo(answer, from)
		}
	}
}

func (g *gateway) answer(ask []byte) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.deaf > 0 {
		g.deaf--
		return nil
	}
	answer := []byte{0, pmpAnswer + ask[1]}
	answer = binary.BigEndian.AppendUint16(answer, g.result)
	answer = binary.BigEndian.AppendUint32(answer, g.epoch)
	if ask[1] == pmpAskAddress {
		return append(answer, g.outside[:]...)
	}
	p := port{map[byte]string{pmpMapUDP: "udp", pmpMapTCP: "tcp"}[ask[1]], binary.BigEndian.Uint16(ask[4:])}
	outside, life := binary.BigEndian.Uint16(ask[6:])+g.shift, binary.BigEndian.Uint32(ask[8:])
	if life == 0 {
		delete(g.open, p)
		outside = 0
		g.closed <- p
	} else {
		g.open[p] = outside
		g.asked <- p
	}
	answer = binary.BigEndian.AppendUint16(answer, p.number)
	answer = binary.BigEndian.AppendUint16(answer, outside)
	return binary.BigEndian.AppendUint32(answer, life)
}

func (g *gateway) finds(ctx context.Context) (router, error) { return askPMP(ctx, g.at()) }

func TestPMP(t *testing.T) {
	g := newGateway(t)
	g.becomes(func() { g.deaf, g.shift = 1, 7 })
	r, err := askPMP(t.Context(), g.at())
	must(t, err)
	must(t, r.AddMapping(t.Context(), "udp", 41642))
	if at, ok := r.GetMapping("udp", 41642); !ok || at != netip.MustParseAddrPort("127.1.9.9:41649") {
		t.Errorf("%v, %v", at, ok)
	}
	if _, ok := r.GetMapping("tcp", 41642); ok {
		t.Error("a mapping that nobody asked for")
	}
	must(t, r.Close())
	if p := <-g.closed; p != (port{"udp", 41642}) {
		t.Errorf("%v was taken back", p)
	}
}

func TestPMPRouterThatForgets(t *testing.T) {
	g := newGateway(t)
	r, err := askPMP(t.Context(), g.at())
	must(t, err)
	defer r.Close()
	must(t, r.AddMapping(t.Context(), "udp", 41642))
	<-g.asked
	g.becomes(func() { g.epoch, g.outside, g.shift = 1, [4]byte{127, 1, 8, 8}, 1 })
	r.at = r.at.Add(-routerLook) // time passes
	if at, ok := r.GetMapping("udp", 41642); !ok || at != netip.MustParseAddrPort("127.1.8.8:41643") {
		t.Errorf("%v, %v", at, ok)
	}
}

func TestPMPRefusal(t *testing.T) {
	g := newGateway(t)
	g.becomes(func() { g.result = 2 }) // not authorised
	if _, err := askPMP(t.Context(), g.at()); err == nil {
		t.Fatal("a router that refuses")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	g.becomes(func() { g.deaf = 100 })
	if _, err := askPMP(ctx, g.at()); err == nil {
		t.Fatal("a router that says nothing")
	}
}

func TestPorts(t *testing.T) {
	g := newGateway(t)
	ports := NewPorts()
	ports.router = g.finds
	ana := newNode(t, home, func(c *Config) { c.Ports, c.MediaPort = ports, func() uint16 { return 41642 } })
	ana.becomes("mapped", func(s State) bool {
		return len(s.Mapped) == 1 && s.Mapped[0] == netip.MustParseAddrPort("127.1.9.9:41642")
	})
	if got := ports.GetMapping(multiaddr.StringCast("/ip4/0.0.0.0/udp/41642/quic-v1")); got == nil || got.String() != "/ip4/127.1.9.9/udp/41642/quic-v1" {
		t.Errorf("%v", got)
	}
	for _, a := range []string{"/ip4/127.0.0.1/udp/41642/quic-v1", "/ip6/::/udp/41642/quic-v1", "/ip4/0.0.0.0/tcp/41642", "/ip4/0.0.0.0", "/p2p-circuit"} {
		if got := ports.GetMapping(multiaddr.StringCast(a)); got != nil {
			t.Errorf("%s is %v outside", a, got)
		}
	}
	<-g.asked
	ana.stop()
	<-g.closed
	if ports.HasDiscoveredNAT() || len(ana.Mapped()) > 0 {
		t.Error("a mapping that was taken back")
	}
}

// TestRouterBehindARouter has a carrier's NAT behind the home's.
func TestRouterBehindARouter(t *testing.T) {
	g := newGateway(t)
	g.becomes(func() { g.outside = [4]byte{100, 64, 0, 1} }) // RFC 6598
	ports := NewPorts()
	ports.router = g.finds
	ana := newNode(t, home, func(c *Config) { c.Ports, c.MediaPort = ports, func() uint16 { return 41642 } })
	<-g.asked
	must(t, ana.Refresh(t.Context()))
	if ports.HasDiscoveredNAT() {
		t.Error("an address that leads nowhere")
	}
}

func TestNoRouter(t *testing.T) {
	asked := make(chan struct{}, 1)
	ports := NewPorts()
	ports.router = func(context.Context) (router, error) { asked <- struct{}{}; return nil, errors.New("none") }
	newNode(t, home, func(c *Config) { c.Ports = ports })
	<-asked
}

func FuzzPMP(f *testing.F) {
	f.Add([]byte{0, 128, 0, 0, 0, 0, 0, 1, 11, 0, 0, 2}, byte(0))
	f.Add([]byte{0, 129, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 2, 88}, byte(1))
	f.Add([]byte{0, 130, 0, 3}, byte(2))
	f.Fuzz(func(t *testing.T, b []byte, opcode byte) {
		answer, err := readPMP(b, opcode)
		if err == nil && (len(answer) < 12 || opcode != pmpAskAddress && len(answer) < 16 || answer[1] != opcode+pmpAnswer) {
			t.Fatalf("%x answers %d", answer, opcode)
		}
	})
}

func TestPortOf(t *testing.T) {
	for listen, want := range map[string]port{
		"/ip4/0.0.0.0/udp/41641/quic-v1": {"udp", 41641},
		"/ip4/0.0.0.0/tcp/41641":         {"tcp", 41641},
		"/ip6/::/udp/1/quic-v1":          {"udp", 1},
		"/ip4/127.0.0.1/udp/1/quic-v1":   {},
		"/ip4/0.0.0.0/udp/0/quic-v1":     {},
		"/ip4/0.0.0.0/sctp/1":            {},
		"/dns4/node.example/tcp/1":       {},
	} {
		a := multiaddr.StringCast(listen)
		if got, ok := portOf(a, netip.Addr.IsValid); ok != (want != port{}) || ok && got != want {
			t.Errorf("%s: %v %v", listen, got, ok)
		}
		if got, ok := portOf(a, netip.Addr.Is4); ok && strings.HasPrefix(listen, "/ip6") {
			t.Errorf("%s of IPv4: %v", listen, got)
		}
	}
}
