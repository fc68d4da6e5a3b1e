package relay

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	// patience is how long a hole holds later frames of its source back: the
	// second that forwarders keep, and a path switch.
	patience = protocol.RingSpan + 200*time.Millisecond
	// settling is how long the first frame heard of a source waits for earlier
	// ones, unless it begins a talkspurt: what a lost packet may take to come.
	settling = protocol.NackSpan
	// GapFloor is the shortest gap that Take reports as it happens.
	GapFloor = 60 * time.Millisecond
	// driftShare of the time is what a speaker's clock may run slow: 500 ppm.
	driftShare = 2000

	maxEars  = 1024
	maxHeld  = 2 * protocol.MaxPacketsASecond
	maxHoles = 32 // given up, remembered to tell late frames from copies
)

// Hearing is what one local listener hears: frames in order and none twice, and
// the figures of how they came. Times are the caller's, monotonic. It has no
// clock and is not safe for concurrent use.
type Hearing struct {
	ears  []*ear // in order of appearance
	spare [][]byte
	gone  Heard // by sources that made way for others
}

// Summary is how a listener heard all sources.
type Summary struct {
	Heard
	Sources []SourceSummary // in order of appearance
}

// SourceSummary is how a listener heard one source.
type SourceSummary struct {
	Source protocol.Source
	Heard
}

// Heard are a listener's figures.
type Heard struct {
	Frames     uint64 // given out
	Lost       uint64 // between the first and the last, and never came
	Late       uint64 // came after they were given up, or before the first; not given out
	Resumed    uint64 // of the frames: came out of a forwarder's ring
	Duplicates uint64
	// LongestGap is the longest time by which a frame came later than its
	// speaker's clock said: 0 if each came one frame's time after the one before.
	LongestGap time.Duration
}

func (h *Heard) add(o Heard) {
	h.Frames += o.Frames
	h.Lost += o.Lost
	h.Late += o.Late
	h.Resumed += o.Resumed
	h.Duplicates += o.Duplicates
	h.LongestGap = max(h.LongestGap, o.LongestGap)
}

// ear is what a listener knows of one source.
type ear struct {
	SourceSummary
	begun   bool
	first   uint32         // timestamp
	last    protocol.Frame // given out, without its packet
	heardAt time.Duration
	held    []held // later than last, by timestamp
	holes   []hole // given up, oldest first
	clock   clock
}

// held is a frame that waits for earlier ones.
type held struct {
	frame protocol.Frame
	at    time.Duration
}

// hole is where frames were given up: between these two.
type hole struct{ after, before protocol.Frame }

func (o *hole) lost() uint64 { return missing(&o.after, &o.before) }

// holds says whether a timestamp falls into the hole.
func (o *hole) holds(timestamp uint32) bool {
	return protocol.Newer(timestamp, o.after.Timestamp) && protocol.Newer(o.before.Timestamp, timestamp)
}

// NewHearing begins to listen.
func NewHearing() *Hearing { return &Hearing{} }

// Take takes a frame that arrived at a time and gives out what is in order now;
// out must not keep the frame. It returns the gap that the frame ends, 0 if
// there is none of GapFloor or more.
func (h *Hearing) Take(f *protocol.Frame, at time.Duration, out func(*protocol.Frame)) (gap time.Duration) {
	e := h.ear(f.Source)
	if at-e.heardAt > forgetAfter {
		h.giveUp(e, never, out) // signed timestamp differences don't reach back
		e.begun, e.clock = false, clock{}
	}
	if e.begun && !protocol.Newer(f.Timestamp, e.last.Timestamp) {
		e.passed(f)
		return 0
	}
	i := len(e.held)
	for i > 0 && protocol.Newer(e.held[i-1].frame.Timestamp, f.Timestamp) {
		i--
	}
	if i > 0 && e.held[i-1].frame.Timestamp == f.Timestamp {
		e.Duplicates++
		return 0
	}
	if f.Marks&protocol.Replayed != 0 {
		e.Resumed++
	}
	e.heardAt = at
	gap = e.late(f, at, i == len(e.held))
	if i == 0 && e.follows(f) {
		e.give(f, out)
		h.release(e, out)
		return gap
	}
	e.held = slices.Insert(e.held, i, held{h.copied(f), at})
	if len(e.held) > maxHeld {
		h.skip(e, out)
	}
	return gap
}

// Expire gives up the holes that are too old by now and gives out what they
// held back.
func (h *Hearing) Expire(now time.Duration, out func(*protocol.Frame)) {
	for _, e := range h.ears {
		h.giveUp(e, now, out)
	}
}

// Next says when Expire has something to do; false: nothing waits.
func (h *Hearing) Next() (time.Duration, bool) {
	next := never
	for _, e := range h.ears {
		next = min(next, e.due())
	}
	return next, next != never
}

// Flush gives out all that waits: the listener has heard enough.
func (h *Hearing) Flush(out func(*protocol.Frame)) { h.Expire(never-1, out) }

// Summary gives the figures so far.
func (h *Hearing) Summary() Summary {
	sum := Summary{Heard: h.gone}
	for _, e := range h.ears {
		sum.add(e.Heard)
		sum.Sources = append(sum.Sources, e.SourceSummary)
	}
	return sum
}

// ear finds what is known of a source. There are at most maxEars; the one that
// has been quiet for longest makes way, its figures stay in the sums.
func (h *Hearing) ear(s protocol.Source) *ear {
	for _, e := range h.ears {
		if e.Source == s {
			return e
		}
	}
	if len(h.ears) >= maxEars {
		quiet := 0
		for i, e := range h.ears {
			if e.heardAt < h.ears[quiet].heardAt {
				quiet = i
			}
		}
		h.gone.add(h.ears[quiet].Heard)
		h.ears = slices.Delete(h.ears, quiet, quiet+1)
	}
	e := &ear{SourceSummary: SourceSummary{Source: s}}
	h.ears = append(h.ears, e)
	return e
}

// follows says whether nothing is missing before a frame.
func (e *ear) follows(f *protocol.Frame) bool {
	if !e.begun {
		return f.Marks&protocol.Start != 0
	}
	return missing(&e.last, f) == 0
}

func (e *ear) give(f *protocol.Frame, out func(*protocol.Frame)) {
	if !e.begun {
		e.begun, e.first = true, f.Timestamp
	}
	e.last = *f
	e.last.Packet = nil
	e.Frames++
	out(f)
}

// release gives out what is held and in order.
func (h *Hearing) release(e *ear, out func(*protocol.Frame)) {
	n := 0
	for n < len(e.held) && e.follows(&e.held[n].frame) {
		f := &e.held[n].frame
		e.give(f, out)
		h.spare = append(h.spare, f.Packet[:0])
		n++
	}
	e.held = slices.Delete(e.held, 0, n)
}

// giveUp ends the waits of a source that are over.
func (h *Hearing) giveUp(e *ear, now time.Duration, out func(*protocol.Frame)) {
	for e.due() <= now && len(e.held) > 0 {
		h.skip(e, out)
	}
}

// skip gives up the first hole: its frames are lost.
func (h *Hearing) skip(e *ear, out func(*protocol.Frame)) {
	f := &e.held[0].frame
	if e.begun {
		o := hole{after: e.last, before: *f}
		o.before.Packet = nil
		e.Lost += o.lost()
		e.holes = append(e.holes, o)
		e.holes = slices.Delete(e.holes, 0, max(0, len(e.holes)-maxHoles))
	}
	e.give(f, out)
	h.spare = append(h.spare, f.Packet[:0])
	e.held = slices.Delete(e.held, 0, 1)
	h.release(e, out)
}

// due says when the first hole is given up. It was noticed when the first of
// the frames after it came.
func (e *ear) due() time.Duration {
	if len(e.held) == 0 {
		return never
	}
	noticed := never
	for i := range e.held {
		noticed = min(noticed, e.held[i].at)
	}
	if !e.begun {
		return noticed + settling
	}
	return noticed + patience
}

// passed counts a frame that is not newer than the last given out.
func (e *ear) passed(f *protocol.Frame) {
	if protocol.Newer(e.first, f.Timestamp) {
		e.Late++
		return
	}
	for i := range e.holes {
		o := e.holes[i]
		if !o.holds(f.Timestamp) {
			continue
		}
		older, newer := hole{o.after, *f}, hole{*f, o.before}
		older.before.Packet, newer.after.Packet = nil, nil
		left := older.lost() + newer.lost()
		if left >= o.lost() {
			break
		}
		e.Lost -= o.lost() - left
		e.Late++
		e.holes = slices.Replace(e.holes, i, i+1, older, newer)
		e.holes = slices.Delete(e.holes, 0, max(0, len(e.holes)-maxHoles))
		return
	}
	e.Duplicates++
}

// late takes a frame's arrival into the longest gap.
func (e *ear) late(f *protocol.Frame, at time.Duration, newest bool) (gap time.Duration) {
	late, reported := e.clock.late(f, at, newest)
	e.LongestGap = max(e.LongestGap, late)
	if reported {
		return late
	}
	return 0
}

// copied copies a frame into a spare buffer.
func (h *Hearing) copied(f *protocol.Frame) protocol.Frame {
	var buffer []byte
	if n := len(h.spare); n > 0 {
		buffer, h.spare = h.spare[n-1], h.spare[:n-1]
	}
	c := *f
	c.Packet = append(buffer, f.Packet...)
	return c
}

// clock is a listener's idea of a speaker's clock: the earliest that frames of
// a talkspurt came, relative to their timestamps. It follows a clock that runs
// a little slow.
type clock struct {
	running   bool
	timestamp uint32 // reference, and the time that it stands for on the speaker's clock
	time      time.Duration
	earliest  time.Duration // arrival less the speaker's time
	at        time.Duration
	inGap     bool
}

// late says by how much a frame came later than the clock says, and whether it
// is the first of several to be at least GapFloor late.
func (c *clock) late(f *protocol.Frame, at time.Duration, newest bool) (late time.Duration, first bool) {
	ticks := time.Duration(int32(f.Timestamp - c.timestamp))
	spoken := c.time + ticks*time.Second/ticksASecond
	if newest {
		c.timestamp, c.time = f.Timestamp, spoken
	}
	offset := at - spoken
	if !c.running || newest && f.Marks&protocol.Start != 0 {
		c.running, c.earliest, c.at, c.inGap = true, offset, at, false
		return 0, false
	}
	c.earliest += max(0, at-c.at) / driftShare
	c.earliest = min(c.earliest, offset)
	c.at = max(c.at, at)
	late = offset - c.earliest
	first = late >= GapFloor && !c.inGap
	c.inGap = late >= GapFloor
	return late, first
}
