package gossip

import (
	"context"
	"fmt"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/earshot-audio/earshot/protocol"
)

// attacker is a pubsub of its own: it publishes what no node would.
func attacker(t testing.TB, victim *node) (n *node, directory *pubsub.Topic) {
	t.Helper()
	n = bare(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	reached := newOutbound()
	p, err := pubsub.NewGossipSub(ctx, n.host, pubsub.WithRawTracer(tracer{outbound: reached}), pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID), pubsub.WithFloodPublish(true), pubsub.WithPeerOutboundQueueSize(10_000))
	must(t, err)
	topic, err := p.Join(protocol.RoomsTopic)
	must(t, err)
	n.connect(t, victim)
	until(t, "in reach", func() bool { return len(reached.among(topic.ListPeers())) == 1 })
	return n, topic
}

// until waits for a count that nothing announces.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not yet %s", what)
		}
	}
}

func TestBadAnnouncementsCostTheirSender(t *testing.T) {
	victim, honest := newNode(t), newNode(t)
	honest.connect(t, victim)
	hostile, topic := attacker(t, victim)

	g := hostile.found(t)
	good := hostile.seal(t, g, 1)
	bad := [][]byte{
		make([]byte, protocol.MaxAnnouncementBytes+1),
		good[:len(good)/2],
		[]byte("not an announcement"),
		honest.seal(t, g, 7), // no right to it
	}
	for i := range 8 {
		forged := append([]byte(nil), good...)
		forged[len(forged)-1-i] ^= 1
		bad = append(bad, forged)
	}
	for _, b := range bad {
		must(t, topic.Publish(t.Context(), b))
	}
	until(t, "rejected", func() bool { return victim.gossip.Counters().Rejected >= 11 })
	if c := victim.directory.Counters(); c.Malformed == 0 || c.Forged == 0 || c.NoRight == 0 {
		t.Fatalf("miscounted: %+v", c)
	}
	// Honest traffic is unhurt, and the hostile one's is not heard any more.
	victim.learns(t, honest.open(t), 2*time.Second)
	honest.learns(t, victim.open(t), 2*time.Second)
	must(t, topic.Publish(t.Context(), good))
	victim.learns(t, honest.open(t), 2*time.Second)
	if _, ok := victim.directory.Room(g.Room); ok {
		t.Fatal("a neighbour that sent so many bad announcements is still heard")
	}
	if c := honest.gossip.Counters(); c.Rejected != 0 {
		t.Fatalf("bad announcements were passed on: %+v", c)
	}
}

func TestFloodIsDroppedUnread(t *testing.T) {
	victim, honest := newNode(t), newNode(t)
	honest.connect(t, victim)
	_, topic := attacker(t, victim)
	const flood = 4 * announcementsAtOnce
	for i := range flood {
		must(t, topic.Publish(t.Context(), fmt.Appendf(nil, "flood %d", i)))
	}
	until(t, "dropped", func() bool { return victim.gossip.Counters().Flooded > 0 })
	victim.learns(t, honest.open(t), 2*time.Second)
	honest.learns(t, victim.open(t), 2*time.Second)
}

func TestReplaysAreHarmless(t *testing.T) {
	victim, honest := newNode(t), newNode(t)
	honest.connect(t, victim)
	g := honest.found(t)
	old := honest.seal(t, g, 1)
	must(t, honest.gossip.Announce(t.Context(), old))
	victim.learns(t, g.Room, 2*time.Second)
	must(t, honest.gossip.Announce(t.Context(), honest.seal(t, g, 2)))
	until(t, "refreshed", func() bool {
		e, _ := victim.directory.Room(g.Room)
		return e.Announcers[0].Sequence == 2
	})
	_, topic := attacker(t, victim)
	// The same bytes are pubsub's duplicate; in another envelope they are ours.
	changed := append(append([]byte(nil), old...), 0x78, 1) // an unknown field
	must(t, topic.Publish(t.Context(), changed))
	until(t, "ignored", func() bool { return victim.directory.Counters().Older == 1 })
	if e, _ := victim.directory.Room(g.Room); e.Announcers[0].Sequence != 2 {
		t.Fatal("a replay took a room back")
	}
	if c := victim.gossip.Counters(); c.Rejected != 0 {
		t.Fatalf("who repeats what was true is blamed: %+v", c)
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	n := newNeighbours(protocol.RoomsTopic, bare(t).host, &counts{})
	var subs []*subscription
	for i := range 2 * topicsOfANeighbour {
		subs = append(subs, subscribe(protocol.RoomTopicPrefix+protocol.RoomID{byte(i), byte(i >> 8)}.String()))
	}
	kept, err := n.FilterIncomingSubscriptions("p", subs)
	must(t, err)
	if len(kept) != topicsOfANeighbour {
		t.Fatalf("%d subscriptions kept", len(kept))
	}
	for topic, want := range map[string]bool{
		protocol.RoomsTopic:            true,
		protocol.RoomsTopic + "/other": false,
		protocol.RoomTopicPrefix:       false,
		protocol.RoomTopicPrefix + "x": false,
		"":                             false,
		protocol.RoomTopicPrefix + protocol.RoomID{}.String(): true,
	} {
		if n.CanSubscribe(topic) != want {
			t.Errorf("topic %q", topic)
		}
	}
	for i := range 4 * manyNeighbours { // none of them connected
		_, err := n.FilterIncomingSubscriptions(peerID(i), nil)
		must(t, err)
	}
	if len(n.known) > 2*manyNeighbours {
		t.Fatalf("%d neighbours are remembered, of 0", len(n.known))
	}
}
