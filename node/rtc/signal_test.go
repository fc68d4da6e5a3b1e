package rtc

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// TestAskingIsNoWayToBeSentMuch has a far side ask for the offer that it was sent,
// again and again: each is some thousand bytes for a dozen.
func TestAskingIsNoWayToBeSentMuch(t *testing.T) {
	t.Parallel()
	a, b := pair(t, Config{}, Config{})
	var offers atomic.Int64
	a.hold = func(s Signal) bool {
		if s.Kind == pb.Description_OFFER {
			offers.Add(1)
		}
		return true
	}
	a.engine.Connect(b.self, true, a)
	for range 300 { // as many as a link's messages are in a second or so
		a.engine.Signal(b.self, Signal{Kind: pb.Description_WANTED})
		time.Sleep(time.Millisecond)
	}
	if n := offers.Load(); n == 0 || n > 2*connectionsAtOnce {
		t.Errorf("%d offers", n)
	}
}
