package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

const ms = time.Millisecond

// watching is a forwarder that budi feeds, with citra warm.
func watching(t *testing.T) *bench {
	b := newBench(t)
	b.OpenSource(1, ana)
	b.Watch(budi)
	return b
}

// silentAfter lets time pass and says when the parent was reported, since the
// call; -1: it was not.
func (b *bench) silentAfter(most time.Duration) time.Duration {
	start := time.Now()
	b.silences()
	for time.Since(start) < most {
		time.Sleep(ms)
		if len(b.silences()) > 0 {
			return time.Since(start)
		}
	}
	return -1
}

func TestSilentParent(t *testing.T) {
	for name, c := range map[string]struct {
		before func(b *bench)
		want   time.Duration // after the last that came
	}{
		"speech stops":  {func(b *bench) { b.speak(budi, 1, 0, 50) }, 80*ms - frameSpan},
		"never came":    {func(b *bench) {}, -1},
		"beats stop":    {func(b *bench) { b.Heard(budi, protocol.Alive) }, 80 * ms},
		"idle":          {func(b *bench) { b.speak(budi, 1, 0, 50); b.Heard(budi, protocol.Idle) }, -1},
		"from others":   {func(b *bench) { b.Watch(""); b.speak(budi, 1, 0, 50) }, -1},
		"told it's hot": {func(b *bench) { b.Activity(budi, true) }, 80 * ms},
		"told it's cold": {
			func(b *bench) { b.speak(budi, 1, 0, 50); b.Activity(budi, false) }, -1,
		},
		"starved": {
			func(b *bench) {
				b.speak(budi, 1, 0, 50)
				b.Heard(budi, protocol.Starved)
			},
			300*ms - frameSpan,
		},
		"starved for long": {
			func(b *bench) {
				b.speak(budi, 1, 0, 50)
				for range 10 {
					b.Heard(budi, protocol.Starved)
					time.Sleep(20 * ms)
				}
			},
			80 * ms,
		},
		"starved, then fed": {
			func(b *bench) {
				b.Heard(budi, protocol.Starved)
				time.Sleep(200 * ms)
				b.Push(budi, frameOf(1, 0))
			},
			80 * ms,
		},
		"idle while the warm parent is hot": {
			func(b *bench) {
				b.Heard(budi, protocol.Idle)
				time.Sleep(time.Second)
				b.Activity(citra, true)
			},
			80 * ms,
		},
		"idle while both are": {
			func(b *bench) {
				b.Activity(citra, true)
				b.Activity(citra, false)
			},
			-1,
		},
		"idle while a frame came from elsewhere": { // longer than a lone frame counts
			func(b *bench) { b.Push(citra, frameOf(1, 0)) }, 80 * ms,
		},
		"idle while frames come from elsewhere again": {
			func(b *bench) {
				b.Push(citra, frameOf(1, 0))
				b.Heard(budi, protocol.Idle)
				time.Sleep(time.Minute)
				b.Heard(budi, protocol.Idle) // not silent, if it was
				b.silences()
				b.Push(citra, frameOf(1, 1))
			},
			80 * ms,
		},
		"idle while its own node speaks": {
			func(b *bench) {
				b.OpenSource(2, "self")
				b.Push("", frameOf(2, 0))
			},
			-1,
		},
		"a parent's slow pace": {
			func(b *bench) {
				for i := range 200 {
					b.Push(budi, frameOf(1, 3*i))
					time.Sleep(60 * ms)
				}
			},
			4*60*ms - 60*ms,
		},
		"a parent's very slow pace": {
			func(b *bench) {
				for range 200 {
					b.Heard(budi, protocol.Alive)
					time.Sleep(200 * ms)
				}
				b.Heard(budi, protocol.Alive)
			},
			300 * ms,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := watching(t)
				c.before(b)
				if got := b.silentAfter(10 * time.Second); got != c.want {
					t.Errorf("silent after %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestSilenceIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t)
		live := b.sink(1, dewi, Live)
		b.speak(budi, 1, 0, 5)
		if got := b.silences(); len(got) != 0 {
			t.Fatalf("silences %v while it speaks", got)
		}
		time.Sleep(400 * ms) // the source is hot still
		got := b.silences()
		if len(got) != 1 || got[0].Parent != budi {
			t.Fatalf("silences %v, want one of budi", got)
		}
		equal(t, "positions", got[0].Positions, []Position{{1, 4 * frameTicks}})
		if !b.snapshot().Silent {
			t.Error("the snapshot doesn't tell")
		}
		starved := false
		for _, beat := range live.beats() {
			starved = starved || beat == protocol.Starved
		}
		if !starved {
			t.Error("its own children were not told that it is starved")
		}
		b.speak(budi, 1, 5, 8)
		if b.snapshot().Silent {
			t.Error("silent though it is back")
		}
		time.Sleep(200 * ms)
		if got := b.silences(); len(got) != 1 {
			t.Errorf("silences %v after it was back, want one more", got)
		}
	})
}

func TestHoldOffAfterASwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t)
		b.speak(budi, 1, 0, 5)
		time.Sleep(100 * ms)
		if got := b.silences(); len(got) != 1 {
			t.Fatalf("silences %v", got)
		}
		b.Watch(citra) // who says nothing either
		if got := b.silentAfter(10 * time.Second); got != protocol.SwitchHoldOff {
			t.Errorf("silent after %v, want %v", got, protocol.SwitchHoldOff)
		}
		b.Watch(citra) // the same: no news
		if got := b.silentAfter(10 * time.Second); got != -1 {
			t.Errorf("silent again after %v", got)
		}
		// Not a word from anybody since: no third time.
		b.Watch(budi)
		if got := b.silentAfter(10 * time.Second); got != -1 {
			t.Errorf("silent after %v and two switches in silence", got)
		}
		// A parent that says it is idle is no silent one.
		b.Watch(dewi)
		b.Heard(dewi, protocol.Idle)
		if got := b.silentAfter(10 * time.Second); got != -1 {
			t.Errorf("silent after %v though idle", got)
		}
	})
}

// A machine that slept learns nothing about its parent from that.
func TestStallIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t)
		b.speak(budi, 1, 0, 5)
		b.post(func() { time.Sleep(500 * ms) })
		time.Sleep(510 * ms)
		b.Push(budi, frameOf(1, 5)) // read only now that the machine is back
		if got := b.silences(); len(got) != 0 {
			t.Errorf("silences %v", got)
		}
		if got := b.silentAfter(time.Second); got < 0 {
			t.Error("not silent though nothing came any more")
		}
	})
}

// What has arrived counts, even if the timer is looked at first.
func TestInboxBeforeTimer(t *testing.T) {
	s := newStage(0)
	silent := 0
	s.cfg.Events = func(e Event) {
		if _, ok := e.(Silent); ok {
			silent++
		}
	}
	s.Watch(budi)
	s.Heard(budi, protocol.Alive)
	s.drain()
	s.clock = 75 * ms
	s.Heard(budi, protocol.Alive)
	s.clock = 85 * ms
	s.tick()
	if silent != 0 {
		t.Error("silent with a heartbeat in the inbox")
	}
	s.clock = 155 * ms
	s.tick()
	if silent != 1 {
		t.Error("not silent after the last heartbeat")
	}
}

func TestPace(t *testing.T) {
	pauses := func(all ...time.Duration) time.Duration {
		var p pace
		for range 50 {
			for _, d := range all {
				p.note(d)
			}
		}
		return p.threshold()
	}
	for name, c := range map[string]struct{ got, want time.Duration }{
		"nothing known":   {new(pace).threshold(), 80 * ms},
		"in step":         {pauses(20*ms, 20*ms), 80 * ms},
		"several sources": {pauses(1*ms, 6*ms, 0, 13*ms), 80 * ms},
		"jitter":          {pauses(15*ms, 25*ms, 20*ms, 24*ms+1), 100 * ms},
		"60 ms frames":    {pauses(60*ms, 60*ms), 240 * ms},
		"anything slower": {pauses(time.Hour, 60*ms), 300 * ms},
		"clock went back": {pauses(-time.Hour, 20*ms), 80 * ms},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	var p pace
	for range 5000 {
		p.note(60 * ms)
	}
	for range 5000 {
		p.note(20 * ms)
	}
	if got := p.threshold(); got != 80*ms {
		t.Errorf("long after a slow time: %v, want it forgotten", got)
	}
}

func TestLinksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t)
		for i := range 10 * maxOrigins {
			b.Heard(protocol.PeerID(string(rune('A'+i))), protocol.Alive)
			synctest.Wait()
		}
		b.snapshot()
		if len(b.origins) > maxOrigins || b.origins[budi] != b.watched.origin {
			t.Errorf("%d links known, the parent's among them: %v", len(b.origins), b.origins[budi] != nil)
		}
	})
}
