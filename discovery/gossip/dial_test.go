package gossip

import (
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/libp2p/go-msgio/pbio"

	"github.com/earshot-audio/earshot/protocol"
)

const meshsub = "/meshsub/1.1.0"

// called gives who opens connections to a host.
func called(h *node) <-chan peer.ID {
	by := make(chan peer.ID, 16)
	h.host.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		if c.Stat().Direction == network.DirInbound {
			by <- c.RemotePeer()
		}
	}})
	return by
}

// quiet fails if somebody calls within a time in which it always happened before.
func quiet(t *testing.T, calls <-chan peer.ID, within time.Duration) {
	t.Helper()
	select {
	case <-calls:
		t.Fatal("a neighbour made it dial")
	case <-time.After(within):
	}
}

// TestPruneMakesNobodyDial has a neighbour say that another is to be dialled
// instead (GossipSub v1.1, peer exchange), with a record that the other signed:
// anybody can make keys, and sign for them where a victim is.
func TestPruneMakesNobodyDial(t *testing.T) {
	t.Parallel()
	node, enemy, victim := newNode(t), bare(t), bare(t)
	calls := called(victim)
	signed, err := record.Seal(peer.PeerRecordFromAddrInfo(peer.AddrInfo{ID: victim.host.ID(), Addrs: victim.host.Addrs()}), victim.key)
	must(t, err)
	envelope, err := signed.Marshal()
	must(t, err)
	enemy.connect(t, node)
	s, err := enemy.host.NewStream(t.Context(), node.host.ID(), meshsub)
	must(t, err)
	topic := protocol.RoomsTopic
	must(t, pbio.NewDelimitedWriter(s).WriteMsg(&pb.RPC{Subscriptions: []*pb.RPC_SubOpts{subscribe(topic)},
		Control: &pb.ControlMessage{Prune: []*pb.ControlPrune{{TopicID: &topic,
			Peers: []*pb.PeerInfo{{PeerID: []byte(victim.host.ID()), SignedPeerRecord: envelope}}}}}}))
	quiet(t, calls, time.Second)
}

// TestLostNeighbourIsNotDialledByGossip has a neighbour end gossip's stream, so
// that it is to be opened again, and hang up meanwhile: whoever came by a circuit
// would learn from the dial where the node is.
func TestLostNeighbourIsNotDialledByGossip(t *testing.T) {
	t.Parallel()
	node, enemy := newNode(t), bare(t)
	calls := called(enemy)
	ended := make(chan struct{}, 16)
	enemy.host.SetStreamHandler(meshsub, func(s network.Stream) {
		s.Reset()
		ended <- struct{}{}
	})
	enemy.connect(t, node)
	for range 3 { // gossip waits before it opens another: 0, 100 and some 200 ms
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Fatal("gossip opens no stream")
		}
	}
	<-time.After(50 * time.Millisecond) // node has seen it end
	must(t, enemy.host.Network().ClosePeer(node.host.ID()))
	quiet(t, calls, 2*time.Second)
}
