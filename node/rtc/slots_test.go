package rtc

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/opus"
)

// player collects what slots send, and holds it to the rules that keep a
// browser's jitter buffer well.
type player struct {
	t     *testing.T
	slots *slots
	out   []emission
	seen  map[[2]int]bool // slot and sequence number
}

func newPlayer(t *testing.T, n int) *player {
	p := &player{t: t, seen: make(map[[2]int]bool)}
	p.slots = newSlots(n, func(e emission) {
		e.packet = slices.Clone(e.packet)
		key := [2]int{e.slot, int(e.sequence)}
		if p.seen[key] {
			t.Fatalf("sequence number %d sent twice on slot %d", e.sequence, e.slot)
		}
		p.seen[key] = true
		p.out = append(p.out, e)
	})
	return p
}

// say plays 20 ms frames of a source from a time on, and what falls due.
func (p *player) say(s protocol.Source, from time.Duration, frames int, level uint8) time.Duration {
	for n := range frames {
		p.until(from)
		marks := protocol.Marks(0)
		if n == 0 {
			marks = protocol.Start
		}
		p.slots.take(p.frame(s, from, level, marks), from)
		from += 20 * ms
	}
	return from
}

// frame is the one that a source with its own clock and counter sends at a time.
func (p *player) frame(s protocol.Source, at time.Duration, level uint8, marks protocol.Marks) *protocol.Frame {
	n := int(at / (20 * ms))
	return &protocol.Frame{
		Source: s, Timestamp: uint32(s)*1e8 + uint32(n)*960, Counter: uint16(uint32(s)*5000 + uint32(n)),
		Level: level, Marks: marks, Packet: packetOf(n, 40),
	}
}

func (p *player) until(at time.Duration) {
	for {
		due, ok := p.slots.wake()
		if !ok || due > at {
			return
		}
		p.slots.expire(due)
	}
}

func TestRunKeepsItsOffset(t *testing.T) {
	p := newPlayer(t, 1)
	p.say(1, 0, 50, 20)
	for i, e := range p.out[1:] {
		if e.timestamp-p.out[i].timestamp != 960 || e.sequence-p.out[i].sequence != 1 || e.source != 1 {
			t.Fatalf("frame %d: %+v after %+v", i+1, e, p.out[i])
		}
	}
}

func TestPauseFollowsTheWallClock(t *testing.T) {
	p := newPlayer(t, 1)
	end := p.say(1, 0, 10, 20)
	p.say(1, end+2*time.Second, 1, 20)
	stop, again := p.out[10], p.out[11]
	if len(stop.packet) != 1 || stop.timestamp != p.out[9].timestamp+960 || stop.level != silent {
		t.Errorf("who stops: %+v", stop)
	}
	if gap := again.timestamp - p.out[9].timestamp; gap != 960+2*48000 {
		t.Errorf("a pause of 2 s moves the timestamp by %d", gap)
	}
	if again.sequence != stop.sequence+1 {
		t.Errorf("a pause moves the sequence number from %d to %d", stop.sequence, again.sequence)
	}
}

func TestSilenceFollowsAnEnd(t *testing.T) {
	p := newPlayer(t, 2)
	at := p.say(1, 0, 5, 20)
	p.slots.take(p.frame(1, at, 20, protocol.End), at)
	last := p.out[len(p.out)-1]
	if len(p.out) != 7 || len(last.packet) != 1 || last.timestamp != p.out[5].timestamp+960 {
		t.Errorf("after the end: %+v", last)
	}
	if samples, err := opus.Samples(last.packet); err != nil || samples != 960 {
		t.Errorf("silence of %d samples, %v", samples, err)
	}
	if _, ok := p.slots.wake(); ok || p.slots.slots[0].speaker != nil {
		t.Error("the slot is not free")
	}
}

func TestLateFramesFillTheirPlaces(t *testing.T) {
	p := newPlayer(t, 1)
	p.say(1, 0, 3, 20)
	p.slots.take(p.frame(1, 100*ms, 20, 0), 100*ms) // 60 and 80 are missing
	p.slots.take(p.frame(1, 80*ms, 20, 0), 110*ms)
	p.slots.take(p.frame(1, 80*ms, 20, 0), 112*ms) // twice
	p.slots.take(p.frame(1, 120*ms, 20, 0), 120*ms)
	p.slots.take(p.frame(1, 60*ms, 20, 0), 125*ms)
	if len(p.out) != 7 {
		t.Fatalf("%d packets", len(p.out))
	}
	first := p.out[0]
	slices.SortFunc(p.out, func(a, b emission) int { return int(int16(a.sequence - b.sequence)) })
	for i, e := range p.out {
		if e.sequence != first.sequence+uint16(i) || e.timestamp != first.timestamp+uint32(i)*960 {
			t.Errorf("packet %d: %+v", i, e)
		}
	}
}

func TestNothingBeforeARunComesIntoIt(t *testing.T) {
	p := newPlayer(t, 1)
	p.say(1, 200*ms, 3, 20)
	n := len(p.out)
	p.slots.take(p.frame(1, 180*ms, 20, 0), 260*ms)
	if len(p.out) != n {
		t.Errorf("played: %+v", p.out[n])
	}
}

func TestOutageReplaysTheNewestQuarterSecond(t *testing.T) {
	p := newPlayer(t, 1)
	p.say(1, 0, 10, 20)
	p.until(time.Second)
	before := len(p.out)
	for at := 200 * ms; at < time.Second; at += 20 * ms {
		p.slots.take(p.frame(1, at, 20, protocol.Replayed), time.Second)
	}
	p.say(1, time.Second, 5, 20)
	var replayed []emission
	for _, e := range p.out[before:] {
		if len(e.packet) > 1 {
			replayed = append(replayed, e)
		}
	}
	if n := len(replayed) - 5; n < 12 || n > 13 {
		t.Errorf("%d frames replayed", n)
	}
	for i, e := range replayed[1:] {
		if e.timestamp-replayed[i].timestamp != 960 {
			t.Errorf("frame %d: %d samples on", i, e.timestamp-replayed[i].timestamp)
		}
	}
	if end := replayed[len(replayed)-1].timestamp; end > 48*(1080+300) {
		t.Errorf("the slot runs %d ms ahead", end/48-1080)
	}
}

func TestReplayWithoutAnythingAfterIsPlayedToo(t *testing.T) {
	p := newPlayer(t, 1)
	p.slots.take(p.frame(1, 0, 20, protocol.Replayed), 0)
	p.until(time.Second)
	if len(p.out) == 0 {
		t.Error("not played")
	}
}

func TestThreeSlotsForThreeSpeakers(t *testing.T) {
	p := newPlayer(t, 3)
	for at := time.Duration(0); at < time.Second; at += 20 * ms {
		for s := range protocol.Source(4) {
			p.slots.take(p.frame(s+1, at, 20, 0), at)
		}
	}
	on := make(map[int]protocol.Source)
	for _, e := range p.out {
		if was, ok := on[e.slot]; ok && was != e.source {
			t.Fatalf("slot %d switched from %d to %d between equally loud speakers", e.slot, was, e.source)
		}
		on[e.slot] = e.source
	}
	if len(on) != 3 {
		t.Errorf("%d slots used", len(on))
	}
}

func TestOneSlotGoesToTheLoudest(t *testing.T) {
	p := newPlayer(t, 1)
	var switched []time.Duration
	was := protocol.Source(0)
	for at := time.Duration(0); at < 6*time.Second; at += 20 * ms {
		loud := protocol.Source(1)
		if at >= 2*time.Second {
			loud = 2
		}
		for s := range protocol.Source(2) {
			level := uint8(50)
			if s+1 == loud {
				level = 20
			}
			p.slots.take(p.frame(s+1, at, level, 0), at)
		}
		if now := p.out[len(p.out)-1].source; now != was {
			switched = append(switched, at)
			was = now
		}
	}
	if len(switched) != 2 || switched[1] < 2*time.Second+slotLouder || switched[1] > 2*time.Second+3*slotLouder {
		t.Errorf("switched at %v", switched)
	}
	p.neverBackwards()
}

// neverBackwards checks each slot's packets in the order of their numbers.
func (p *player) neverBackwards() {
	p.t.Helper()
	for n := range p.slots.slots {
		var of []emission
		for _, e := range p.out {
			if e.slot == n {
				of = append(of, e)
			}
		}
		slices.SortStableFunc(of, func(a, b emission) int { return int(int16(a.sequence - b.sequence)) })
		for i := 1; i < len(of); i++ {
			if step := int32(of[i].timestamp - of[i-1].timestamp); step < 480 {
				p.t.Fatalf("slot %d: timestamp %d after %d", n, of[i].timestamp, of[i-1].timestamp)
			}
		}
	}
}

func TestSlotsUnderChance(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := newPlayer(t, 1+int(seed%3))
		type at struct {
			f  *protocol.Frame
			at time.Duration
		}
		var all []at
		for s := range protocol.Source(6) {
			for now := time.Duration(0); now < 8*time.Second; now += 20 * ms {
				if random.IntN(60) == 0 {
					now += time.Duration(random.IntN(1500)) * ms / 20 * 20
				}
				f := p.frame(s+1, now.Truncate(20*ms), uint8(random.IntN(60)), 0)
				switch random.IntN(40) {
				case 0:
					f.Marks = protocol.Start
				case 1:
					f.Marks = protocol.End
				}
				late := time.Duration(random.ExpFloat64() * float64(15*ms))
				all = append(all, at{f, now + late})
				if random.IntN(30) == 0 {
					all = append(all, at{f, now + late + 30*ms}) // a duplicate
				}
			}
		}
		slices.SortStableFunc(all, func(a, b at) int { return int(a.at - b.at) })
		for _, x := range all {
			p.until(x.at)
			p.slots.take(x.f, x.at)
		}
		p.until(time.Minute)
		if len(p.out) < 250 {
			t.Fatalf("%d packets", len(p.out))
		}
		p.neverBackwards()
		if _, ok := p.slots.wake(); ok {
			t.Error("work is left when all are silent")
		}
	}
}
