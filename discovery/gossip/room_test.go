package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/protocol"
)

// member joins a room where everything but "bad…" and "odd…" is good, and gives
// what it is told.
func (n *node) member(t testing.TB, room protocol.RoomID) (*RoomTopic, <-chan string) {
	t.Helper()
	inbox := make(chan string, 64)
	topic, err := n.gossip.Join(room, func(_ peer.ID, data []byte) discovery.Verdict {
		switch {
		case bytes.HasPrefix(data, []byte("bad")):
			return discovery.Reject
		case bytes.HasPrefix(data, []byte("odd")):
			return discovery.Ignore
		}
		return discovery.Accept
	}, func(data []byte) bool {
		select {
		case inbox <- string(data):
			return true
		default:
			return false
		}
	})
	must(t, err)
	return topic, inbox
}

// meets waits until r has so many neighbours in its topic.
func (r *RoomTopic) meets(t testing.TB, many int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond) // pubsub tells it nowhere else
	defer tick.Stop()
	late := time.After(5 * time.Second)
	for len(r.Peers()) < many {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d neighbours in the topic, should be %d", len(r.Peers()), many)
		}
	}
}

func hears(t testing.TB, inbox <-chan string, want string) {
	t.Helper()
	select {
	case got := <-inbox:
		if got != want {
			t.Fatalf("heard %q, should be %q", got, want)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("%q was never heard", want)
	}
}

func TestRoomHearsEachOtherAndNotItself(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.connect(t, b)
	room := protocol.RoomID{1}
	ofA, toA := a.member(t, room)
	ofB, toB := b.member(t, room)
	if _, err := a.gossip.Join(room, nil, nil); !errors.Is(err, ErrJoined) {
		t.Fatalf("joined twice: %v", err)
	}
	ofA.meets(t, 1)
	ofB.meets(t, 1)

	must(t, ofA.Publish([]byte("from a")))
	hears(t, toB, "from a")
	must(t, ofB.Publish([]byte("from b")))
	hears(t, toA, "from b") // and not "from a"

	// The same words in another topic are another message.
	other, toOther := a.member(t, protocol.RoomID{2})
	ofOther, _ := b.member(t, protocol.RoomID{2})
	other.meets(t, 1)
	ofOther.meets(t, 1)
	must(t, ofOther.Publish([]byte("from b")))
	hears(t, toOther, "from b")

	if err := ofA.Publish(make([]byte, protocol.MaxMessageBytes+1)); !errors.Is(err, protocol.ErrLarge) {
		t.Fatalf("published what nobody takes: %v", err)
	}
	ofA.Leave()
	ofA.Leave()
	if again, _ := a.member(t, room); again == nil {
		t.Fatal("a room that was left can't be joined again")
	}
}

func TestPulsesAreQuick(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.connect(t, b)
	ofA, _ := a.member(t, protocol.RoomID{1})
	ofB, toB := b.member(t, protocol.RoomID{1})
	ofA.meets(t, 1)
	ofB.meets(t, 1)
	var took []time.Duration
	for i := range 50 {
		word := fmt.Sprint("pulse ", i)
		start := time.Now()
		must(t, ofA.Publish([]byte(word)))
		hears(t, toB, word)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("median %v, slowest %v", took[len(took)/2], took[len(took)-1])
	// Some 1 ms on an idle machine; a heartbeat is 700.
	if median := took[len(took)/2]; median > 100*time.Millisecond {
		t.Fatalf("half the pulses take more than %v", median)
	}
}

func TestIgnoredAndRejectedStayHere(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.connect(t, b)
	ofA, _ := a.member(t, protocol.RoomID{1})
	ofB, toB := b.member(t, protocol.RoomID{1})
	ofA.meets(t, 1)
	ofB.meets(t, 1)
	for _, word := range []string{"odd", "bad", "good"} {
		must(t, ofA.Publish([]byte(word)))
	}
	hears(t, toB, "good")
	until(t, "counted", func() bool { c := b.gossip.Counters(); return c.Ignored == 1 && c.Rejected == 1 })
	if len(toB) != 0 {
		t.Fatalf("heard %q too", <-toB)
	}
}

func TestFullInboxIsCounted(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.connect(t, b)
	ofA, _ := a.member(t, protocol.RoomID{1})
	delivered := make(chan struct{}, 1)
	ofB, err := b.gossip.Join(protocol.RoomID{1},
		func(peer.ID, []byte) discovery.Verdict { return discovery.Accept },
		func([]byte) bool { delivered <- struct{}{}; return false })
	must(t, err)
	ofA.meets(t, 1)
	ofB.meets(t, 1)
	must(t, ofA.Publish([]byte("too much")))
	<-delivered
	ofB.Leave()
	until(t, "counted", func() bool { return b.gossip.Counters().Undelivered == 1 })
}

func TestAfterTheEnd(t *testing.T) {
	n := bare(t)
	g, err := New(Config{Host: n.host, Directory: discovery.New(discovery.Config{})})
	must(t, err)
	n.gossip = g
	topic, _ := n.member(t, protocol.RoomID{1})
	stopped, stop := cancelled()
	defer stop()
	must(t, g.Run(stopped))
	if err := topic.Publish([]byte("x")); !errors.Is(err, ErrEnded) {
		t.Fatal(err)
	}
	if _, err := g.Join(protocol.RoomID{2}, nil, nil); err == nil {
		t.Fatal("joined after the end")
	}
	topic.Leave()
}
