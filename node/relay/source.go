package relay

import (
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// source is one speaker's audio, open in the room.
type source struct {
	id    protocol.Source
	owner protocol.PeerID
	bit   uint // its place in the outlets' sets
	own   bool // it is this node's voice
	muted bool
	ring  ring

	hot      bool // in a talkspurt
	hotUntil time.Duration
	skipped  bool // frames were left out for all sinks: the next one says so
	level    uint8
	choice   choice

	packets, bits               bound
	frames, resumed, duplicates uint64
	lost                        uint64 // as last reported
}

// withinRates spends a packet's share of what the source may send.
func (s *source) withinRates(now time.Duration, bytes int) bool {
	return s.packets.take(now, packetCost, burst) &&
		s.bits.take(now, time.Duration(8*bytes)*bitCost, burst)
}

// heat takes a talkspurt's newest frame: its source is hot until the talkspurt
// ends, or for protocol.HotFor.
func (f *Forwarder) heat(s *source, fr *protocol.Frame) {
	s.level = fr.Level
	s.choice.listen(f.now, fr.Level)
	s.hotUntil = f.now + protocol.HotFor
	if s.hot {
		return
	}
	s.hot = true
	f.hot++
	if f.hot == 1 {
		for _, o := range f.outlets {
			o.idles = 0
		}
		f.event(Hot{true})
		f.wake(f.now + protocol.Heartbeat)
	}
	f.wake(s.hotUntil)
	f.event(Speaking{s.id, true})
}

// cool ends a source's talkspurt.
func (f *Forwarder) cool(s *source) {
	if !s.hot {
		return
	}
	s.hot = false
	s.choice.grant(false, f.now)
	f.hot--
	f.event(Speaking{s.id, false})
	if f.hot > 0 {
		return
	}
	f.event(Hot{false})
	for _, o := range f.outlets {
		o.idle()
	}
	f.wake(f.now)
}

// expire ends the talkspurts that nobody ended and says when the next one is due.
func (f *Forwarder) expire() time.Duration {
	next := never
	for _, s := range f.open {
		switch {
		case !s.hot:
		case f.now >= s.hotUntil:
			f.cool(s)
		default:
			next = min(next, s.hotUntil)
		}
	}
	return next
}

// OpenSource lets a source's frames through; owner is the peer whose link brings
// it: whose voice it is, or whose guest's. At most protocol.MaxSources are open; one that is open stays as it is.
func (f *Forwarder) OpenSource(id protocol.Source, owner protocol.PeerID) {
	f.post(func() {
		if f.sources[id] != nil {
			return
		}
		bit, ok := f.freeBit()
		if !ok {
			f.cfg.Log.Warn("too many sources open in the room", "room", f.cfg.Room.Short(), "source", id)
			return
		}
		s := &source{id: id, owner: owner, bit: bit, ring: newRing()}
		s.choice.grant(false, f.now)
		f.sources[id] = s
		f.open = append(f.open, s)
	})
}

// freeBit finds a place for one more source in the outlets' sets.
func (f *Forwarder) freeBit() (uint, bool) {
	var taken set
	for _, s := range f.open {
		taken.add(s.bit)
	}
	for bit := range uint(protocol.MaxSources) {
		if !taken.has(bit) {
			return bit, true
		}
	}
	return 0, false
}

// CloseSource forgets a source: further frames of it are dropped and counted.
func (f *Forwarder) CloseSource(id protocol.Source) {
	f.post(func() {
		s := f.sources[id]
		if s == nil {
			return
		}
		f.cool(s)
		delete(f.sources, id)
		for i := range f.open {
			if f.open[i] == s {
				f.open = append(f.open[:i], f.open[i+1:]...)
				break
			}
		}
		for _, o := range f.outlets {
			o.disable(s)
		}
	})
}

// Mute keeps an open source's frames from all sinks, or lets them through again
// from now on. What a muted source says is not lost, it is left out.
func (f *Forwarder) Mute(id protocol.Source, muted bool) {
	f.post(func() {
		s := f.sources[id]
		if s == nil || s.muted == muted {
			return
		}
		s.muted, s.skipped = muted, true
		if muted {
			f.cool(s)
		}
	})
}
