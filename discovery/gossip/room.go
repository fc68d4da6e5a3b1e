package gossip

import (
	"bytes"
	"context"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
)

// roomBacklog is how many accepted messages wait to be delivered to a room.
const roomBacklog = 128

// RoomTopic is a node's part in one room's topic.
type RoomTopic struct {
	gossip       *Gossip
	topic        *pubsub.Topic
	subscription *pubsub.Subscription
	leave        sync.Once
}

// Join joins a room's topic. validate says what to do with a message that the
// neighbour from passed on, before others get it: it is called by several
// goroutines, must not wait, and rejects only what is provably bad, since
// rejecting costs the neighbour its good name; an unknown signer is ignored.
// deliver posts an accepted message to the room's inbox without waiting, and
// says whether it fit. This node's own messages are not delivered. Neither
// function may keep the data or write to it.
func (g *Gossip) Join(room protocol.RoomID, validate func(from peer.ID, data []byte) discovery.Verdict,
	deliver func(data []byte) bool) (*RoomTopic, error) {
	name := protocol.RoomTopicPrefix + room.String()
	topic, err := g.join(name, func(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
		switch {
		case from == g.host.ID():
			return pubsub.ValidationAccept
		case len(m.GetData()) == 0 || len(m.GetData()) > protocol.MaxMessageBytes:
			return g.result(discovery.Reject)
		}
		return g.result(validate(from, m.GetData()))
	})
	if err != nil {
		return nil, err
	}
	r := &RoomTopic{gossip: g, topic: topic}
	r.subscription, err = topic.Subscribe(pubsub.WithBufferSize(roomBacklog))
	if err != nil {
		_ = topic.Close() // it is fresh: nothing holds it
		_ = g.pubsub.UnregisterTopicValidator(name)
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil, ErrEnded
	}
	g.readers.Go(func() { r.read(deliver) })
	return r, nil
}

// read delivers until the room is left or gossip ends.
func (r *RoomTopic) read(deliver func([]byte) bool) {
	g := r.gossip
	for {
		m, err := r.subscription.Next(g.ctx)
		if err != nil {
			return
		}
		if m.ReceivedFrom != g.host.ID() && !deliver(m.GetData()) {
			g.counts.undelivered.Add(1)
		}
	}
}

// Publish sends data, at most protocol.MaxMessageBytes, to the others in the
// topic. It never waits: ErrBusy says that too much is waiting already.
func (r *RoomTopic) Publish(data []byte) error {
	if len(data) > protocol.MaxMessageBytes {
		return protocol.ErrLarge
	}
	return r.gossip.post(message{r.topic, bytes.Clone(data)})
}

// Peers gives the neighbours in the topic that Publish reaches.
func (r *RoomTopic) Peers() []peer.ID { return r.gossip.outbound.among(r.topic.ListPeers()) }

// Leave leaves the topic. What was accepted before may still be delivered.
func (r *RoomTopic) Leave() {
	r.leave.Do(func() {
		g := r.gossip
		r.subscription.Cancel()
		// Both fail only when gossip has ended.
		_ = r.topic.Close()
		_ = g.pubsub.UnregisterTopicValidator(r.topic.String())
	})
}
