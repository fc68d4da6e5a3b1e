package upload

import (
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

func TestCeiling(t *testing.T) {
	for _, c := range []struct {
		limit       int64
		first, most int
	}{
		{0, 5, protocol.MaxChildren}, {Least, 1, 1}, {500_000, 1, 1}, {1_000_000, 3, 3}, {2_000_000, 5, 6},
		{10_000_000, 5, 32}, {100_000_000, 5, protocol.MaxChildren}, {1 << 62 / share, 5, protocol.MaxChildren},
	} {
		got := NewCapacity(c.limit)
		if got.Places() != c.first || got.most != c.most {
			t.Errorf("%d bit/s: %d places at first and %d at most, want %d and %d", c.limit, got.Places(), got.most, c.first, c.most)
		}
	}
}

// crowd joins all at once; those refused ask again each second. It gives when
// each got in.
func crowd(c *Capacity, now time.Duration, n int, until time.Duration) (in []time.Duration) {
	for start := now; now <= until && n > 0; now += time.Second {
		for range n {
			if c.Ask(now) {
				in = append(in, now-start)
				n--
			}
		}
	}
	return in
}

func TestTenAtOnceGetIn(t *testing.T) {
	in := crowd(NewCapacity(0), time.Hour, 10, time.Hour+time.Minute)
	if len(in) != 10 || in[4] != 0 || in[9] > 3*time.Second {
		t.Errorf("got in after %v, want five at once and all within 3 s", in)
	}
}

func TestGrowthEndsAtTheCeiling(t *testing.T) {
	for limit, want := range map[int64]int{0: protocol.MaxChildren, 1_000_000: 3, 10_000_000: 32} {
		c := NewCapacity(limit)
		if in := crowd(c, time.Hour, 200, time.Hour+time.Minute); len(in) != want || c.Places() != want || c.Children() != want {
			t.Errorf("%d bit/s: %d got in, %d places, want %d", limit, len(in), c.Places(), want)
		}
	}
}

// full has so many children and as many places.
func full(n int) *Capacity {
	c := NewCapacity(0)
	c.places, c.children = n, n
	return c
}

func TestLossShrinks(t *testing.T) {
	c, now := full(12), time.Hour
	for i := range 40 { // four reports a second
		c.Report(now, 0.05)
		if want := max(12-1-i/4, 5); c.Places() != want {
			t.Fatalf("after %v: %d places, want %d", now-time.Hour, c.Places(), want)
		}
		now += shrinkEach / 4
	}
	if c.Children() != 12 {
		t.Errorf("%d children, want 12: nobody is thrown out", c.Children())
	}
}

func TestGrowthPausesAfterLoss(t *testing.T) {
	c, now := full(6), time.Hour
	c.Report(now, 0.03) // five places
	c.Report(now, 0)
	grownAt := time.Duration(0)
	for at := now; at < now+20*time.Second && grownAt == 0; at += 250 * time.Millisecond {
		if c.Ask(at); c.Places() > 5 {
			grownAt = at - now
		}
	}
	if grownAt < calmFor || grownAt > calmFor+2*growEach {
		t.Errorf("grew %v after the loss, want %v to %v", grownAt, calmFor, calmFor+2*growEach)
	}
}

func TestALittleLossHoldsGrowth(t *testing.T) {
	c := full(5)
	c.Report(time.Hour, 0.01)
	if in := crowd(c, time.Hour, 3, time.Hour+10*time.Second); len(in) > 0 || c.Places() != 5 {
		t.Errorf("%d got in, %d places, want none and 5", len(in), c.Places())
	}
	c.Report(time.Hour+11*time.Second, 0)
	if in := crowd(c, time.Hour+11*time.Second, 3, time.Hour+20*time.Second); len(in) != 3 {
		t.Errorf("%d got in without loss, want 3", len(in))
	}
}

func TestFlappingChangesNothing(t *testing.T) {
	c, now := full(8), time.Hour
	for range 1000 { // one goes, and comes back at once
		c.Leave()
		if !c.Ask(now) {
			t.Fatal("its own place was taken")
		}
		now += 300 * time.Millisecond
	}
	if c.Places() != 8 || c.Children() != 8 {
		t.Errorf("%d places, %d children, want 8 and 8", c.Places(), c.Children())
	}
	for range 1000 { // one that asks so rarely does not want a place the while
		c.Ask(now)
		now += wantedFor + time.Second
	}
	if c.Places() != 8 {
		t.Errorf("%d places, want 8", c.Places())
	}
}

func TestThePlaceOfOneWhoLeft(t *testing.T) {
	c, now := full(5), time.Hour
	c.Ask(now)
	c.Leave()
	if !c.Ask(now + time.Second) {
		t.Error("a free place was refused")
	}
	c.Ask(now + 1500*time.Millisecond)
	if c.Places() != 5 {
		t.Errorf("%d places: the time when one was free counted as want", c.Places())
	}
}

func TestObligedBeyondAllPlaces(t *testing.T) {
	c := NewCapacity(Least)
	for range 4 {
		c.Oblige()
	}
	if c.Ask(time.Hour) || c.Children() != 4 || c.Places() != 1 {
		t.Errorf("%d children, %d places", c.Children(), c.Places())
	}
	for range 4 {
		c.Leave()
	}
	if !c.Ask(time.Hour) {
		t.Error("no place though all have left")
	}
}
