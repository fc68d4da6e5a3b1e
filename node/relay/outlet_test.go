package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

func TestFirstWordsWaitForEnable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		live, late := b.sink(1, budi, Live), b.sink(2, citra, Warm)
		b.speak(ana, 1, 0, 5)
		b.SetMode(2, Live) // from now on
		b.speak(ana, 1, 5, 10)
		equal(t, "before Enable", live.counters(1), nil)
		b.Enable(1, 1)
		b.Enable(2, 1)
		b.speak(ana, 1, 10, 12)
		frames := live.frames()
		if len(frames) == 0 || frames[0].Marks&protocol.Replayed != 0 {
			t.Errorf("first words %+v: nobody asked for a replay", frames)
		}
		if got := len(frames); got != 12 {
			t.Errorf("%d frames after Enable, want 12", got)
		}
		equal(t, "live since the fifth", late.counters(1), span(5, 12))

		b.Disable(1, 1)
		b.speak(ana, 1, 12, 14)
		equal(t, "disabled", live.counters(1), nil)
		b.Enable(1, 1)
		b.Enable(1, 1) // again: nothing is said twice
		equal(t, "enabled again", live.counters(1), span(12, 14))
	})
}

func TestOldWordsAreNotReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		live := b.sink(1, budi, Live)
		b.speak(ana, 1, 0, 100)
		time.Sleep(500*time.Millisecond + frameSpan/2)
		b.Enable(1, 1)
		equal(t, "half a second is left of the ring's second", live.counters(1), span(76, 100))
		time.Sleep(time.Minute)
		b.Resume(1, nil)
		equal(t, "a minute later", live.counters(1), nil)
	})
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for s := protocol.Source(1); s <= 3; s++ {
			b.OpenSource(s, ana)
		}
		warm := b.sink(1, budi, Warm)
		b.Enable(1, 1)
		b.Enable(1, 2)
		for i := range 20 {
			for s := protocol.Source(1); s <= 3; s++ {
				b.Push(ana, frameOf(s, i))
			}
			time.Sleep(frameSpan)
		}
		equal(t, "warm", warm.counters(1), nil)
		b.Resume(1, []Position{{Source: 1, Timestamp: 14 * frameTicks}})
		b.Push(ana, frameOf(1, 20))
		got := warm.frames()
		counters := map[protocol.Source][]uint16{}
		for _, f := range got {
			counters[f.Source] = append(counters[f.Source], f.Counter)
			if replayed := f.Marks&protocol.Replayed != 0; replayed != (f.Counter < 20) {
				t.Errorf("frame %d of %d: marks %b", f.Counter, f.Source, f.Marks)
			}
		}
		equal(t, "named: newer than its position, then live", counters[1], span(15, 21))
		equal(t, "not named: all", counters[2], span(0, 20))
		equal(t, "not bound", counters[3], nil)
		b.Enable(1, 3)
		frames := warm.frames()
		if len(frames) != 20 || frames[0].Counter != 0 || frames[0].Marks&protocol.Replayed == 0 {
			t.Errorf("bound after Resume: %d frames, first %+v", len(frames), frames[:min(1, len(frames))])
		}
		// The ring itself is unmarked.
		mirror := b.sink(2, citra, Live)
		b.Resume(2, nil)
		b.Enable(2, 1)
		for _, f := range mirror.frames() {
			if f.Counter == 20 && f.Marks&protocol.Replayed == 0 {
				t.Error("replayed without saying so")
			}
		}
	})
}

func TestResumeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		live := b.sink(1, budi, Live)
		b.Enable(1, 1)
		b.speak(ana, 1, 0, 10)
		live.take()
		for range 100 {
			b.Resume(1, nil)
		}
		if got := len(live.frames()); got != 4*10 {
			t.Errorf("%d frames for a flood of Resumes, want those of 4", got)
		}
		if got := b.snapshot().Dropped.Resumes; got != 96 {
			t.Errorf("%d Resumes counted as dropped, want 96", got)
		}
	})
}

// A mirror stays one when it resumes, and what nobody may resume isn't.
func TestResumeKeepsTheMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		modes := []Mode{Warm, Live, Mirror, Up, Local}
		for i, m := range modes {
			b.sink(SinkID(i), budi, m)
			b.Resume(SinkID(i), nil)
		}
		want := []Mode{Live, Live, Mirror, Up, Local}
		for i, s := range b.snapshot().Sinks {
			if s.Mode != want[i] {
				t.Errorf("mode %d became %d, want %d", modes[i], s.Mode, want[i])
			}
		}
	})
}

// heard is a heartbeat or a frame with its time, for comparison.
type heard struct {
	at   time.Duration
	what string
}

// timeline gives what was sent, by the time since the first.
func (k *tape) timeline() []heard {
	var all []heard
	sent := k.take()
	for _, s := range sent {
		what := "frame"
		if s.is {
			what = [...]string{"alive", "starved", "idle"}[s.beat]
		}
		all = append(all, heard{s.at - sent[0].at, what})
	}
	return all
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		live, mirror := b.sink(1, budi, Live), b.sink(2, citra, Mirror)
		warm, up, local := b.sink(3, dewi, Warm), b.sink(4, dewi, Up), b.sink(5, "", Local)
		b.Enable(1, 1)
		b.Enable(2, 1)
		time.Sleep(time.Hour)
		equal(t, "a silent room says so and is silent", live.timeline(), []heard{
			{0, "idle"}, {20 * ms, "idle"}, {40 * ms, "idle"},
		})
		mirror.take()
		// One in time, one 22 ms late, then a pause, then the end.
		for i, pause := range []time.Duration{20 * ms, 42 * ms, 100 * ms} {
			b.Push(ana, frameOf(1, i))
			time.Sleep(pause)
		}
		b.Push(ana, marked(frameOf(1, 3), protocol.End))
		time.Sleep(time.Hour)
		want := []heard{
			{0, "frame"},
			{20 * ms, "frame"}, {45 * ms, "alive"},
			{62 * ms, "frame"}, {87 * ms, "alive"}, {107 * ms, "alive"}, {127 * ms, "alive"}, {147 * ms, "alive"},
			{162 * ms, "frame"}, {162 * ms, "idle"}, {182 * ms, "idle"}, {202 * ms, "idle"},
		}
		equal(t, "live", live.timeline(), want)
		equal(t, "mirror", mirror.timeline(), want)
		equal(t, "warm", warm.timeline(), nil)
		equal(t, "up", up.timeline(), nil)
		equal(t, "local", local.beats(), nil)
	})
}

// A sink that gets none of what is said still hears that the path is there.
func TestHeartbeatsToTheOnlySpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		live := b.sink(1, ana, Live)
		b.Enable(1, 1)
		time.Sleep(time.Second)
		live.take()
		b.speak(ana, 1, 0, 50)
		if got := len(live.beats()); got < 49 || got > 51 {
			t.Errorf("%d heartbeats in a second, want one each 20 ms", got)
		}
	})
}

func TestHotAndSpeaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		b.OpenSource(2, budi)
		b.Push(ana, marked(frameOf(1, 0), protocol.Start))
		b.Push(budi, marked(frameOf(2, 0), protocol.Start))
		equal(t, "two begin", b.take(), []Event{Hot{true}, Speaking{1, true}, Speaking{2, true}})
		b.Push(ana, marked(frameOf(1, 2), protocol.End))
		b.Push(ana, frameOf(1, 1)) // comes late, out of the talkspurt that ended
		equal(t, "one ends", b.take(), []Event{Speaking{1, false}})
		time.Sleep(protocol.HotFor - time.Millisecond)
		equal(t, "before HotFor", b.take(), nil)
		time.Sleep(time.Millisecond)
		equal(t, "unended", b.take(), []Event{Speaking{2, false}, Hot{false}})
		b.Push(ana, frameOf(1, 3))
		b.CloseSource(1)
		equal(t, "closed in a talkspurt", b.take(), []Event{Hot{true}, Speaking{1, true}, Speaking{1, false}, Hot{false}})
		b.Push(budi, frameOf(2, 3))
		b.Mute(2, true)
		equal(t, "muted in a talkspurt", b.take(), []Event{Hot{true}, Speaking{2, true}, Speaking{2, false}, Hot{false}})
	})
}

func TestMute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		live, local := b.sink(1, budi, Live), b.sink(2, "", Local)
		b.Enable(1, 1)
		b.speak(ana, 1, 0, 5)
		b.Mute(1, true)
		b.speak(ana, 1, 5, 10)
		b.Resume(1, nil)
		b.Mute(1, false)
		b.speak(ana, 1, 10, 200)
		equal(t, "live", live.counters(1), append(span(0, 5), span(10, 200)...))
		frames := local.frames()
		if len(frames) < 6 || frames[5].Counter != 10 || frames[5].Marks&protocol.Skipped == 0 || frames[6].Marks&protocol.Skipped != 0 {
			t.Errorf("after the mute: %+v", frames[5:7])
		}
		snap := b.snapshot()
		if snap.Sources[0].Lost != 0 || snap.Dropped.Muted != 5 {
			t.Errorf("%d lost, %d muted; want 0 and 5", snap.Sources[0].Lost, snap.Dropped.Muted)
		}
	})
}

// A child that becomes the standby when its relay goes has missed what that one
// still had to pass on.
func TestMirrorBeginsWithTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		warm := b.sink(1, budi, Warm)
		b.Enable(1, 1)
		for i := range 3 {
			b.Push(ana, frameOf(1, i))
		}
		if got := warm.frames(); len(got) != 0 {
			t.Fatalf("warm, it got %v", got)
		}
		b.SetMode(1, Mirror)
		b.Push(ana, frameOf(1, 3))
		got := warm.frames()
		if len(got) != 4 {
			t.Fatalf("it got %d frames, not the 3 of the ring and 1 that came", len(got))
		}
		for i, f := range got {
			if replayed := f.Marks&protocol.Replayed != 0; f.Timestamp != frameOf(1, i).Timestamp || replayed != (i < 3) {
				t.Errorf("frame %d: %+v", i, f)
			}
		}
	})
}
