package protocol

import (
	"slices"
	"strings"
	"testing"

	"github.com/multiformats/go-multiaddr"
)

func TestAddressBytes(t *testing.T) {
	p, q := someone(1).id.String(), someone(2).id.String()
	long := "/dns4/" + strings.Repeat("a", 124) + "/tcp/1" // 129 bytes
	name := "/dns4/" + strings.Repeat("a", 95) + "/tcp/1"  // 100 bytes
	const one, two, three = "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/udp/2/quic-v1", "/ip6/2001:db8::1/udp/3/quic-v1"
	for _, c := range []struct {
		name string
		most int
		in   []string
		want []string
	}{
		{"nothing", 8, nil, nil},
		{"plain", 8, []string{one, two, three}, []string{one, two, three}},
		{"as many as asked for", 2, []string{one, two, three}, []string{one, two}},
		{"none asked for", 0, []string{one}, nil},
		{"peer at the end", 8, []string{one + "/p2p/" + p}, []string{one}},
		{"only a peer", 8, []string{"/p2p/" + p, one}, []string{one}},
		{"peer inside", 8, []string{one + "/p2p/" + p + "/ws", two}, []string{two}},
		{"two peers", 8, []string{one + "/p2p/" + p + "/p2p/" + q, two}, []string{two}},
		{"the same peer around another", 8, []string{"/p2p/" + p + "/p2p/" + q + "/p2p/" + p, two}, []string{two}},
		{"through a circuit", 8, []string{two, one + "/p2p/" + p + "/p2p-circuit"}, []string{two, one + "/p2p/" + p + "/p2p-circuit"}},
		{"through a circuit to a peer", 8, []string{one + "/p2p/" + p + "/p2p-circuit/p2p/" + q}, []string{one + "/p2p/" + p + "/p2p-circuit"}},
		{"through two circuits", 8, []string{one + "/p2p/" + p + "/p2p-circuit/p2p/" + q + "/p2p-circuit", two}, []string{two}},
		{"a circuit of an unknown relay", 8, []string{one + "/p2p-circuit", two}, []string{two}},
		{"a circuit of a relay anywhere", 8, []string{"/p2p/" + p + "/p2p-circuit", two}, []string{two}},
		{"certificate's hash", 8, []string{two + "/webtransport/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g/p2p/" + p, one}, []string{one}},
		{"too long", 8, []string{long, one}, []string{one}},
		{"too long together", 8, []string{name, name, name, one, name, name, two}, []string{name, name, name, one, two}},
		{"400 bytes together", 8, []string{name, name, name, name, one}, []string{name, name, name, name}},
		{"those left out don't count", 1, []string{"/p2p/" + p, long, one, two}, []string{one}},
	} {
		raw := AddressBytes(addresses(c.in), c.most)
		got, err := Addresses(raw, max(c.most, 1))
		if err != nil || !slices.Equal(texts(got), c.want) {
			t.Errorf("%s: %v %v", c.name, texts(got), err)
		}
	}
}

func TestAddressBytesLeavesItsInput(t *testing.T) {
	in := addresses([]string{"/ip4/192.0.2.1/tcp/1/p2p/" + someone(1).id.String(), "/ip4/192.0.2.1/tcp/2"})
	was := slices.Clone(texts(in))
	AddressBytes(in, 1)
	AddressBytes([]multiaddr.Multiaddr{nil, {}}, 8) // and takes what is empty
	if !slices.Equal(texts(in), was) {
		t.Errorf("%v became %v", was, texts(in))
	}
}

func TestIPOf(t *testing.T) {
	relay := "/p2p/" + someone(1).id.String() + "/p2p-circuit"
	for in, want := range map[string]string{
		"/ip4/192.0.2.1/tcp/1":           "192.0.2.1",
		"/ip6/::ffff:192.0.2.1/tcp/1":    "192.0.2.1",
		"/ip6/2001:db8::1/udp/3/quic-v1": "2001:db8::1",
		"/ip4/192.0.2.1/tcp/1" + relay:   "192.0.2.1",
		"/dns4/node.example/tcp/1":       "",
		"/p2p/" + someone(1).id.String(): "",
	} {
		ip, ok := IPOf(multiaddr.StringCast(in))
		if ok != (want != "") || ok && ip.String() != want {
			t.Errorf("%s: %v %v", in, ip, ok)
		}
	}
	if _, ok := IPOf(nil); ok {
		t.Error("no address has an IP address")
	}
}

func TestDirectFirst(t *testing.T) {
	relay := "/p2p/" + someone(1).id.String() + "/p2p-circuit"
	const one, two = "/ip4/192.168.0.1/tcp/1", "/ip4/8.8.4.4/tcp/2"
	in := addresses([]string{"/ip4/8.8.8.8/tcp/1" + relay, one, two})
	if got := texts(DirectFirst(in)); !slices.Equal(got, []string{one, two, texts(in)[0]}) {
		t.Error(got)
	}
}

func TestBestFirst(t *testing.T) {
	circuit := "/ip4/8.8.4.4/tcp/1/p2p/" + someone(1).id.String() + "/p2p-circuit"
	in := addresses([]string{"/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.2/tcp/1", circuit, "/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/2"})
	want := []string{"/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/2", circuit, "/ip4/192.168.1.2/tcp/1", "/ip4/127.0.0.1/tcp/1"}
	if got := texts(BestFirst(in)); !slices.Equal(got, want) {
		t.Error(got)
	}
}
