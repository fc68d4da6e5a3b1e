package gossip

import (
	"fmt"
	"testing"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
)

// generous lets many test hosts live behind one address.
func generous(t testing.TB) network.ResourceManager {
	t.Helper()
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits))
	must(t, err)
	return m
}

type subscription = pb.RPC_SubOpts

func subscribe(topic string) *subscription {
	yes := true
	return &subscription{Subscribe: &yes, Topicid: &topic}
}

func peerID(i int) peer.ID { return peer.ID(fmt.Sprint("peer ", i)) }
