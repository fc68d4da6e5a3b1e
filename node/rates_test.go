package node

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// A rate is of the last three seconds, and starts anew with another link.
func TestRates(t *testing.T) {
	const ana, budi = protocol.PeerID("ana"), protocol.PeerID("budi")
	var r rates
	for i, step := range []struct {
		after          time.Duration
		ana            *tally
		sent, received float64
		changed        bool
	}{
		{time.Second, &tally{sent: 90_000, received: 7}, 0, 0, true}, // nothing to compare it with
		{time.Second, &tally{sent: 94_000, received: 7}, 32, 0, true},
		{time.Second, &tally{sent: 98_000, received: 7}, 32, 0, false},
		{time.Second, &tally{sent: 102_000, received: 3007}, 32, 8, true},
		{time.Second, &tally{sent: 106_000, received: 6007}, 32, 16, true},
		{4 * time.Second, &tally{sent: 106_000, received: 6007}, 11, 8, true}, // a busy machine
		{time.Second, &tally{sent: 500, received: 500}, 0, 0, true},           // another link
		{time.Second, &tally{sent: 1500, received: 500}, 8, 0, true},
		{time.Second, nil, 0, 0, true},
		{time.Second, nil, 0, 0, false},
	} {
		links := map[protocol.PeerID]tally{budi: {}}
		if step.ana != nil {
			links[ana] = *step.ana
		}
		var now time.Duration
		if all := r.links[budi]; len(all) > 0 {
			now = all[len(all)-1].at
		}
		changed := r.look(now+step.after, links)
		if sent, received := r.of(ana); sent != step.sent || received != step.received || changed != step.changed {
			t.Errorf("look %d: %v and %v kbit/s, changed %v; want %v and %v, %v", i, sent, received, changed, step.sent, step.received, step.changed)
		}
	}
	if n := len(r.links[budi]); n != rateSpan+1 {
		t.Errorf("%d looks are kept", n)
	}
}
