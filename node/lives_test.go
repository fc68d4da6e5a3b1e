package node

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// What a home keeps of lives is read as it was written, by clocks that were set since.
func TestLivesAreKept(t *testing.T) {
	at := time.UnixMilli(1_000_000_000_000)
	l := roster.Lives{
		Served: map[protocol.ActionHash]time.Duration{{1}: time.Hour},
		Left:   map[protocol.ActionHash]time.Duration{{2}: time.Minute, {3}: 0},
		Quiet:  time.Second,
	}
	raw, err := encodeLives(l, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		now  time.Time
		want time.Duration
	}{
		{at, 0},
		{at.Add(time.Hour), time.Hour},
		{at.Add(-24 * time.Hour), 0},
		{at.Add(100 * 366 * 24 * time.Hour), protocol.MaxBan},
	} {
		got, ago, err := decodeLives(raw, test.now)
		if err != nil || !got.Equal(l) || ago != test.want {
			t.Errorf("%+v, %v ago, %v", got, ago, err)
		}
	}
	if got, ago, err := decodeLives(nil, at); err != nil || ago != 0 || !got.Equal(roster.Lives{}) {
		t.Errorf("of nothing: %+v, %v, %v", got, ago, err)
	}
	if _, _, err := decodeLives([]byte("{"), at); err == nil {
		t.Error("half a text is read")
	}
}
