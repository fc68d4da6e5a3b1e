package rtc

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/sdp/v3"

	"github.com/earshot-audio/earshot/protocol"
)

// behind is a socket behind a router on loopback, whose far side sees another
// port than the socket's own. The router lets in what comes from where something
// was sent to, or, if it is open, all (RFC 4787 section 5).
type behind struct {
	net.PacketConn
	public *net.UDPConn
	open   bool

	mu   sync.Mutex
	told map[netip.AddrPort]bool // who was sent to
}

// router gives a Config.Wrap that puts sockets behind a router.
func router(t testing.TB, open bool) func(net.PacketConn) net.PacketConn {
	return func(inside net.PacketConn) net.PacketConn {
		return &behind{
			PacketConn: inside, public: listenAt(t, "127.0.0.1:0"), open: open, told: make(map[netip.AddrPort]bool),
		}
	}
}

func (b *behind) WriteTo(p []byte, to net.Addr) (int, error) {
	b.mu.Lock()
	b.told[unmap(to.(*net.UDPAddr).AddrPort())] = true
	b.mu.Unlock()
	return b.public.WriteTo(p, to)
}

func (b *behind) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := b.public.ReadFromUDPAddrPort(p)
		if err != nil {
			return n, nil, err
		}
		from = unmap(from)
		b.mu.Lock()
		pass := b.open || b.told[from]
		b.mu.Unlock()
		if pass {
			return n, net.UDPAddrFromAddrPort(from), nil
		}
	}
}

func (b *behind) Close() error {
	_ = b.public.Close()
	return b.PacketConn.Close()
}

// editing is a side that changes the candidates that it signals.
type editing struct {
	*side
	edit func([]sdp.Attribute) []sdp.Attribute // of the m-line
}

func (e editing) Signal(p protocol.PeerID, s Signal) {
	var d sdp.SessionDescription
	if d.UnmarshalString(s.SDP) == nil {
		for _, m := range d.MediaDescriptions {
			m.Attributes = e.edit(m.Attributes)
		}
		if text, err := d.Marshal(); err == nil {
			s.SDP = string(text)
		}
	}
	e.side.Signal(p, s)
}

func (e editing) connect() *Link { return e.engine.Connect(e.far.self, true, e) }

// withoutHosts takes out the host candidates, as they would be of no use where
// the far side is in another network.
func withoutHosts(attributes []sdp.Attribute) []sdp.Attribute {
	return slices.DeleteFunc(attributes, func(a sdp.Attribute) bool {
		c, _ := readCandidate(a.Value)
		return a.IsICECandidate() && c.host
	})
}

func TestUselessCandidatesAreLeftOut(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	add := func(attributes []sdp.Attribute) []sdp.Attribute {
		for _, c := range []string{
			"1 1 tcp 2130706431 127.0.0.1 9 typ host tcptype passive",
			"1 1 udp 2130706431 laptop.local 9 typ host",
			"1 1 udp 2130706431 224.0.0.1 9 typ host",
		} {
			attributes = append(attributes, sdp.NewAttribute("candidate", c))
		}
		return attributes
	}
	editing{a, add}.connect()
	b.connect()
	receiveFrom(t, "Up at the offerer", a.up)
	receiveFrom(t, "Up at the answerer", b.up)
	if got := b.engine.SocketStats().LeftOut; got != 3 {
		t.Errorf("%d left out", got)
	}
	if got := a.engine.SocketStats().LeftOut; got != 0 {
		t.Errorf("%d of an honest side left out", got)
	}
}

func TestLinkBetweenHomes(t *testing.T) {
	times := hurried
	times.attempt = time.Second
	for _, c := range []struct {
		name    string
		asks    bool // both sides ask a server
		mapped  bool // the answerer's router has a port mapped
		reaches bool
	}{
		{name: "nobody tells"},
		{name: "both ask", asks: true, reaches: true},
		{name: "a port is mapped", mapped: true, reaches: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := pair(t, Config{Wrap: router(t, false), times: times}, Config{Wrap: router(t, c.mapped), times: times})
			server := newSide(t, "server", Config{}).engine
			if c.asks {
				servers := func() []netip.AddrPort { return []netip.AddrPort{server.Addr()} }
				a.engine.SetServers(servers)
				b.engine.SetServers(servers)
			}
			outside := func(s *side) netip.AddrPort {
				return s.engine.Ask(t.Context(), []netip.AddrPort{server.Addr()})[0].Seen
			}
			atA, atB := outside(a), outside(b)
			if atA == a.engine.Addr() || atB == b.engine.Addr() || !atA.IsValid() || !atB.IsValid() {
				t.Fatalf("not behind routers: %v and %v", atA, atB)
			}
			if c.mapped {
				b.engine.SetMapped(func() []netip.AddrPort { return []netip.AddrPort{atB} })
			}
			la, lb := editing{a, withoutHosts}.connect(), editing{b, withoutHosts}.connect()
			if !c.reaches {
				if err := receiveFrom(t, "Down", a.down); err == nil {
					t.Error("Down without a reason")
				}
				return
			}
			receiveFrom(t, "Up at the offerer", a.up)
			receiveFrom(t, "Up at the answerer", b.up)
			if got := la.Stats().Remote; got != atB {
				t.Errorf("the offerer reaches %v, not %v", got, atB)
			}
			if got := lb.Stats().Remote; got != atA {
				t.Errorf("the answerer reaches %v, not %v", got, atA)
			}
			lb.Accept(1, 1, b)
			o := la.Outlet(0)
			o.Bind(1, 1)
			o.Send(frameOf(1, 1))
			receiveFrom(t, "frame", b.frames)
		})
	}
}
