package relay

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// listener collects what a Hearing gives out.
type listener struct {
	*Hearing
	given []uint16
	gaps  []time.Duration
}

func newListener() *listener { return &listener{Hearing: NewHearing()} }

func (l *listener) out(f *protocol.Frame) { l.given = append(l.given, f.Counter) }

// hear takes frame i of source 1 at a time, after what was due before.
func (l *listener) hear(i int, at time.Duration, marks protocol.Marks) {
	for due, ok := l.Next(); ok && due <= at; due, ok = l.Next() {
		l.Expire(due, l.out)
	}
	f := frameOf(1, i)
	f.Marks = marks
	if i == 0 {
		f.Marks |= protocol.Start
	}
	if gap := l.Take(f, at, l.out); gap != 0 {
		l.gaps = append(l.gaps, gap.Round(time.Millisecond))
	}
}

func at(i int) time.Duration { return time.Duration(i) * frameSpan }

func TestHearing(t *testing.T) {
	ms := time.Millisecond
	for name, c := range map[string]struct {
		hear  func(l *listener)
		given []uint16
		want  Heard
		gaps  []time.Duration
	}{
		"in order": {
			func(l *listener) {
				for i := range 5 {
					l.hear(i, at(i), 0)
				}
			},
			span(0, 5), Heard{Frames: 5}, nil,
		},
		"out of order and twice": {
			func(l *listener) {
				for n, i := range []int{0, 2, 2, 1, 1, 4, 0, 3} {
					l.hear(i, at(n), 0)
				}
			},
			span(0, 5), Heard{Frames: 5, Duplicates: 3, LongestGap: 100 * ms}, []time.Duration{100 * ms},
		},
		"the first one late": { // nothing says that 3 begins a talkspurt
			func(l *listener) {
				l.hear(3, at(3), 0)
				l.hear(4, at(4), 0)
				l.hear(2, at(6), 0)
				l.hear(5, at(20), 0)
			},
			span(2, 6), Heard{Frames: 4, LongestGap: 300 * ms}, []time.Duration{80 * ms},
		},
		"a hole given up, then filled": {
			func(l *listener) {
				l.hear(0, at(0), 0)
				for i := 3; i < 70; i++ {
					l.hear(i, at(i), 0)
				}
				l.hear(1, at(70), 0)
				l.hear(1, at(71), 0)
			},
			append([]uint16{0}, span(3, 70)...),
			Heard{Frames: 68, Lost: 1, Late: 1, Duplicates: 1}, nil,
		},
		"left out on purpose": {
			func(l *listener) {
				l.hear(0, at(0), 0)
				l.hear(50, at(50), protocol.Skipped)
			},
			[]uint16{0, 50}, Heard{Frames: 2}, nil,
		},
		"an outage, then the ring": {
			func(l *listener) {
				for i := range 10 {
					l.hear(i, at(i), 0)
				}
				for i := 8; i < 16; i++ {
					l.hear(i, at(15), protocol.Replayed)
				}
				l.hear(16, at(16), 0)
			},
			span(0, 17), Heard{Frames: 17, Resumed: 6, Duplicates: 2, LongestGap: 100 * ms}, []time.Duration{100 * ms},
		},
		"a ring to begin with": { // is no gap
			func(l *listener) {
				for i := range 50 {
					l.hear(i, at(50), protocol.Replayed)
				}
			},
			span(0, 50), Heard{Frames: 50, Resumed: 50}, nil,
		},
		"DTX": { // the counter goes on, the clock leaps
			func(l *listener) {
				for i := range 4 {
					f := frameOf(1, i)
					f.Timestamp *= 20
					f.Marks = protocol.Start * protocol.Marks(min(1, 1-min(i, 1)))
					l.Take(f, at(20*i), l.out)
				}
			},
			span(0, 4), Heard{Frames: 4}, nil,
		},
		"a clock 100 ppm slow": {
			func(l *listener) {
				for i := range 180_000 {
					l.hear(i, at(i)+at(i)/10_000, 0)
				}
			},
			nil, Heard{Frames: 180_000, LongestGap: 0}, nil,
		},
		"a talkspurt on another clock": {
			func(l *listener) {
				l.hear(0, at(0), 0)
				l.hear(1, at(1), protocol.End)
				l.hear(2, at(200), protocol.Start)
				l.hear(3, at(201), 0)
			},
			span(0, 4), Heard{Frames: 4}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newListener()
			c.hear(l)
			l.Flush(l.out)
			if _, ok := l.Next(); ok {
				t.Error("something still waits")
			}
			if c.given != nil {
				equal(t, "given out", l.given, c.given)
			}
			equal(t, "gaps", l.gaps, c.gaps)
			got := l.Summary()
			if got.Sources[0].Heard != got.Heard {
				t.Errorf("the only source's figures are not the sum's: %+v", got)
			}
			got.LongestGap = got.LongestGap.Round(time.Millisecond)
			if got.Heard != c.want {
				t.Errorf("got %+v, want %+v", got.Heard, c.want)
			}
		})
	}
}

// Whatever the network does within a hole's patience, each frame is given out
// once and in order, and those that never came are counted.
func TestHearingInAnyOrder(t *testing.T) {
	const n = 500
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		type arrival struct {
			i  int
			at time.Duration
		}
		var all []arrival
		want := span(0, 1)
		for i := range n {
			lost := i > 0 && i < n-1 && r.IntN(20) == 0
			if !lost && i > 0 {
				want = append(want, uint16(i))
			}
			for range 1 + r.IntN(2) {
				if !lost {
					all = append(all, arrival{i, at(i) + time.Duration(r.Int64N(int64(time.Second)))})
				}
			}
		}
		all[0].at = 0 // the first begins the talkspurt
		slices.SortStableFunc(all, func(a, b arrival) int { return int(a.at - b.at) })
		l := newListener()
		for _, a := range all {
			l.hear(a.i, a.at, 0)
		}
		l.Flush(l.out)
		if !slices.Equal(l.given, want) {
			t.Fatalf("seed %d: given out %v", seed, l.given)
		}
		sum := l.Summary()
		if sum.Lost != uint64(n-len(want)) || sum.Frames != uint64(len(want)) || sum.Late != 0 || int(sum.Frames+sum.Duplicates) != len(all) {
			t.Fatalf("seed %d: %+v of %d arrivals, %d frames", seed, sum, len(all), len(want))
		}
	}
}

func TestHearingStaysBounded(t *testing.T) {
	l := newListener()
	for i := range 10_000 { // every other frame is missing, time stands still
		l.hear(2*i, 0, 0)
	}
	if e := l.ears[0]; len(e.held) > maxHeld || len(e.holes) > maxHoles {
		t.Errorf("%d held, %d holes", len(e.held), len(e.holes))
	}
	for s := range protocol.Source(2 * maxEars) {
		l.Take(marked(frameOf(s+2, 0), protocol.Start), at(int(s)), l.out)
	}
	if len(l.ears) > maxEars {
		t.Errorf("%d ears", len(l.ears))
	}
	if sum := l.Summary(); sum.Frames < 2*maxEars {
		t.Errorf("%d frames in the sum: those of sources that made way are missing", sum.Frames)
	}
}

func TestHearingAfterADayOfSilence(t *testing.T) {
	l := newListener()
	l.hear(0, 0, 0)
	f := frameOf(1, 1)
	f.Timestamp -= 1 << 31 // by signed difference older than the first
	f.Marks = protocol.Start
	l.Take(f, 13*time.Hour, l.out)
	equal(t, "given out", l.given, []uint16{0, 1})
}
