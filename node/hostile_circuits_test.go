package node

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	pbv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-msgio/pbio"
	"github.com/multiformats/go-multiaddr"
	"go.uber.org/fx"

	"github.com/earshot-audio/earshot/protocol"
)

// TestOnePeerTakesNotAllCircuits has a peer open circuits to a node and say
// nothing on them, so that nobody else could come to it by that relay.
func TestOnePeerTakesNotAllCircuits(t *testing.T) {
	t.Parallel()
	at := func(addrs ...string) host.Host {
		resources, err := resourceManager()
		must(t, err)
		h, err := libp2p.New(libp2p.ListenAddrStrings(addrs...), libp2p.ResourceManager(resources), libp2p.DisableRelay(), libp2p.WithFxOption(fx.Invoke(useCircuits)))
		must(t, err)
		t.Cleanup(func() { h.Close() })
		return h
	}
	passes, reserved, dials := at("/ip4/127.0.0.1/tcp/0"), at(), at()
	resources := relay.DefaultResources()
	resources.MaxCircuits = circuitsTo
	service, err := relay.New(passes, relay.WithInfiniteLimits(), relay.WithResources(resources))
	must(t, err)
	t.Cleanup(func() { service.Close() })
	meet := func(h host.Host) {
		must(t, h.Connect(t.Context(), peer.AddrInfo{ID: passes.ID(), Addrs: passes.Addrs()}))
	}
	meet(reserved)
	meet(dials)
	_, err = client.Reserve(t.Context(), reserved, peer.AddrInfo{ID: passes.ID()})
	must(t, err)
	takes := func(most int) (n int) {
		enemy := at()
		meet(enemy)
		for ; n < most && circuitTo(t, enemy, passes.ID(), reserved.ID()); n++ {
		}
		return n
	}
	if n := takes(circuitsTo); n != circuitsFrom {
		t.Errorf("one takes %d circuits, should be %d", n, circuitsFrom)
	}
	ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(t.Context(), "test"), patience)
	defer cancel()
	must(t, dials.Connect(ctx, peer.AddrInfo{ID: reserved.ID(), Addrs: []multiaddr.Multiaddr{
		passes.Addrs()[0].Encapsulate(multiaddr.StringCast("/p2p/" + passes.ID().String() + "/p2p-circuit"))}}))
	// As many as a room has children come by circuits, and some more.
	all := circuitsFrom + 1
	for range protocol.MaxChildren / circuitsFrom {
		all += takes(circuitsFrom)
	}
	if all <= protocol.MaxChildren {
		t.Errorf("%d circuits lead to one node at most", all)
	}
}

// circuitTo opens a circuit through a relay, up to the relay's word that it is
// there (circuit v2, section "Hop protocol").
func circuitTo(t *testing.T, from host.Host, relay, to peer.ID) bool {
	t.Helper()
	s, err := from.NewStream(t.Context(), relay, proto.ProtoIDv2Hop)
	if err != nil {
		return false
	}
	must(t, s.SetDeadline(time.Now().Add(patience)))
	if err := pbio.NewDelimitedWriter(s).WriteMsg(&pbv2.HopMessage{Type: pbv2.HopMessage_CONNECT.Enum(), Peer: &pbv2.Peer{Id: []byte(to)}}); err != nil {
		return false
	}
	var answer pbv2.HopMessage
	return pbio.NewDelimitedReader(s, 4096).ReadMsg(&answer) == nil && answer.GetStatus() == pbv2.Status_OK
}
