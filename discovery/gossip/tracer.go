package gossip

import (
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// tracer tells what pubsub tells nowhere else: which neighbours we can send to,
// and new edges in the directory topic's mesh. Its methods are called by
// pubsub's loop.
type tracer struct {
	topic    string
	grafts   chan<- peer.ID
	outbound *outbound
}

// Graft is called for both kinds: we took p into the mesh, or it us.
func (t tracer) Graft(p peer.ID, topic string) {
	if topic != t.topic {
		return
	}
	select {
	case t.grafts <- p:
	default: // its neighbours' next announcements will do
	}
}

// OnNewOutboundStream is called once what is sent to p arrives.
func (t tracer) OnNewOutboundStream(p peer.ID, _ protocol.ID) { t.outbound.set(p, true) }

// OnClosedOutboundStream is called when p is gone.
func (t tracer) OnClosedOutboundStream(p peer.ID) { t.outbound.set(p, false) }

func (tracer) Prune(peer.ID, string)                 {}
func (tracer) Join(string)                           {}
func (tracer) Leave(string)                          {}
func (tracer) ValidateMessage(*pubsub.Message)       {}
func (tracer) DeliverMessage(*pubsub.Message)        {}
func (tracer) RejectMessage(*pubsub.Message, string) {}
func (tracer) DuplicateMessage(*pubsub.Message)      {}
func (tracer) UndeliverableMessage(*pubsub.Message)  {}
func (tracer) ThrottlePeer(peer.ID)                  {}
func (tracer) RecvRPC(*pubsub.RPC)                   {}
func (tracer) SendRPC(*pubsub.RPC, peer.ID)          {}
func (tracer) DropRPC(*pubsub.RPC, peer.ID)          {}

// outbound knows the neighbours that we have a stream to. Pubsub lists a
// neighbour in a topic once its subscription came in on its own stream; until
// ours is up, what is published to it is dropped without a word.
type outbound struct {
	mu    sync.Mutex
	peers map[peer.ID]struct{}
	more  chan struct{} // told, and never waited for, when there is one more
}

func newOutbound() *outbound {
	return &outbound{peers: make(map[peer.ID]struct{}), more: make(chan struct{}, 1)}
}

func (o *outbound) set(p peer.ID, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !open {
		delete(o.peers, p)
		return
	}
	o.peers[p] = struct{}{}
	select {
	case o.more <- struct{}{}:
	default: // one is enough
	}
}

// among keeps those of peers that we can send to.
func (o *outbound) among(peers []peer.ID) []peer.ID {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := peers[:0]
	for _, p := range peers {
		if _, ok := o.peers[p]; ok {
			kept = append(kept, p)
		}
	}
	return kept
}
