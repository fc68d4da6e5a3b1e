package rtc

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

const (
	// stopAfter the time when the next frame was due, a speaker counts as
	// stopped. A change of parents takes less.
	stopAfter = 120 * time.Millisecond
	// replayNewest of what is replayed after an outage is played: all of a
	// second would be heard a second late, for seconds.
	replayNewest = 250 * time.Millisecond
	// replayPause without another replayed frame ends a replay.
	replayPause = 10 * time.Millisecond

	slotDwell    = time.Second            // at least, of a speaker who talks
	slotMargin   = 6                      // dB by which another must be louder
	slotLouder   = 150 * time.Millisecond // and for how long
	maxLateSteps = 64                     // frames of a run that are remembered as played
	maxSpeakers  = protocol.MaxSources

	// discontinuous is the most bytes of a packet in which an encoder only says
	// that there is nothing to hear (RFC 6716 section 2.1.9).
	discontinuous = 2

	// orderedFor is a pause over which 32-bit timestamps of 48 kHz can still be
	// told to be before or after each other (half their range is 12.4 h).
	orderedFor = time.Hour
)

// emission is one RTP packet to a player.
type emission struct {
	slot      int
	sequence  uint16
	timestamp uint32
	source    protocol.Source
	level     uint8
	packet    []byte // valid during the call
}

// slots switch the loudest speakers onto a player's m-lines. A slot is one RTP
// stream with a sequence and a timeline of its own, made of runs: frames of one
// source with constant offsets from the source's timestamps and counters. A run
// begins with a switch, with a talkspurt or after a pause, at the wall clock,
// but never before the end of what was sent: players that are told otherwise
// stop, or stretch their jitter buffer. It has no clock.
type slots struct {
	slots    []slot
	speakers map[protocol.Source]*speaker
	emit     func(emission)
}

// slot is one m-line.
type slot struct {
	speaker  *speaker
	since    time.Duration // the speaker has it
	at       time.Duration // of the newest frame
	running  bool          // a run is under way
	sequence uint16        // newest sent
	sent     time.Duration // when, for the last time
	end      uint32        // of what was sent, on the slot's timeline
	toc      byte
	quiet    bool // the newest frame says itself that nothing follows (DTX)

	offset    uint32 // slot's timestamp - source's, in this run
	shift     uint16 // slot's sequence number - source's counter
	timestamp uint32 // newest of the source
	counter   uint16
	samples   uint32 // of that frame
	played    uint64 // bit n: newest counter - n was played in this run
}

// speaker is one source.
type speaker struct {
	source  protocol.Source
	slot    int // -1: none
	level   float64
	at      time.Duration // last heard
	louder  time.Duration // since when louder than a slot's speaker; 0: is not
	backlog []protocol.Frame
	flush   time.Duration // when the backlog is to be played
}

func newSlots(n int, emit func(emission)) *slots {
	return &slots{slots: make([]slot, n), speakers: make(map[protocol.Source]*speaker), emit: emit}
}

// take plays a frame, or not.
func (s *slots) take(f *protocol.Frame, at time.Duration) {
	samples, err := opus.Samples(f.Packet)
	if err != nil {
		return
	}
	sp := s.speaker(f.Source, at)
	if sp == nil {
		return
	}
	sp.hear(f, samples, at)
	if f.Marks&protocol.Replayed != 0 {
		sp.keep(f, at)
		return
	}
	s.flush(sp, at)
	s.play(sp, f, samples, at)
}

// play puts a frame on its speaker's slot, if there is one for it.
func (s *slots) play(sp *speaker, f *protocol.Frame, samples int, at time.Duration) {
	if sp.slot < 0 && (f.Marks&protocol.End != 0 || !s.place(sp, at)) {
		return
	}
	sl := &s.slots[sp.slot]
	if !sl.running || f.Marks&protocol.Start != 0 && protocol.Newer(f.Timestamp, sl.timestamp) || sl.broken(f) {
		sl.begin(f, at)
	} else if !sl.next(f) {
		return
	}
	s.emit(emission{
		slot: sp.slot, sequence: f.Counter + sl.shift, timestamp: f.Timestamp + sl.offset,
		source: f.Source, level: f.Level, packet: f.Packet,
	})
	if f.Timestamp == sl.timestamp {
		sl.at, sl.sent, sl.samples, sl.toc = at, at, uint32(samples), f.Packet[0]
		sl.quiet = len(f.Packet) <= discontinuous
		sl.sequence, sl.end = f.Counter+sl.shift, f.Timestamp+sl.offset+uint32(samples)
	}
	if f.Marks&protocol.End != 0 && f.Timestamp == sl.timestamp {
		s.stop(sp.slot, len(f.Packet) > 2)
		s.vacate(sp.slot)
	}
}

// begin starts a run with this frame.
func (sl *slot) begin(f *protocol.Frame, at time.Duration) {
	start := uint32(samplesIn(at))
	if at-sl.sent < orderedFor && !protocol.Newer(start, sl.end) {
		start = sl.end
	}
	sl.running = true
	sl.offset = start - f.Timestamp
	sl.shift = sl.sequence + 1 - f.Counter
	sl.timestamp, sl.counter, sl.played = f.Timestamp, f.Counter, 1
}

// broken says whether the frame does not continue the run: after a longer
// pause, or with a counter that has moved otherwise than time did.
func (sl *slot) broken(f *protocol.Frame) bool {
	step := int32(f.Timestamp - sl.timestamp)
	count := int16(f.Counter - sl.counter)
	if step <= 0 {
		return false
	}
	return step > int32(sl.samples)+samplesIn(talkspurtPause) || count <= 0 || count >= maxLateSteps
}

// next says whether the frame is one of the run that was not played, and notes
// that it is now. A late one gets the sequence number that was left out for it;
// no number is used twice.
func (sl *slot) next(f *protocol.Frame) bool {
	step := int32(f.Timestamp - sl.timestamp)
	count := int(int16(f.Counter - sl.counter))
	switch {
	case step > 0:
		sl.played = sl.played<<count | 1
		sl.timestamp, sl.counter = f.Timestamp, f.Counter
		return true
	case step < -samplesIn(replayNewest) || count >= 0 || count <= -maxLateSteps:
		return false
	}
	bit := uint64(1) << -count
	// Before the run's first frame there are no numbers left out.
	if sl.played < bit || sl.played&bit != 0 {
		return false
	}
	sl.played |= bit
	return true
}

// stop ends a slot's run; with one packet of silence, or the player would
// conceal what it takes for a loss, which is heard for a quarter of a second.
func (s *slots) stop(n int, audible bool) {
	sl := &s.slots[n]
	if !sl.running {
		return
	}
	sl.running = false
	if !audible {
		return
	}
	quiet := silence(sl.toc)
	samples, _ := opus.Samples(quiet[:])
	sl.sequence++
	s.emit(emission{
		slot: n, sequence: sl.sequence, timestamp: sl.end, source: sl.speaker.source, level: silent, packet: quiet[:],
	})
	sl.end += uint32(samples)
}

func (s *slots) vacate(n int) {
	if sp := s.slots[n].speaker; sp != nil {
		sp.slot = -1
		s.slots[n].speaker = nil
	}
}

// expire does what is due: stops who has stopped, ends replays.
func (s *slots) expire(at time.Duration) {
	for n := range s.slots {
		sl := &s.slots[n]
		if sl.running && at >= sl.due() {
			// After a DTX frame the player expects a pause. A packet that is late
			// by now would only teach it that the network is slow.
			s.stop(n, !sl.quiet)
		}
		if sl.speaker != nil && at >= sl.at+protocol.HotFor {
			s.vacate(n)
		}
	}
	for _, sp := range s.speakers {
		if len(sp.backlog) > 0 && at >= sp.flush {
			s.flush(sp, at)
		}
	}
}

// due is when a running slot counts as stopped.
func (sl *slot) due() time.Duration {
	return sl.at + stopAfter + time.Duration(sl.samples)*time.Second/protocol.ClockRate
}

// wake gives when expire is to be called next; false if nothing is going on.
func (s *slots) wake() (at time.Duration, ok bool) {
	sooner := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for n := range s.slots {
		switch sl := &s.slots[n]; {
		case sl.running:
			sooner(sl.due())
		case sl.speaker != nil:
			sooner(sl.at + protocol.HotFor)
		}
	}
	for _, sp := range s.speakers {
		if len(sp.backlog) > 0 {
			sooner(sp.flush)
		}
	}
	return at, ok
}
