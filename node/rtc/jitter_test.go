package rtc

import (
	"math/rand/v2"
	"testing"
	"time"
)

// journey is one packet's.
type journey struct{ sent, came time.Duration }

// play has a jitter buffer hold packets and gives when each was released.
func play(t *testing.T, j *jitter, way []journey, clock func(time.Duration) time.Duration) []time.Duration {
	t.Helper()
	var released []time.Duration
	release := func(at time.Duration) {
		for {
			b, ok := j.next(at)
			if !ok {
				return
			}
			if want := byte(len(released)); b[0] != want {
				t.Fatalf("packet %d came in place of %d", b[0], want)
			}
			released = append(released, at)
		}
	}
	for i, w := range way {
		for at, ok := j.wake(); ok && at <= w.came; at, ok = j.wake() {
			release(at)
		}
		var b [sendTimeBytes]byte
		putSendTime(b[:], clock(w.sent))
		j.put([]byte{byte(i), 1, 2}, takeSendTime(b[:]), w.came)
		release(w.came)
	}
	for at, ok := j.wake(); ok; at, ok = j.wake() {
		release(at)
	}
	if len(released) != len(way) {
		t.Fatalf("%d packets of %d", len(released), len(way))
	}
	return released
}

// speech gives n packets, 20 ms apart, that take what transit says.
func speech(n int, transit func(i int) time.Duration) []journey {
	way := make([]journey, n)
	last := time.Duration(0)
	for i := range way {
		sent := time.Duration(i) * 20 * ms
		last = max(last, sent+transit(i)) // a stream keeps order
		way[i] = journey{sent, last}
	}
	return way
}

func same20(released []time.Duration, from int) (worst time.Duration) {
	for i := from + 1; i < len(released); i++ {
		worst = max(worst, (released[i] - released[i-1] - 20*ms).Abs())
	}
	return worst
}

func identity(at time.Duration) time.Duration { return at }

func TestJitterSmoothsBursts(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	lost := time.Duration(-time.Second)
	way := speech(3000, func(i int) time.Duration {
		now := time.Duration(i) * 20 * ms
		if random.IntN(100) == 0 && now > lost+time.Second {
			lost = now
		}
		if now < lost+90*ms { // until the retransmission is there
			return 25*ms + 90*ms - (now - lost)
		}
		return 25 * ms
	})
	released := play(t, &jitter{}, way, identity)
	if worst := same20(released, 0); worst > ms {
		t.Errorf("off by %v", worst)
	}
	for i, at := range released {
		if held := at - way[i].sent; held > 25*ms+minDelay+ms {
			t.Fatalf("packet %d: %v after it was sent", i, held)
		}
	}
}

func TestJitterAdapts(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var j jitter
	play(t, &j, speech(500, func(int) time.Duration { return time.Duration(random.IntN(150)) * ms }), identity)
	if d := j.delay(); d < 130*ms || d > 160*ms {
		t.Errorf("a spread of 150 ms: %v", d)
	}
	j = jitter{}
	play(t, &j, speech(500, func(int) time.Duration { return time.Duration(random.IntN(900)) * ms }), identity)
	if d := j.delay(); d != maxDelay {
		t.Errorf("a spread of 900 ms: %v", d)
	}
	calm := speech(3000, func(int) time.Duration { return 25 * ms })
	for i := range calm {
		calm[i].sent += 10 * time.Second
		calm[i].came += 10 * time.Second
	}
	play(t, &j, calm, identity)
	if d := j.delay(); d != minDelay {
		t.Errorf("calm again: %v", d)
	}
}

func TestLatePassesAtOnce(t *testing.T) {
	way := speech(200, func(i int) time.Duration {
		if i == 100 {
			return time.Second
		}
		return 10 * ms
	})
	released := play(t, &jitter{}, way, identity)
	for i := 100; i < 140; i++ {
		if held := released[i] - way[i].came; held != 0 {
			t.Errorf("packet %d, %v late, was held for %v", i, way[i].came-way[i].sent, held)
		}
	}
}

func TestJitterAndClocks(t *testing.T) {
	const fiveMinutes = 15000 // packets: over four ranges of the send time
	for _, x := range []struct {
		name  string
		clock func(time.Duration) time.Duration
		worst time.Duration
	}{
		{"wrap", identity, ms},
		{"far along", func(at time.Duration) time.Duration { return at + 300*24*time.Hour }, ms},
		{"fast", func(at time.Duration) time.Duration { return at + at/2000 }, 12 * ms},
		{"slow", func(at time.Duration) time.Duration { return at - at/2000 }, 12 * ms},
	} {
		way := speech(fiveMinutes, func(i int) time.Duration { return 25*ms + time.Duration(i%3)*ms })
		released := play(t, &jitter{}, way, x.clock)
		for i, at := range released {
			if held := at - way[i].came; held > minDelay+ms || held < minDelay-x.worst-3*ms {
				t.Fatalf("%s: packet %d was held for %v", x.name, i, held)
			}
		}
	}
}

func TestJitterAndSendersThatBeginAnew(t *testing.T) {
	for _, jump := range []time.Duration{-20 * time.Second, -200 * ms, 200 * ms, 3 * time.Second, 20 * time.Second, 31 * time.Second} {
		way := speech(3000, func(int) time.Duration { return 25 * ms })
		clock := func(at time.Duration) time.Duration {
			if at > 10*time.Second {
				at += jump
			}
			return at + time.Minute
		}
		released := play(t, &jitter{}, way, clock)
		for i, at := range released {
			if held := at - way[i].came; held > maxDelay || held < 0 {
				t.Fatalf("clock jumps by %v: packet %d was held for %v", jump, i, held)
			}
		}
		if worst := same20(released, 1600); worst > ms {
			t.Errorf("clock jumps by %v: 20 s later off by %v", jump, worst)
		}
	}
	// A pause of whole ranges of the send time.
	way := speech(200, func(int) time.Duration { return 25 * ms })
	for i := 100; i < 200; i++ {
		way[i].sent += 64*time.Second + 20*ms
		way[i].came += 64*time.Second + 20*ms
	}
	for i, at := range play(t, &jitter{}, way, identity) {
		if held := at - way[i].came; (held - minDelay).Abs() > ms {
			t.Fatalf("packet %d was held for %v", i, held)
		}
	}
}

func TestJitterIsBounded(t *testing.T) {
	var j jitter
	packet := make([]byte, 1000)
	out := 0
	for range 10 * maxHeldPackets {
		j.put(packet, 0, 0)
		for _, ok := j.next(0); ok; _, ok = j.next(0) {
			out++
		}
		if j.len() > maxHeldPackets || j.bytes > maxHeldBytes || len(j.held) > 2*maxHeldPackets+2 || len(j.spare) > maxSpare {
			t.Fatalf("%d packets, %d bytes, %d places, %d spare", j.len(), j.bytes, len(j.held), len(j.spare))
		}
	}
	if out+j.len() != 10*maxHeldPackets {
		t.Errorf("%d packets are gone", 10*maxHeldPackets-out-j.len())
	}
}

func TestSendTime(t *testing.T) {
	for _, at := range []time.Duration{0, 1, 500 * ms, time.Second, 63999 * ms, 64 * time.Second, 1000 * time.Hour, 1<<63 - 1} {
		for _, later := range []time.Duration{0, 20 * ms, 31 * time.Second} {
			var a, b [sendTimeBytes]byte
			putSendTime(a[:], at-later)
			putSendTime(b[:], at)
			if got := sendTimeSince(takeSendTime(b[:]), takeSendTime(a[:])); at >= later && (got-later).Abs() > 8*time.Microsecond {
				t.Errorf("%v after %v: %v", later, at-later, got)
			}
		}
	}
}
