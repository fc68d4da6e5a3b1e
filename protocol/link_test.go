package protocol

import (
	"errors"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// TestLinkTellsDamage: cut or mistyped anywhere, it says so.
func TestLinkTellsDamage(t *testing.T) {
	c := people()
	l := Link{Room: RoomID(c.tea().Room), Network: "garden",
		Peers: []peer.AddrInfo{{ID: c.founder.id, Addrs: addresses([]string{"/ip4/127.0.0.1/tcp/4001"})}}}
	for _, s := range []string{l.String(), strings.Replace(l.String(), "earshot:", "http://localhost:8733/r#", 1)} {
		if _, err := ParseLink(s); err != nil || !IsLink(s) {
			t.Fatalf("%s: %v", s, err)
		}
		for i := strings.Index(s, "room/") + len("room/"); i < len(s); i++ {
			if _, err := ParseLink(s[:i]); !errors.Is(err, ErrLinkCut) || !IsLink(s[:i]) {
				t.Fatalf("cut at %d: %v", i, err)
			}
			if _, err := ParseLink(s[:i] + swap(s[i]) + s[i+1:]); !errors.Is(err, ErrLinkCut) {
				t.Fatalf("mistyped at %d: %v", i, err)
			}
		}
	}
}

// TestLargestLinkReads: as many peers and addresses as there may be.
func TestLargestLinkReads(t *testing.T) {
	l := Link{Room: RoomID{7}, Network: strings.Repeat("n", MaxNetworkBytes)}
	for n := range byte(MaxHints + 2) {
		p := peer.AddrInfo{ID: someone(n).id}
		for range MaxAddresses + 1 {
			p.Addrs = append(p.Addrs, addresses([]string{"/dns4/" + strings.Repeat("a", 44) + "/tcp/1"})...)
		}
		l.Peers = append(l.Peers, p)
	}
	got, err := ParseLink(l.String())
	if err != nil || len(got.Peers) != MaxHints || len(got.Peers[0].Addrs) != MaxAddresses || got.Network != l.Network {
		t.Errorf("%d letters: %+v %v", len(l.String()), got, err)
	}
}

func TestLinkLeavesOutWhoIsNoPeer(t *testing.T) {
	l := Link{Room: RoomID{7}, Peers: []peer.AddrInfo{{ID: "x"}, {ID: someone(1).id}}}
	if got, err := ParseLink(l.String()); err != nil || len(got.Peers) != 1 || got.Peers[0].ID != someone(1).id {
		t.Errorf("%+v %v", got, err)
	}
}
