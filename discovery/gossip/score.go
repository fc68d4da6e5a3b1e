package gossip

import (
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// scores are modest. Nobody earns points, so a newcomer stands like an old
// acquaintance; only provably bad messages and breaches of GossipSub's own
// rules cost some. Many nodes behind one address are a community, not an
// attack: there is no penalty for that (P6). Nor for a mesh that carries little
// (P3): a federation may have one room and two listeners.
func scores() (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	return &pubsub.PeerScoreParams{
			Topics:                    make(map[string]*pubsub.TopicScoreParams), // each joined topic adds its own
			AppSpecificScore:          func(peer.ID) float64 { return 0 },
			BehaviourPenaltyWeight:    -1,
			BehaviourPenaltyThreshold: 10,
			BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(5 * time.Minute),
			DecayInterval:             time.Second,
			DecayToZero:               0.01,
			RetainScore:               30 * time.Minute, // reconnecting washes nothing off
			SeenMsgTTL:                seenSpan,
		}, &pubsub.PeerScoreThresholds{
			// In bad messages, see topicScore: four, eight, ten.
			GossipThreshold:   -16,
			PublishThreshold:  -64,
			GraylistThreshold: -100,
		}
}

// topicScore costs the square of the bad messages of the last minutes: a stray
// one from an odd version is nothing, ten are the end.
func topicScore() *pubsub.TopicScoreParams {
	return &pubsub.TopicScoreParams{
		SkipAtomicValidation:           true,
		TopicWeight:                    1,
		TimeInMeshQuantum:              time.Second,
		InvalidMessageDeliveriesWeight: -1,
		InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(10 * time.Minute),
	}
}

// Counters counts messages from others and sync, since the start.
type Counters struct {
	Accepted, Ignored, Rejected uint64 // by validators
	Flooded                     uint64 // dropped unread: a neighbour sent too many
	Undelivered                 uint64 // a room's inbox was full
	Unsent                      uint64 // our own, that could not be published
	Asked, Answered             uint64 // neighbours for the directory, and answers
	Served, Refused             uint64 // requests for ours
	PassedOn                    uint64 // others' announcements, published: news of answers, and of who gossip does not reach
	Found, Unheeded             uint64 // peers that neighbours told of, and those beyond their share
}

type counts struct {
	accepted, ignored, rejected, flooded, undelivered, unsent, asked, answered, served, refused, passedOn, found, unheeded atomic.Uint64
}

// Counters counts since the start.
func (g *Gossip) Counters() Counters {
	c := &g.counts
	return Counters{
		Accepted: c.accepted.Load(), Ignored: c.ignored.Load(), Rejected: c.rejected.Load(),
		Flooded: c.flooded.Load(), Undelivered: c.undelivered.Load(), Unsent: c.unsent.Load(),
		Asked: c.asked.Load(), Answered: c.answered.Load(), Served: c.served.Load(), Refused: c.refused.Load(), PassedOn: c.passedOn.Load(),
		Found: c.found.Load(), Unheeded: c.unheeded.Load(),
	}
}
