package reach

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/multiformats/go-multiaddr"
)

func TestJudge(t *testing.T) {
	const (
		own4, own4TCP = "/ip4/11.0.0.2/udp/1/quic-v1", "/ip4/11.0.0.2/tcp/1"
		own6          = "/ip6/2001:db8::2/udp/1/quic-v1"
		routers       = "/ip4/11.9.9.9/udp/1/quic-v1"
		visitor       = "/ip4/11.8.8.8/udp/1/quic-v1"
	)
	addr := multiaddr.StringCast
	server := locals{public: []netip.Addr{netip.MustParseAddr("11.0.0.2")}}
	house := locals{private: []netip.Addr{netip.MustParseAddr("192.168.1.2")}}
	house6 := locals{private: house.private, public: []netip.Addr{netip.MustParseAddr("2001:db8::2")}}
	only6 := locals{public: house6.public}
	for name, c := range map[string]struct {
		local     locals
		visits    []string
		results   []dialBack // in order
		reachable []string
		reach     Level
		confirmed bool
		circuits  bool
	}{
		"no address":                         {local: locals{}, reach: Unknown, circuits: true},
		"a server, untried":                  {local: server, reach: Public, circuits: true},
		"a server, visited":                  {local: server, visits: []string{visitor}, reach: Public, confirmed: true},
		"a server, dialled":                  {local: server, results: []dialBack{{addr(own4), true}}, reach: Public, confirmed: true},
		"libp2p is sure":                     {local: server, reachable: []string{own4TCP}, reach: Public, confirmed: true},
		"a firewall":                         {local: server, results: []dialBack{{addr(own4), false}}, reach: Private, confirmed: true, circuits: true},
		"a firewall for UDP alone":           {local: server, results: []dialBack{{addr(own4), false}, {addr(own4TCP), true}}, reach: Public, confirmed: true},
		"a firewall that went away":          {local: server, results: []dialBack{{addr(own4), false}, {addr(own4), true}}, reach: Public, confirmed: true},
		"a firewall that came":               {local: server, visits: []string{visitor}, results: []dialBack{{addr(own4), false}}, reach: Private, confirmed: true, circuits: true},
		"one server of two fails":            {local: server, results: []dialBack{{addr(own4), true}, {addr(own4), false}}, reach: Public, confirmed: true},
		"two servers of three fail":          {local: server, results: []dialBack{{addr(own4), true}, {addr(own4), false}, {addr(own4), false}}, reach: Private, confirmed: true, circuits: true},
		"long ago it was reached":            {local: server, results: []dialBack{{addr(own4), false}, {addr(own4), false}, {addr(own4), true}, {addr(own4), true}}, reach: Public, confirmed: true},
		"a house":                            {local: house, reach: Private, circuits: true},
		"a house, visited by whom it called": {local: house, visits: []string{visitor}, reach: Private, circuits: true},
		"a house, tried":                     {local: house, results: []dialBack{{addr(routers), false}}, reach: Private, confirmed: true, circuits: true},
		"a mapped port":                      {local: house, results: []dialBack{{addr(routers), true}}, reach: Mapped, confirmed: true},
		"a house with IPv6, untried":         {local: house6, reach: Public, circuits: true},
		"a house with IPv6 that is open":     {local: house6, results: []dialBack{{addr(own6), true}}, reach: Public, confirmed: true, circuits: true},
		"a house with IPv6 that is closed":   {local: house6, results: []dialBack{{addr(own6), false}}, reach: Private, confirmed: true, circuits: true},
		"IPv6 alone":                         {local: only6, results: []dialBack{{addr(own6), true}}, reach: Public, confirmed: true, circuits: true},
		"IPv6 says nothing of IPv4":          {local: locals{public: append(server.public, only6.public...)}, results: []dialBack{{addr(own6), false}}, reach: Public, circuits: true},
	} {
		e := evidence{local: c.local}
		for _, v := range c.visits {
			e.visited(arrival{from: addr(v)})
		}
		for _, d := range c.results {
			e.dialled(d)
		}
		for _, a := range c.reachable {
			e.reachable = append(e.reachable, addr(a))
		}
		if v := e.judge(); v.reach != c.reach || v.confirmed != c.confirmed || v.circuits != c.circuits {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestAnAcquaintanceProvesNothing(t *testing.T) {
	e := evidence{local: locals{public: []netip.Addr{netip.MustParseAddr("11.0.0.2")}}}
	e.visited(arrival{from: multiaddr.StringCast("/ip4/11.8.8.8/udp/1/quic-v1"), known: true})
	if v := e.judge(); v.confirmed {
		t.Errorf("%+v", v)
	}
}

func TestAnotherNetwork(t *testing.T) {
	e := evidence{local: locals{public: []netip.Addr{netip.MustParseAddr("11.0.0.2")}}}
	e.dialled(dialBack{multiaddr.StringCast("/ip4/11.0.0.2/tcp/1"), true})
	e.moved(e.local)
	if v := e.judge(); !v.confirmed {
		t.Errorf("%+v where nothing moved", v)
	}
	e.moved(locals{private: []netip.Addr{netip.MustParseAddr("192.168.1.2")}})
	if v := e.judge(); v.reach != Private || v.confirmed {
		t.Errorf("%+v", v)
	}
}

func TestDialBacks(t *testing.T) {
	d := NewDialBacks()
	a := multiaddr.StringCast("/ip4/11.0.0.2/tcp/1")
	d.ClientCompletedRequest(nil, autonatv2.Result{Addr: a, Reachability: network.ReachabilityPublic}, errors.New("reset"))
	d.ClientCompletedRequest(nil, autonatv2.Result{AllAddrsRefused: true}, nil)
	d.ClientCompletedRequest(nil, autonatv2.Result{Addr: a, Reachability: network.ReachabilityUnknown}, nil)
	if len(d.results) > 0 {
		t.Errorf("%+v tells nothing", <-d.results)
	}
	for range 2 * inboxSize { // it doesn't wait
		d.ClientCompletedRequest(nil, autonatv2.Result{Addr: a, Reachability: network.ReachabilityPrivate}, nil)
	}
	if got := <-d.results; got.reached || !got.addr.Equal(a) {
		t.Errorf("%+v", got)
	}
}

func TestBehaviour(t *testing.T) {
	local := locals{private: []netip.Addr{netip.MustParseAddr("192.168.1.2")}, public: []netip.Addr{netip.MustParseAddr("11.0.0.2")}}
	saw := func(at string) Answer { return Answer{Seen: netip.MustParseAddrPort(at)} }
	none := Answer{Err: errors.New("no answer")}
	for name, c := range map[string]struct {
		answers []Answer
		want    NAT
	}{
		"nobody":                      {nil, NATUnknown},
		"no answer":                   {[]Answer{none, none}, NATUnknown},
		"one answer":                  {[]Answer{saw("11.9.9.9:5")}, NATUnknown},
		"one answer of its own":       {[]Answer{saw("11.0.0.2:41642")}, NATNone},
		"its own, in IPv4 within 6":   {[]Answer{saw("[::ffff:11.0.0.2]:41642")}, NATNone},
		"its own address, other port": {[]Answer{saw("11.0.0.2:5"), saw("11.0.0.2:5")}, EndpointIndependent},
		"the same place":              {[]Answer{saw("11.9.9.9:5"), none, saw("11.9.9.9:5")}, EndpointIndependent},
		"another port":                {[]Answer{saw("11.9.9.9:5"), saw("11.9.9.9:6")}, Dependent},
		"another address":             {[]Answer{saw("11.9.9.9:5"), saw("11.9.9.8:5")}, Dependent},
		"IPv6 is not asked":           {[]Answer{saw("[2001:db8::2]:5"), saw("[2001:db8::3]:6")}, NATUnknown},
	} {
		if got := behaviour(c.answers, local, 41642); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
