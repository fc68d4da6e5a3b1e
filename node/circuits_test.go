package node

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"go.uber.org/fx"

	"github.com/earshot-audio/earshot/node/stall"
)

// TestDeadRelayHoldsNobodyUp dials a node through two relays, of which the first
// is silent.
func TestDeadRelayHoldsNobodyUp(t *testing.T) {
	at := func(addrs ...string) host.Host {
		h, err := libp2p.New(libp2p.ListenAddrStrings(addrs...), libp2p.DisableRelay(), libp2p.WithFxOption(fx.Invoke(useCircuits)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	const anyPort = "/ip4/127.0.0.1/udp/0/quic-v1"
	passes, gone, reserved, dials := at(anyPort), at(anyPort), at(), at()
	service, err := relay.New(passes, relay.WithInfiniteLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Close() })
	if err := reserved.Connect(t.Context(), peer.AddrInfo{ID: passes.ID(), Addrs: passes.Addrs()}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Reserve(t.Context(), reserved, peer.AddrInfo{ID: passes.ID()}); err != nil {
		t.Fatal(err)
	}
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	nothing, err := manet.FromNetAddr(silent.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	through := func(way multiaddr.Multiaddr, relay peer.ID) multiaddr.Multiaddr {
		return way.Encapsulate(multiaddr.StringCast("/p2p/" + relay.String() + "/p2p-circuit"))
	}
	stood, began := stall.Watch(t), time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ctx = network.WithAllowLimitedConn(ctx, "test")
	err = dials.Connect(ctx, peer.AddrInfo{ID: reserved.ID(), Addrs: []multiaddr.Multiaddr{
		through(nothing.Encapsulate(multiaddr.StringCast("/quic-v1")), gone.ID()),
		through(passes.Addrs()[0], passes.ID())}})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 4*time.Second+5*stood() { // a link's patience
		t.Errorf("it took %v", took)
	}
}
