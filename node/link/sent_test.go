package link

import (
	"errors"
	"fmt"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

// What the far side has taken is not sent again. It takes nothing back, and nothing
// that was not sent.
func TestSent(t *testing.T) {
	var s sent
	for i := range 10 {
		s.add([]byte(fmt.Sprint(i)))
	}
	for _, c := range []struct {
		taken uint64
		left  int
		err   error
	}{
		{0, 10, nil}, {3, 7, nil}, {3, 7, nil}, {2, 0, errForgotten}, {11, 0, protocol.ErrMalformed}, {10, 0, nil}, {9, 0, errForgotten},
	} {
		got, err := s.after(c.taken)
		if len(got) != c.left || !errors.Is(err, c.err) {
			t.Errorf("after %d: %d, %v", c.taken, len(got), err)
		}
		if c.left > 0 && string(got[0]) != fmt.Sprint(c.taken) {
			t.Errorf("after %d comes %s", c.taken, got[0])
		}
		if err == nil {
			if err := s.acknowledge(c.taken); err != nil {
				t.Error(err)
			}
		}
	}
	if err := s.acknowledge(9); err != nil {
		t.Error("an old acknowledgement:", err)
	}
	if err := s.acknowledge(11); !errors.Is(err, protocol.ErrMalformed) {
		t.Error("more than was sent:", err)
	}
}

// TestSentIsBounded: what the far side never acknowledges is forgotten.
func TestSentIsBounded(t *testing.T) {
	for size, want := range map[int]int{1: maxUnacknowledged, 16 << 10: maxUnacknowledgedBytes / (16 << 10), 2 * maxUnacknowledgedBytes: 0} {
		var s sent
		for range 2 * maxUnacknowledged {
			s.add(make([]byte, size))
		}
		if len(s.messages) != want || s.bytes != want*size || s.first != uint64(2*maxUnacknowledged-want) {
			t.Errorf("%d bytes each: %d kept, %d bytes, after %d", size, len(s.messages), s.bytes, s.first)
		}
	}
}

// TestTally: while a move is under way the far side is told what it was told.
func TestTally(t *testing.T) {
	var c tally
	step := func(want uint64) {
		t.Helper()
		if got := c.tell(); got != want {
			t.Errorf("%d told, want %d", got, want)
		}
		c.add()
	}
	step(0)
	step(1)
	if n := c.freeze(); n != 2 {
		t.Error(n)
	}
	step(2)
	step(2)
	if n := c.thaw(); n != 4 {
		t.Error(n)
	}
	step(4)
}
