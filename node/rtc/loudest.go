package rtc

import (
	"bytes"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// speaker finds who sent a frame. With too many of them, those who have not
// been heard for long are forgotten.
func (s *slots) speaker(source protocol.Source, at time.Duration) *speaker {
	sp := s.speakers[source]
	if sp != nil {
		return sp
	}
	if len(s.speakers) >= maxSpeakers {
		for key, old := range s.speakers {
			if old.slot < 0 && at-old.at > protocol.HotFor {
				delete(s.speakers, key)
			}
		}
		if len(s.speakers) >= maxSpeakers {
			return nil
		}
	}
	sp = &speaker{source: source, slot: -1, at: at - 2*protocol.HotFor}
	s.speakers[source] = sp
	return sp
}

// hear smooths the speaker's level, over about 100 ms; RFC 6464 levels are
// -dBov, so that less is louder.
func (sp *speaker) hear(f *protocol.Frame, samples int, at time.Duration) {
	if at-sp.at > protocol.HotFor {
		sp.level = float64(f.Level)
		sp.louder = 0
	}
	const smooth = protocol.ClockRate / 10
	sp.level += (float64(f.Level) - sp.level) * min(1, float64(samples)/smooth)
	sp.at = at
}

// place gives a speaker a slot: a free one, that of somebody who has stopped,
// or that of somebody who has had it for a while and is clearly less loud.
func (s *slots) place(sp *speaker, at time.Duration) bool {
	chosen := -1
	for n := range s.slots {
		switch sl := &s.slots[n]; {
		case sl.speaker == nil:
			s.assign(n, sp, at)
			return true
		case !sl.running:
			chosen = n
		}
	}
	if chosen < 0 {
		if chosen = s.quietest(sp, at); chosen < 0 {
			return false
		}
	}
	s.stop(chosen, true)
	s.vacate(chosen)
	s.assign(chosen, sp, at)
	return true
}

// quietest gives the slot that a louder speaker takes over now, or -1.
func (s *slots) quietest(sp *speaker, at time.Duration) int {
	chosen := -1
	for n := range s.slots {
		sl := &s.slots[n]
		if at-sl.since < slotDwell || sp.level+slotMargin > sl.speaker.level {
			continue
		}
		if chosen < 0 || sl.speaker.level > s.slots[chosen].speaker.level {
			chosen = n
		}
	}
	switch {
	case chosen < 0:
		sp.louder = 0
	case sp.louder == 0:
		sp.louder = at
	case at-sp.louder >= slotLouder:
		return chosen
	}
	return -1
}

func (s *slots) assign(n int, sp *speaker, at time.Duration) {
	sl := &s.slots[n]
	sl.speaker, sl.since, sl.at, sl.running = sp, at, at, false
	sp.slot, sp.louder = n, 0
}

// keep adds a replayed frame to the backlog, and drops from it what is too old
// to be played any more.
func (sp *speaker) keep(f *protocol.Frame, at time.Duration) {
	old := 0
	for old < len(sp.backlog) && int32(f.Timestamp-sp.backlog[old].Timestamp) >= samplesIn(replayNewest) {
		old++
	}
	sp.backlog = append(sp.backlog[:0], sp.backlog[old:]...)
	const most = int(replayNewest / protocol.MinPacketDuration)
	if len(sp.backlog) < most {
		kept := *f
		kept.Packet = bytes.Clone(f.Packet)
		sp.backlog = append(sp.backlog, kept)
	}
	sp.flush = at + replayPause
}

// flush plays the backlog.
func (s *slots) flush(sp *speaker, at time.Duration) {
	backlog := sp.backlog
	sp.backlog = nil
	for i := range backlog {
		samples, _ := opus.Samples(backlog[i].Packet)
		s.play(sp, &backlog[i], samples, at)
	}
}
