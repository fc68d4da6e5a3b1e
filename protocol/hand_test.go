package protocol

import (
	"slices"
	"testing"
	"time"
)

// TestAFullQueueFits: whatever the numbers, a part is never too large to say,
// and the parts together are the queue.
func TestAFullQueueFits(t *testing.T) {
	k, room := someone(1), RoomID{7}
	for _, n := range []int{0, 1, MaxStamps, MaxStamps + 1, MaxHands} {
		var stamps, got []Stamp
		for i := range n {
			stamps = append(stamps, Stamp{Peer: someone(byte(i + 1)).id, Term: 1<<63 - 1, N: uint32(1<<32 - MaxHands + i), Waited: MaxWaited})
		}
		for i, q := range Queues(stamps) {
			m := &Message{Boot: 1<<64 - 1, Sequence: 1<<64 - 1, Queue: q}
			must(t, m.Seal(room, k.key))
			back, err := parseAndVerify(room, m.Raw)
			must(t, err)
			if back.Queue.Part != i {
				t.Errorf("part %d says it is %d", i, back.Queue.Part)
			}
			got = append(got, back.Queue.Stamps...)
		}
		if !slices.Equal(got, stamps) {
			t.Errorf("of %d hands came %d", n, len(got))
		}
	}
}

func TestStampsInOrder(t *testing.T) {
	a, b := someone(1).id, someone(2).id
	want := []Stamp{{Peer: b, Term: 1, N: 7}, {Peer: a, Term: 2, N: 1}, {Peer: b, Term: 2, N: 2, Waited: time.Hour}}
	got := []Stamp{want[2], want[0], want[1]}
	slices.SortFunc(got, Stamp.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("the queue is %v", got)
	}
}
