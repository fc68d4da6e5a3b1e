package relay

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// script is what a file or a pipe does, packet by packet.
type script []struct {
	after  time.Duration // how long the packet takes to come
	gap    time.Duration
	packet []byte
}

func (s script) next() func(context.Context) ([]byte, time.Duration, error) {
	i := 0
	return func(ctx context.Context) ([]byte, time.Duration, error) {
		if i == len(s) {
			return nil, 0, io.EOF
		}
		select {
		case <-time.After(s[i].after):
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		i++
		return s[i-1].packet, s[i-1].gap, nil
	}
}

// spoken is a frame with the time at which it was pushed.
type spoken struct {
	at    time.Duration
	ticks int // since the first frame
	marks protocol.Marks
}

func speak(t *testing.T, s script) ([]spoken, error) {
	t.Helper()
	start := time.Now()
	v := &Voice{Source: 1, Wall: time.Now}
	var all []spoken
	var first uint32
	var counter uint16
	n, err := v.Speak(t.Context(), s.next(), func(f *protocol.Frame) {
		if len(all) == 0 {
			first = f.Timestamp
		}
		if f.Counter != counter {
			t.Errorf("counter %d, want %d", f.Counter, counter)
		}
		counter++
		all = append(all, spoken{time.Since(start), int(f.Timestamp - first), f.Marks})
	})
	if n != len(all) {
		t.Errorf("said %d frames, pushed %d", n, len(all))
	}
	return all, err
}

var (
	ms10 = []byte{0x40, 1} // SILK, 10 ms (RFC 6716, table 2)
	ms20 = []byte{0x48, 1}
	ms60 = []byte{0x58, 1}
)

const millisecond = 48 // ticks

func TestVoice(t *testing.T) {
	ms := time.Millisecond
	for name, c := range map[string]struct {
		script script
		want   []spoken
	}{
		"a file": {
			script{{0, 0, ms20}, {0, 0, ms10}, {0, 0, ms60}, {0, 0, ms20}},
			[]spoken{
				{5 * ms, 0, protocol.Start},
				{25 * ms, 20 * millisecond, 0},
				{35 * ms, 30 * millisecond, 0},
				{95 * ms, 90 * millisecond, protocol.End},
			},
		},
		"one packet": {
			script{{0, 0, ms20}},
			[]spoken{{5 * ms, 0, protocol.Start | protocol.End}},
		},
		"a file with silence in it": {
			script{{0, 0, ms20}, {0, 0, ms20}, {0, time.Second, ms20}, {0, 0, ms20}},
			[]spoken{
				{5 * ms, 0, protocol.Start},
				{25 * ms, 20 * millisecond, protocol.End},
				{1045 * ms, 1040 * millisecond, protocol.Start},
				{1065 * ms, 1060 * millisecond, protocol.End},
			},
		},
		"a live pipe with jitter": {
			script{{0, 0, ms20}, {20 * ms, 0, ms20}, {30 * ms, 0, ms20}, {10 * ms, 0, ms20}},
			[]spoken{
				{5 * ms, 0, protocol.Start},
				{25 * ms, 20 * millisecond, 0},
				{50 * ms, 40 * millisecond, 0}, // 5 ms late, timestamp as if not
				{65 * ms, 60 * millisecond, protocol.End},
			},
		},
		"a pipe that is caught up with": {
			script{{0, 0, ms20}, {150 * ms, 0, ms20}, {0, 0, ms20}, {0, 0, ms20}, {0, 0, ms20}, {0, 0, ms20}, {0, 0, ms20}, {0, 0, ms20}, {0, 0, ms20}},
			[]spoken{
				{5 * ms, 0, protocol.Start},
				{150 * ms, 20 * millisecond, 0},
				{150 * ms, 40 * millisecond, 0},
				{150 * ms, 60 * millisecond, 0},
				{150 * ms, 80 * millisecond, 0},
				{150 * ms, 100 * millisecond, 0},
				{150 * ms, 120 * millisecond, 0},
				{150 * ms, 140 * millisecond, 0},
				{165 * ms, 160 * millisecond, protocol.End},
			},
		},
		"a pipe that stalls": {
			script{{0, 0, ms20}, {500 * ms, 0, ms20}, {0, 0, ms20}},
			[]spoken{
				{5 * ms, 0, protocol.Start},
				{500 * ms, 495 * millisecond, protocol.Start},
				{520 * ms, 515 * millisecond, protocol.End},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := speak(t, c.script)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "frames", got, c.want)
			})
		})
	}
}

func TestVoiceKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(script, 30_000)
		for i := range s {
			s[i].packet = ms20
		}
		got, err := speak(t, s)
		if err != nil {
			t.Fatal(err)
		}
		last := got[len(got)-1]
		if want := 29_999 * 20 * time.Millisecond; last.at != want+lead || last.ticks != 29_999*frameTicks {
			t.Errorf("last frame at %v with timestamp %d, want %v and %d", last.at, last.ticks, want+lead, 29_999*frameTicks)
		}
	})
}

func TestVoiceNeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, back := time.Now(), time.Duration(0)
		v := &Voice{Wall: func() time.Time { return time.Now().Add(-back) }, Level: func([]byte) uint8 { return 200 }}
		var timestamps []uint32
		push := func(f *protocol.Frame) {
			timestamps = append(timestamps, f.Timestamp)
			if f.Level != quietest {
				t.Errorf("level %d, want it bounded", f.Level)
			}
		}
		s := script{{0, 0, ms20}, {0, time.Second, ms20}}
		for range 2 {
			if _, err := v.Speak(t.Context(), s.next(), push); err != nil {
				t.Fatal(err)
			}
			back = time.Hour // somebody sets the clock
		}
		if want := uint32(start.Add(lead).UnixMicro() * 48 / 1000); timestamps[0] != want {
			t.Errorf("first timestamp %d, want the wall clock's %d", timestamps[0], want)
		}
		if timestamps[2] != timestamps[1]+frameTicks {
			t.Errorf("after the clock went back: %d after %d", timestamps[2], timestamps[1])
		}
	})
}

func TestVoiceRefuses(t *testing.T) {
	// 1,000 bytes in 20 ms are 400 kbit/s: the burst allowed lasts so many.
	const spent = 2 * protocol.MaxBitsASecond / (8000 - protocol.MaxBitsASecond/50)
	fat := func(n int) script {
		s := make(script, n)
		for i := range s {
			s[i].packet = append([]byte{0x48}, make([]byte, 999)...)
		}
		return s
	}
	for name, c := range map[string]struct {
		script script
		want   error
		frames int
	}{
		"2.5 ms":             {script{{0, 0, ms20}, {0, 0, []byte{0xe0, 1}}}, protocol.ErrPacketSpan, 1},
		"120 ms":             {script{{0, 0, []byte{0x59, 1, 1}}}, protocol.ErrPacketSpan, 0},
		"too large":          {script{{0, 0, append([]byte{0x48}, make([]byte, protocol.MaxPacketBytes)...)}}, protocol.ErrLarge, 0},
		"too many bits":      {fat(2 * spent), ErrBitRate, spent - 1},
		"many, but not long": {fat(spent - 1), nil, spent - 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := speak(t, c.script)
				if !errors.Is(err, c.want) || len(got) != c.frames {
					t.Errorf("%d frames, %v; want %d, %v", len(got), err, c.frames, c.want)
				}
			})
		})
	}
}

func TestVoiceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 70*time.Millisecond)
		defer cancel()
		s := script{{0, 0, ms20}, {0, 0, ms20}, {time.Hour, 0, ms20}}
		v := &Voice{Wall: time.Now}
		n, err := v.Speak(ctx, s.next(), func(*protocol.Frame) {})
		if n != 2 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d frames, %v", n, err)
		}
	})
}
