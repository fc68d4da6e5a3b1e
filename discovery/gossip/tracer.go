package gossip

import (
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// tracer tells of new edges in the directory topic's mesh; the rest of
// pubsub.RawTracer is of no interest.
type tracer struct {
	topic  string
	grafts chan<- peer.ID
}

// Graft is called by pubsub's loop.
func (t tracer) Graft(p peer.ID, topic string) {
	if topic != t.topic {
		return
	}
	select {
	case t.grafts <- p:
	default:
	}
}

func (tracer) Prune(peer.ID, string)                    {}
func (tracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (tracer) OnClosedOutboundStream(peer.ID)           {}
func (tracer) Join(string)                              {}
func (tracer) Leave(string)                             {}
func (tracer) ValidateMessage(*pubsub.Message)          {}
func (tracer) DeliverMessage(*pubsub.Message)           {}
func (tracer) RejectMessage(*pubsub.Message, string)    {}
func (tracer) DuplicateMessage(*pubsub.Message)         {}
func (tracer) UndeliverableMessage(*pubsub.Message)     {}
func (tracer) ThrottlePeer(peer.ID)                     {}
func (tracer) RecvRPC(*pubsub.RPC)                      {}
func (tracer) SendRPC(*pubsub.RPC, peer.ID)             {}
func (tracer) DropRPC(*pubsub.RPC, peer.ID)             {}
