package relay

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Whatever order and number of copies two parents bring, each sink gets each
// frame once, and the ring replays them in order.
func TestEachFrameOnce(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			b := newBench(t)
			b.OpenSource(1, ana)
			sinks := []*tape{b.sink(1, citra, Live), b.sink(2, citra, Mirror), b.sink(3, "", Local)}
			b.Enable(1, 1)
			const n = 300
			base := r.Uint32() // somewhere the timestamp and the counter wrap
			if seed%2 == 0 {
				base = 1<<32 - n/2*frameTicks
			}
			counter := uint16(r.Uint32())
			arrivals := make([][]int, n+45)
			for i := range n {
				for range 1 + r.IntN(3) {
					at := i + r.IntN(45) // up to 0.9 s late
					arrivals[at] = append(arrivals[at], i)
				}
			}
			for at, frames := range arrivals {
				r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
				for _, i := range frames {
					f := frameOf(1, i)
					f.Timestamp += base
					f.Counter += counter
					b.Push([]protocol.PeerID{budi, dewi}[r.IntN(2)], f)
				}
				switch at {
				case 20:
					b.Enable(2, 1)
				case 100:
					b.Disable(1, 1)
				case 120:
					b.Enable(1, 1)
				}
				time.Sleep(frameSpan)
			}
			for k, sink := range sinks {
				times := make([]int, n)
				for _, f := range sink.frames() {
					times[f.Counter-counter]++
				}
				if i := slices.IndexFunc(times, func(n int) bool { return n != 1 }); i >= 0 {
					t.Fatalf("seed %d: sink %d got frame %d %d times", seed, k, i, times[i])
				}
			}
			b.Resume(2, nil)
			last := -1
			for _, f := range sinks[1].frames() {
				if i := int(f.Counter - counter); i <= last {
					t.Fatalf("seed %d: replayed %d after %d", seed, i, last)
				} else {
					last = i
				}
			}
			if last != n-1 {
				t.Errorf("seed %d: the replay ends with frame %d", seed, last)
			}
		})
	}
}

// A child whose parent dies resumes on another and loses none.
func TestResumeLosesNone(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			first, second, child := newBench(t), newBench(t), newBench(t)
			for _, b := range []*bench{first, second, child} {
				b.OpenSource(1, ana)
				b.OpenSource(2, ana)
			}
			// Each parent's link to the child loses and delays.
			link := func(b *bench, from protocol.PeerID, mode Mode) *wire {
				w := &wire{child: child, from: from, r: rand.New(rand.NewPCG(seed, uint64(mode)))}
				b.AddSink(1, dewi, mode, w)
				b.Enable(1, 1)
				b.Enable(1, 2)
				return w
			}
			dying := link(first, budi, Live)
			link(second, citra, Warm)
			child.Watch(budi)
			local := child.sink(1, "", Local)

			dies := 40 + r.IntN(20)
			for i := range 100 {
				if i == dies {
					dying.dead.Store(true)
				}
				for s := protocol.Source(1); s <= 2; s++ {
					first.Push(ana, frameOf(s, i))
					second.Push(ana, frameOf(s, i))
				}
				time.Sleep(frameSpan)
				for _, s := range child.silences() {
					second.Resume(1, s.Positions)
					child.Watch(citra)
				}
			}
			time.Sleep(2 * time.Second)
			heard := local.frames()
			for s := protocol.Source(1); s <= 2; s++ {
				counters := []uint16{}
				for _, f := range heard {
					if f.Source == s {
						counters = append(counters, f.Counter)
					}
				}
				slices.Sort(counters)
				equal(t, "heard", counters, span(0, 100))
			}
			for _, s := range child.snapshot().Sources {
				if s.Lost != 0 || s.Frames != 100 || s.Resumed == 0 {
					t.Errorf("seed %d: %+v", seed, s)
				}
			}
		})
	}
}

// wire carries frames to a child; one in ten is lost and comes 60 ms later, as
// a NACK would have it. What is under way when it dies is lost.
type wire struct {
	child *bench
	from  protocol.PeerID
	r     *rand.Rand
	dead  atomic.Bool
}

func (w *wire) Send(f *protocol.Frame) bool {
	fr := *f
	fr.Packet = slices.Clone(f.Packet)
	delay := 5 * time.Millisecond
	if w.r.IntN(10) == 0 {
		delay += 60 * time.Millisecond
	}
	time.AfterFunc(delay, func() {
		if !w.dead.Load() {
			w.child.Push(w.from, &fr)
		}
	})
	return true
}

func (w *wire) Beat(b protocol.Beat) {
	if !w.dead.Load() {
		w.child.Heard(w.from, b)
	}
}

func TestLost(t *testing.T) {
	for name, c := range map[string]struct {
		marks   map[int]protocol.Marks // of the frames that come; nil: none
		missing []int
		want    uint64
	}{
		"none":        {nil, nil, 0},
		"three":       {nil, []int{10, 20, 21}, 3},
		"left out":    {map[int]protocol.Marks{22: protocol.Skipped}, []int{10, 20, 21}, 1},
		"too young":   {nil, []int{10, 195}, 1},
		"the newest":  {nil, []int{198, 199}, 0},
		"the first":   {nil, []int{0, 1}, 0},
		"just a mark": {map[int]protocol.Marks{5: protocol.Skipped}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.OpenSource(1, ana)
				for i := range 200 {
					f := marked(frameOf(1, i), c.marks[i])
					f.Counter += 0xff80 // wraps on the way
					if !slices.Contains(c.missing, i) {
						b.Push(budi, f)
					}
					time.Sleep(frameSpan)
				}
				if got := b.snapshot().Sources[0].Lost; got != c.want {
					t.Errorf("%d lost, want %d", got, c.want)
				}
			})
		})
	}
}

// A counter that leaps can't make more lost than there is time for.
func TestLostIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		for i := range 300 {
			f := frameOf(1, i)
			f.Counter *= 12345
			b.Push(ana, f)
			time.Sleep(frameSpan)
		}
		if got := b.snapshot().Sources[0].Lost; got > 300 {
			t.Errorf("%d lost of 300", got)
		}
	})
}

func TestPositions(t *testing.T) {
	for name, c := range map[string]struct {
		missing []int
		want    int
	}{
		"no hole":                 {nil, 99},
		"a young hole":            {[]int{97}, 89},
		"an older hole":           {[]int{70, 97}, 69},
		"a hole older than rings": {[]int{20}, 99},
		"only the newest missing": {[]int{99}, 98},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.OpenSource(1, ana)
				b.OpenSource(2, ana) // says nothing, is not named
				for i := range 100 {
					if !slices.Contains(c.missing, i) {
						b.Push(budi, frameOf(1, i))
					}
					time.Sleep(frameSpan)
				}
				equal(t, "positions", b.snapshot().Positions, []Position{{1, uint32(c.want * frameTicks)}})
			})
		})
	}
}

func TestRates(t *testing.T) {
	const ( // in the seconds that 1,000 frames take, and the burst
		packets = 4 * protocol.MaxPacketsASecond
		bits    = 22 * protocol.MaxBitsASecond
	)
	for name, c := range map[string]struct {
		bytes  int
		pause  time.Duration
		copies int
		want   func(frames int) bool
	}{
		"20 ms from two parents": {80, 20 * time.Millisecond, 2, func(n int) bool { return n == 1000 }},
		"10 ms from two parents": {150, 10 * time.Millisecond, 2, func(n int) bool { return n == 1000 }},
		"too many packets":       {10, 2 * time.Millisecond, 1, func(n int) bool { return n > packets-20 && n <= packets+1 }},
		"too many bits":          {1000, 20 * time.Millisecond, 1, func(n int) bool { return n > bits/8000-20 && n <= bits/8000+1 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.OpenSource(1, ana)
				for i := range 1000 {
					f := frameOf(1, i)
					f.Packet = make([]byte, c.bytes)
					for range c.copies {
						b.Push(ana, f)
					}
					time.Sleep(c.pause)
				}
				snap := b.snapshot()
				if got := int(snap.Sources[0].Frames); !c.want(got) || uint64(got)+snap.Dropped.TooFast != 1000 {
					t.Errorf("%d frames passed, %d were dropped", got, snap.Dropped.TooFast)
				}
			})
		})
	}
}

func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		b.Push(ana, frameOf(1, 0))
		b.Push(ana, frameOf(1, 200))
		b.Push(ana, frameOf(1, 99)) // 2.02 s old
		b.Push(ana, frameOf(1, 100))
		snap := b.snapshot()
		if snap.Dropped.Stale != 1 || snap.Sources[0].Frames != 3 {
			t.Errorf("%+v", snap)
		}
		// After half a day signed differences have turned over.
		time.Sleep(13 * time.Hour)
		f := frameOf(1, 1)
		f.Timestamp += uint32(13 * 3600 * protocol.ClockRate % (1 << 32))
		b.Push(ana, f)
		if got := b.snapshot().Sources[0].Frames; got != 4 {
			t.Errorf("%d frames after a long silence, want 4", got)
		}
	})
}

// A ring's frames stay within what signed differences of timestamps reach,
// however rarely one comes.
func TestRareFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.OpenSource(1, ana)
		for i := range 300 {
			f := frameOf(1, i*50*60*50)
			f.Counter = uint16(i)
			b.Push(ana, f)
			time.Sleep(50 * time.Minute)
		}
		if s := b.snapshot().Sources[0]; s.Frames != 300 || s.Lost != 0 {
			t.Errorf("%+v", s)
		}
		if n := b.sources[1].ring.n; n != 1 {
			t.Errorf("%d frames kept, want the newest", n)
		}
	})
}

func TestAtMostMaxSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for s := range protocol.Source(2 * protocol.MaxSources) {
			b.OpenSource(s+1, ana)
			b.OpenSource(s+1, budi) // the first owner stays
		}
		if got := len(b.snapshot().Sources); got != protocol.MaxSources {
			t.Fatalf("%d sources open, want %d", got, protocol.MaxSources)
		}
		b.CloseSource(7)
		b.CloseSource(7)
		b.OpenSource(1000, ana)
		live := b.sink(1, budi, Live)
		b.Enable(1, 1000)
		b.Push(ana, frameOf(1000, 0))
		equal(t, "in a closed one's place", live.counters(1000), []uint16{0})
		if s := b.snapshot().Sources[0]; s.Owner != ana {
			t.Errorf("owner %s", s.Owner)
		}
	})
}
