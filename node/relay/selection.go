package relay

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Which sources live sinks get when more than protocol.MaxHeard are in a
// talkspurt (RFC 7667 section 3.7, the selective forwarding middlebox):
//
// A source's score is its smoothed loudness plus its credit. A chosen source's
// loudness is slow to fall, so that a pause for breath doesn't cost it its
// place; that of one left out falls as it rises, so that a cough doesn't win
// one. It takes the place of the weakest chosen source when it outscores it by
// margin for sustain, and the weakest has had its place for dwell.
//
// Levels are what speakers' nodes claim. Against one that always claims the
// loudest: loudness counts up to ceiling, where ordinary speech is; and who is
// left out though audible gains credit while those chosen lose it, so that all
// who are audible take turns. Microphones that only hiss (quieter than audible)
// gain none and take nobody's place.
//
// Only the first forwarder that has to choose does: frames that passed a choice
// say so (protocol.Selected), and those below pass them on. Mirrors, this
// node's own voices on their way up and local listeners get every source.
const (
	ceiling = quietest - 20.0 // dB above digital silence
	audible = quietest - 50.0
	margin  = 6.0 // dB
	sustain = 150 * time.Millisecond
	dwell   = time.Second
	quick   = 60 * time.Millisecond // time constants of the loudness
	slow    = time.Second

	creditASecond = 2.0  // dB
	mostCredit    = 24.0 // dB; twice this bridges ceiling to audible and margin
)

// choice is what selection knows of a source.
type choice struct {
	loudness float64 // smoothed, dB above digital silence; quick to fall
	lasting  float64 // the same, slow to fall
	at       time.Duration
	credit   float64
	above    bool          // chosen by a forwarder above, no contender here
	chosen   bool          // live sinks get it
	since    time.Duration // it is chosen, or it outscores the weakest; never: it doesn't
	leftOut  bool          // its newest frame was
}

// floor is what selection knows of a room.
type floor struct {
	contested bool
	at        time.Duration // when credits were last reckoned
}

// listen takes a frame's level into the loudness.
func (c *choice) listen(now time.Duration, level uint8) {
	loudness, passed := float64(quietest-level), float64(now-c.at)
	c.at = now
	c.loudness += min(1, passed/float64(quick)) * (loudness - c.loudness)
	c.lasting += min(1, passed/float64(slow)) * (loudness - c.lasting)
	c.lasting = max(c.lasting, c.loudness)
}

// score ranks a source: one with a place by its lasting loudness.
func (c *choice) score() float64 {
	if c.chosen {
		return min(c.lasting, ceiling) + c.credit
	}
	return min(c.loudness, ceiling) + c.credit
}

// grant gives the source a place among the chosen, or takes it.
func (c *choice) grant(chosen bool, now time.Duration) {
	c.chosen, c.since = chosen, never
	if chosen {
		c.since = now
	}
}

// choose decides whether live sinks get a frame.
func (f *Forwarder) choose(s *source, kept *slot) {
	c := &s.choice
	switch {
	case kept.frame.Marks&protocol.Selected != 0:
		c.above, kept.chosen = true, true
		c.grant(false, f.now)
	case !s.hot: // late, out of a talkspurt that has ended
		kept.chosen = !c.leftOut
	default:
		c.above = false
		kept.chosen = f.contend(s)
	}
	kept.skips = kept.chosen && c.leftOut
	c.leftOut = !kept.chosen
}

// contend says whether a source in a talkspurt is among the loudest.
func (f *Forwarder) contend(s *source) bool {
	contenders, chosen := 0, 0
	for _, o := range f.open {
		if o.contends() {
			contenders++
			if o.choice.chosen {
				chosen++
			}
		}
	}
	f.reckon(contenders > protocol.MaxHeard)
	if s.choice.chosen {
		return true
	}
	if chosen < protocol.MaxHeard {
		s.choice.grant(true, f.now)
		return true
	}
	weakest := f.weakest()
	if weakest == nil || s.choice.score() < weakest.choice.score()+margin {
		s.choice.since = never
		return false
	}
	s.choice.since = min(s.choice.since, f.now)
	if f.now-s.choice.since < sustain {
		return false
	}
	weakest.choice.grant(false, f.now)
	s.choice.grant(true, f.now)
	return true
}

func (s *source) contends() bool { return s.hot && !s.choice.above }

// weakest gives the lowest-scoring chosen source whose place may be taken.
func (f *Forwarder) weakest() *source {
	var weakest *source
	for _, o := range f.open {
		if !o.contends() || !o.choice.chosen || f.now-o.choice.since < dwell {
			continue
		}
		if weakest == nil || o.choice.score() < weakest.choice.score() {
			weakest = o
		}
	}
	return weakest
}

// reckon moves credit from those chosen to those who wait, while any do.
func (f *Forwarder) reckon(contested bool) {
	began := contested && !f.floor.contested
	step := creditASecond * (f.now - f.floor.at).Seconds()
	f.floor = floor{contested, f.now}
	if !contested {
		return
	}
	waits := func(s *source) bool {
		return s.contends() && !s.choice.chosen && s.choice.lasting >= audible
	}
	anybody := false
	for _, s := range f.open {
		if began {
			s.choice.credit = 0
		}
		anybody = anybody || waits(s)
	}
	if began || !anybody {
		return
	}
	for _, s := range f.open {
		switch c := &s.choice; {
		case waits(s):
			c.credit = min(c.credit+step, mostCredit)
		case s.contends() && c.chosen:
			c.credit = max(c.credit-step, -mostCredit)
		}
	}
}

// liveMarks gives what a frame says to live sinks beyond what it says itself.
func (k *slot) liveMarks() protocol.Marks {
	if k.skips {
		return protocol.Selected | protocol.Skipped
	}
	return protocol.Selected
}
