package gossip

import (
	"strings"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: what one neighbour may send. A full directory of 4,096 rooms
// is refreshed 50 times a second; a lively room says some 40 things a second.
const (
	announcementsASecond = 200
	announcementsAtOnce  = protocol.MaxDirectoryEntries
	messagesASecond      = 1000
	messagesAtOnce       = 2000
	topicsOfANeighbour   = 512
	// From here on, those that are gone are forgotten now and then.
	manyNeighbours = 256
)

// neighbours bounds what each neighbour may send, before pubsub looks at it.
// Its methods are called by pubsub's one loop.
type neighbours struct {
	directory string // topic
	host      host.Host
	counts    *counts
	known     map[peer.ID]*neighbour
	crowd     int // forget those that are gone when there are so many
}

type neighbour struct {
	announcements, messages *rate.Limiter
	topics                  map[string]struct{}
}

func newNeighbours(directory string, h host.Host, c *counts) *neighbours {
	return &neighbours{directory: directory, host: h, counts: c, known: make(map[peer.ID]*neighbour), crowd: manyNeighbours}
}

func (n *neighbours) of(p peer.ID) *neighbour {
	if b := n.known[p]; b != nil {
		return b
	}
	if len(n.known) >= n.crowd {
		for q := range n.known {
			if n.host.Network().Connectedness(q) != network.Connected {
				delete(n.known, q)
			}
		}
		n.crowd = max(manyNeighbours, 2*len(n.known))
	}
	b := &neighbour{
		announcements: rate.NewLimiter(announcementsASecond, announcementsAtOnce),
		messages:      rate.NewLimiter(messagesASecond, messagesAtOnce),
		topics:        make(map[string]struct{}),
	}
	n.known[p] = b
	return b
}

// inspect leaves out of an RPC the messages that are over their sender's rate.
func (n *neighbours) inspect(from peer.ID, rpc *pubsub.RPC) error {
	b, now := n.of(from), time.Now()
	kept := rpc.Publish[:0]
	for _, m := range rpc.Publish {
		limiter := b.messages
		if m.GetTopic() == n.directory {
			limiter = b.announcements
		}
		if limiter.AllowN(now, 1) {
			kept = append(kept, m)
		}
	}
	n.counts.flooded.Add(uint64(len(rpc.Publish) - len(kept)))
	rpc.Publish = kept
	return nil
}

// CanSubscribe knows this network's directory and the form of rooms' topics.
func (n *neighbours) CanSubscribe(topic string) bool {
	if topic == n.directory {
		return true
	}
	id, ok := strings.CutPrefix(topic, protocol.RoomTopicPrefix)
	if !ok {
		return false
	}
	_, err := protocol.ParseRoomID(id)
	return err == nil
}

// FilterIncomingSubscriptions keeps a neighbour's subscriptions few: pubsub
// itself would remember any number of any topics.
func (n *neighbours) FilterIncomingSubscriptions(from peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	b := n.of(from)
	kept := subs[:0]
	for _, s := range subs {
		_, held := b.topics[s.GetTopicid()]
		switch {
		case !n.CanSubscribe(s.GetTopicid()):
		case !s.GetSubscribe():
			delete(b.topics, s.GetTopicid())
			kept = append(kept, s)
		case held || len(b.topics) < topicsOfANeighbour:
			b.topics[s.GetTopicid()] = struct{}{}
			kept = append(kept, s)
		}
	}
	return kept, nil
}
