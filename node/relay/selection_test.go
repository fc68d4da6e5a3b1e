package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// crowd is a room of speakers, each with a level for each 20 ms round, and a
// live, a mirror and a local sink.
type crowd struct {
	*bench
	live, mirror, local *tape
	round               int
}

func newCrowd(t *testing.T, speakers int) *crowd {
	c := &crowd{bench: newBench(t)}
	c.live, c.mirror, c.local = c.sink(1, budi, Live), c.sink(2, citra, Mirror), c.sink(3, "", Local)
	for s := range protocol.Source(speakers) {
		c.OpenSource(s+1, protocol.PeerID(rune('a'+s)))
		c.Enable(1, s+1)
		c.Enable(2, s+1)
	}
	return c
}

// speak has source i+1 say a frame each round at level(i, round), 0xff: none,
// and counts the frames of each that live sinks got.
func (c *crowd) speak(rounds, speakers int, level func(i, round int) uint8) []int {
	for range rounds {
		for i := range speakers {
			if l := level(i, c.round); l != 0xff {
				f := frameOf(protocol.Source(i+1), c.round)
				f.Level = l
				c.Push(protocol.PeerID(rune('a'+i)), f)
			}
		}
		c.round++
		time.Sleep(frameSpan)
	}
	got := make([]int, speakers)
	for _, f := range c.live.frames() {
		got[f.Source-1]++
	}
	return got
}

// levels gives each source a constant level.
func levels(l ...uint8) func(i, round int) uint8 {
	return func(i, _ int) uint8 { return l[i] }
}

func TestThreeAreAllHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 3)
		equal(t, "frames", c.speak(500, 3, levels(20, 60, 127)), []int{500, 500, 500})
	})
}

func TestTheLoudestAreHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 6)
		// Three speakers, and three microphones that hiss and were there first.
		level := func(i, round int) uint8 {
			switch {
			case i < 3:
				return 70
			case round < 50:
				return 0xff
			}
			return 25
		}
		c.speak(60, 6, level)
		got := c.speak(1000, 6, level)
		if got[3] < 950 || got[4] < 950 || got[5] < 950 {
			t.Errorf("frames %v: the speakers are to be heard", got)
		}
		if hiss := got[0] + got[1] + got[2]; hiss > 100 {
			t.Errorf("frames %v: hissing microphones took the speakers' places", got)
		}
		if n := len(c.mirror.frames()); n != 1060*3+1010*3 {
			t.Errorf("a mirror got %d frames, want all %d", n, 1060*3+1010*3)
		}
		if n := len(c.local.frames()); n != 1060*3+1010*3 {
			t.Errorf("a local listener got %d frames, want all", n)
		}
	})
}

// A pause for breath is no reason to take a speaker's place.
func TestAPauseKeepsThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 5)
		level := func(i, round int) uint8 {
			switch {
			case i >= 3:
				return 65 // hiss
			case round%100 >= 75:
				return 90 // half a second of breath in two
			}
			return 25
		}
		got := c.speak(1000, 5, level)
		equal(t, "frames", got, []int{1000, 1000, 1000, 0, 0})
	})
}

// A newcomer has to be clearly louder for a while; a cough isn't enough.
func TestACoughIsNotEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 4)
		got := c.speak(110, 4, func(i, round int) uint8 {
			switch {
			case i < 3:
				return 45
			case round > 100 && round < 106:
				return 20
			}
			return 90
		})
		equal(t, "frames", got, []int{110, 110, 110, 0})
		got = c.speak(50, 4, levels(45, 45, 45, 20))
		if got[3] < 35 || got[3] > 45 {
			t.Errorf("frames %v: the louder one is to be heard after 100 to 200 ms or so", got)
		}
	})
}

// Whoever was given a place keeps it for a second.
func TestDwell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 5)
		c.speak(200, 5, levels(25, 25, 40, 0xff, 0xff))
		c.speak(15, 5, levels(25, 25, 40, 25, 0xff)) // takes the third's place
		got := c.speak(35, 5, levels(25, 25, 40, 110, 20))
		if got[3] != 35 {
			t.Errorf("frames %v: the fourth lost its place within a second", got)
		}
	})
}

// However loud some claim to be, everybody audible is heard in turn.
func TestLiarsDontTakeTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 6)
		level := func(i, round int) uint8 {
			if i < 3 {
				return 0 // so they say
			}
			return uint8(25 + 3*i + round%7)
		}
		const rounds = 60 * 50
		got := c.speak(rounds, 6, level)
		for i, n := range got {
			if n < rounds/4 || n > 3*rounds/4 {
				t.Errorf("source %d was heard in %d of %d frames: %v", i+1, n, rounds, got)
			}
		}
		// The others are not cut to pieces by it.
		turns, last := 0, map[protocol.Source]bool{}
		c.live.take()
		for range 10 {
			c.speakQuietly(50, level)
			now := map[protocol.Source]bool{}
			for _, f := range c.live.frames() {
				now[f.Source] = true
			}
			for s := range now {
				if !last[s] {
					turns++
				}
			}
			last = now
		}
		if turns > 3+15 {
			t.Errorf("%d turns in ten seconds", turns)
		}
	})
}

// speakQuietly has all six speak without collecting what is heard.
func (c *crowd) speakQuietly(rounds int, level func(i, round int) uint8) {
	for range rounds {
		for i := range 6 {
			f := frameOf(protocol.Source(i+1), c.round)
			f.Level = level(i, c.round)
			c.Push(protocol.PeerID(rune('a'+i)), f)
		}
		c.round++
		time.Sleep(frameSpan)
	}
}

// What was left out is neither lost nor taken for lost by those below.
func TestLeftOutIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 4)
		h := NewHearing()
		for _, four := range []uint8{90, 10, 90, 10} {
			for range 150 {
				for i, l := range []uint8{35, 36, 37, four} {
					f := frameOf(protocol.Source(i+1), c.round)
					f.Level = l
					c.Push(protocol.PeerID(rune('a'+i)), f)
				}
				c.round++
				time.Sleep(frameSpan)
			}
		}
		got := 0
		for _, s := range c.live.take() {
			if s.is {
				continue
			}
			got++
			if s.frame.Marks&protocol.Selected == 0 {
				t.Fatal("a frame passed the choice and doesn't say so")
			}
			h.Take(&s.frame, s.at, func(*protocol.Frame) {})
		}
		h.Flush(func(*protocol.Frame) {})
		if sum := h.Summary(); sum.Lost != 0 || got > 3*600+50 {
			t.Errorf("below: %+v of %d frames", sum, got)
		}
		for _, s := range c.snapshot().Sources {
			if s.Lost != 0 {
				t.Errorf("here: %+v", s)
			}
		}
	})
}

// Below the relay nothing is chosen a second time, not even while the source
// that left and the one that came are both in a talkspurt.
func TestChosenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 5)
		for i := range 5 {
			for s := range protocol.Source(5) {
				c.Push(dewi, marked(frameOf(s+1, i), protocol.Selected))
			}
		}
		if got := len(c.live.frames()); got != 25 {
			t.Errorf("%d of 25 frames passed", got)
		}
		// A speaker who says it of its own voice isn't believed.
		for i := range 5 {
			for s := range protocol.Source(5) {
				c.Push(protocol.PeerID(rune('a'+s)), marked(frameOf(s+1, 5+i), protocol.Selected))
			}
		}
		if got := len(c.live.frames()); got != 15 {
			t.Errorf("%d frames passed, want those of three", got)
		}
	})
}
