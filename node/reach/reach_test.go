package reach

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

func TestAHomeHoldsACircuit(t *testing.T) {
	public, ana, budi := newNode(t, first), newNode(t, home), newNode(t, home)
	started := time.Now()
	ana.connect(public)
	ana.holds(public)
	if took := time.Since(started); took > time.Second {
		t.Errorf("it took %v", took)
	}
	for _, a := range ana.circuit().Addrs {
		if !protocol.IsCircuit(a) || !ofInternet(a) {
			t.Errorf("%v leads through no relay on the Internet", a)
		}
	}
	budi.connect(public)
	must(t, budi.Connect(t.Context(), ana.circuit()))
	if result := <-ping.Ping(t.Context(), budi.Host, ana.ID()); result.Error != nil {
		t.Fatal(result.Error)
	}
	public.serves("carrying", func(s Serves) bool { return s.Running && s.Circuits == 1 && s.Bytes > 0 && s.Reservations >= 1 })
	must(t, budi.Network().ClosePeer(ana.ID()))
	public.serves("idle", func(s Serves) bool { return s.Circuits == 0 })
}

func TestTheHostTellsOfCircuits(t *testing.T) {
	public, ana, budi := newNode(t, first), newNode(t, home), newNode(t, home)
	updates, err := budi.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	must(t, err)
	defer updates.Close()
	ana.connect(public)
	ana.holds(public)
	budi.connect(ana)
	for {
		if slices.ContainsFunc(budi.Peerstore().Addrs(ana.ID()), protocol.IsCircuit) {
			return
		}
		select {
		case <-updates.Out():
		case <-time.After(5 * time.Second):
			t.Fatal("who is connected does not learn of the circuit")
		}
	}
}

func TestACircuitEndsWithItsRelay(t *testing.T) {
	public, ana := newNode(t, first), newNode(t, home)
	ana.connect(public)
	ana.holds(public)
	public.stop() // serves no longer; the hosts stay connected
	ana.holds()
	if ana.Network().Connectedness(public.ID()) != network.Connected {
		t.Fatal("the connection is gone, too")
	}
}

func TestACircuitEndsWithTheConnection(t *testing.T) {
	public, ana := newNode(t, first), newNode(t, home)
	ana.connect(public)
	ana.holds(public)
	must(t, ana.Network().ClosePeer(public.ID()))
	ana.holds()
	public.serves("empty", func(s Serves) bool { return s.Reservations == 0 })
	ana.connect(public)
	ana.holds(public)
}

func TestTwoRelaysWillDo(t *testing.T) {
	ana := newNode(t, home)
	var relays []*node
	for _, at := range []string{first, other, third} {
		relays = append(relays, newNode(t, at))
		ana.connect(relays[len(relays)-1])
	}
	ana.becomes("held by two", func(s State) bool { return len(s.Circuits) == 2 })
	if got := len(ana.PublicNeighbours()); got > 3 {
		t.Errorf("%d public neighbours", got)
	}
	held := ana.Circuits()[0].Relay
	must(t, ana.Network().ClosePeer(held))
	ana.becomes("held by the third", func(s State) bool {
		return len(s.Circuits) == 2 && !slices.ContainsFunc(s.Circuits, func(c Circuit) bool { return c.Relay == held })
	})
}

func TestPolicyOff(t *testing.T) {
	public, ana := newNode(t, first, func(c *Config) { c.Policy = Off; c.STUNPorts = func() []uint16 { return []uint16{7} } }), newNode(t, home)
	ana.connect(public)
	must(t, ana.Refresh(t.Context()))
	if infos := ana.PublicNeighbours(); len(infos) != 1 || len(ana.Circuits()) != 0 {
		t.Errorf("%v, %v", infos, ana.Circuits())
	}
	if s := public.State(); s.Serves.Running || s.Reach != Public {
		t.Errorf("%+v", s)
	}
}

func TestPolicyRooms(t *testing.T) {
	member := make(chan peer.ID, 1)
	public := newNode(t, first, func(c *Config) {
		c.Policy = Rooms
		c.InRoom = func(p peer.ID) bool {
			select {
			case m := <-member:
				member <- m
				return m == p
			default:
				return false
			}
		}
	})
	ana, budi := newNode(t, home), newNode(t, home)
	ana.connect(public)
	budi.connect(public)
	ana.holds(public)
	if budi.Connect(t.Context(), ana.circuit()) == nil {
		t.Fatal("a circuit between strangers")
	}
	public.serves("refusing", func(s Serves) bool { return s.Refused > 0 && s.Circuits == 0 })
	member <- ana.ID()
	later := newNode(t, home) // past the swarm's backoff
	later.connect(public)
	must(t, later.Connect(t.Context(), ana.circuit()))
}

func TestStrangersGetNoCircuit(t *testing.T) {
	public, stranger := newNode(t, first), newHost(t, home)
	must(t, stranger.Connect(t.Context(), public.info()))
	if _, err := client.Reserve(t.Context(), stranger, public.info()); err == nil {
		t.Fatal("a reservation for a node that is not Earshot's")
	}
	public.serves("refusing", func(s Serves) bool { return s.Refused == 1 && s.Reservations == 0 })
}

func TestAVisitConfirms(t *testing.T) {
	one, two := newNode(t, first), newNode(t, other)
	one.becomes("public by its address", func(s State) bool { return s.Reach == Public && !s.Confirmed && s.Serves.Running })
	two.connect(one)
	one.inbound <- arrival{from: two.Addrs()[0]} // by itself, loopback calls from elsewhere
	one.becomes("reached", func(s State) bool { return s.Confirmed })
	two.becomes("careful", func(s State) bool { return s.Reach == Public && !s.Confirmed && len(s.Circuits) == 1 })
	two.cfg.DialBacks.results <- dialBack{two.Addrs()[0], true}
	two.becomes("sure", func(s State) bool { return s.Confirmed && len(s.Circuits) == 0 })
}

func TestAFailedDialBack(t *testing.T) {
	one := newNode(t, first)
	one.becomes("public", func(s State) bool { return s.Serves.Running })
	one.cfg.DialBacks.results <- dialBack{one.Addrs()[0], false}
	one.becomes("behind a firewall", func(s State) bool { return s.Reach == Private && s.Confirmed && !s.Serves.Running })
}

func TestHidden(t *testing.T) {
	public := newNode(t, first)
	hidden := newNode(t, other, func(c *Config) { c.Hidden = true; c.STUNPorts = func() []uint16 { return []uint16{7} } })
	hidden.connect(public)
	hidden.holds(public)
	hidden.cfg.DialBacks.results <- dialBack{hidden.Addrs()[0], true}
	hidden.becomes("sure", func(s State) bool { return s.Confirmed })
	asker := newNode(t, home)
	asker.connect(hidden)
	must(t, asker.Refresh(t.Context()))
	told := slices.ContainsFunc(asker.PublicNeighbours(), func(i peer.AddrInfo) bool { return i.ID == hidden.ID() })
	if len(hidden.Circuits()) != 1 || hidden.State().Serves.Running || len(asker.Servers()) > 0 || told {
		t.Errorf("%+v, %v", hidden.State(), asker.PublicNeighbours())
	}
}

func TestServers(t *testing.T) {
	ana := newNode(t, home)
	for i, at := range []string{first, other} {
		ports := []uint16{uint16(100 * (i + 1)), uint16(100*(i+1) + 1)}
		ana.connect(newNode(t, at, func(c *Config) { c.STUNPorts = func() []uint16 { return ports } }))
	}
	ana.becomes("held", func(s State) bool { return len(s.Circuits) == 2 })
	got := ana.Servers()
	slices.SortFunc(got, netip.AddrPort.Compare)
	var want []netip.AddrPort
	for _, s := range []string{first + ":100", other + ":200"} {
		want = append(want, netip.MustParseAddrPort(s))
	}
	if len(got) != 3 || !slices.Contains(got, want[0]) || !slices.Contains(got, want[1]) {
		t.Errorf("%v", got)
	}
}

func TestWhoCallsIsNotPublic(t *testing.T) {
	one, two := newNode(t, first), newNode(t, other)
	two.connect(one)
	two.becomes("held", func(s State) bool { return len(s.Circuits) == 1 })
	if infos := one.PublicNeighbours(); len(infos) > 0 {
		t.Errorf("%v has only been heard from", infos)
	}
}

func TestTheWayThrough(t *testing.T) {
	relay := newHost(t, first).ID()
	at := multiaddr.StringCast("/ip4/127.1.0.1/udp/1/quic-v1")
	r := &Reach{cfg: Config{Public: ofInternet}}
	r.cfg.Public = func(a multiaddr.Multiaddr) bool {
		ip, ok := protocol.IPOf(a)
		return ok && (ip.Is6() || internet.Contains(ip))
	}
	n := &neighbour{id: relay, at: at, addr: netip.MustParseAddr(first)}
	vouched := func(addrs ...string) (out []multiaddr.Multiaddr) {
		for _, a := range addrs {
			out = append(out, multiaddr.StringCast(a))
		}
		return out
	}
	tail := "/p2p/" + relay.String() + "/p2p-circuit"
	for name, c := range map[string]struct {
		vouched []multiaddr.Multiaddr
		want    []string
	}{
		"says nothing":      {nil, []string{at.String()}},
		"TCP, too":          {vouched("/ip4/127.1.0.1/tcp/2", "/ip4/127.1.0.1/tcp/3"), []string{at.String(), "/ip4/127.1.0.1/tcp/2"}},
		"IPv6, too":         {vouched("/ip6/2001:db8::1/udp/4/quic-v1"), []string{at.String(), "/ip6/2001:db8::1/udp/4/quic-v1"}},
		"a victim's":        {vouched("/ip4/127.1.0.9/tcp/2"), []string{at.String()}},
		"a private address": {vouched("/ip4/127.0.0.1/tcp/2"), []string{at.String()}},
		"a circuit":         {vouched("/ip4/127.1.0.1/tcp/2" + tail), []string{at.String()}},
		"no address of IP":  {vouched("/dns4/example.org/tcp/2"), []string{at.String()}},
	} {
		var got []string
		for _, a := range r.through(n, c.vouched) {
			got = append(got, a.String())
		}
		for i := range c.want {
			c.want[i] += tail
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
