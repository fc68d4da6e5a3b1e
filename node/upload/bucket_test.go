package upload

import (
	"math/rand/v2"
	"testing"
	"time"
)

// taken is one success of a bucket.
type taken struct {
	at    time.Duration
	bytes int
}

// mostIn gives the most bytes that any window of so long saw.
func mostIn(window time.Duration, all []taken) (most int) {
	sum, first := 0, 0
	for _, t := range all {
		sum += t.bytes
		for all[first].at <= t.at-window {
			sum -= all[first].bytes
			first++
		}
		most = max(most, sum)
	}
	return most
}

func TestNoWindowOfASecondExceedsTheLimit(t *testing.T) {
	for _, limit := range []int64{Least, 250_000, 1_000_000, 20_000_000, 10_000_000_000} {
		m := New(Config{Limit: limit})
		random := rand.New(rand.NewPCG(uint64(limit), 1))
		var all []taken
		total, ends := 0, 4*time.Second
		step := max(m.cost(1500)/8, time.Microsecond)
		for now := time.Duration(0); now < ends; now += time.Duration(random.Int64N(int64(step))) {
			if random.IntN(200_000) == 0 {
				now += time.Duration(random.Int64N(int64(time.Second))) // all stands still
			}
			bytes, keep := 60+random.IntN(leastBurst-60), time.Duration(0)
			if random.IntN(2) == 0 {
				keep = m.keep
			}
			if m.bucket.take(now, m.cost(bytes), keep) == 0 {
				all, total = append(all, taken{now, bytes}), total+bytes
			}
		}
		if most := mostIn(time.Second, all); int64(most) > limit/8*ceiling/100+1 {
			t.Errorf("%d bit/s: %d bytes in a second", limit, most)
		}
		if limit <= 20_000_000 && int64(total) < limit/8*5/10*4 {
			t.Errorf("%d bit/s: only %d bytes in %v", limit, total, ends)
		}
	}
}

func TestControlFindsItsReserve(t *testing.T) {
	m := New(Config{Limit: 1_000_000})
	now := time.Hour
	for m.bucket.take(now, m.cost(250), m.keep) == 0 {
	}
	for i := range 2 {
		if wait := m.bucket.take(now, m.cost(1300), 0); wait > 0 {
			t.Fatalf("packet %d of control has to wait %v behind media", i, wait)
		}
	}
	if m.bucket.take(now, m.cost(1300), 0) == 0 {
		t.Error("more than the burst was there")
	}
}

func TestWaitIsEnough(t *testing.T) {
	m := New(Config{Limit: 1_000_000})
	now := time.Hour
	for range 1000 {
		wait := m.bucket.take(now, m.cost(1300), 0)
		if wait == 0 {
			continue
		}
		if m.bucket.take(now+wait-2, m.cost(1300), 0) == 0 {
			t.Fatalf("a shorter wait than %v was enough", wait)
		}
		now += wait
		if again := m.bucket.take(now, m.cost(1300), 0); again != 0 {
			t.Fatalf("after %v, another %v", wait, again)
		}
	}
}

func TestDebtIsPaidBeforeAnythingElse(t *testing.T) {
	m := New(Config{Limit: 1_000_000})
	now := time.Hour
	m.bucket.owe(now, 3*time.Second)
	wait := m.bucket.take(now, m.cost(100), 0)
	if left := 3*time.Second + m.cost(100) - m.bucket.burst; wait != left {
		t.Errorf("waits %v, want %v", wait, left)
	}
}

func TestBytesOnTheWire(t *testing.T) {
	for _, c := range []struct {
		payload int
		ip6     bool
		want    int
	}{
		{0, false, 42}, {200, false, 242}, {200, true, 262}, {1472, false, 1514}, {1452, true, 1514},
		{1473, false, 1473 + 8 + 2*34}, {1453, true, 1453 + 8 + 2*62}, {4000, false, 4008 + 3*34},
	} {
		if got := datagramBytes(c.payload, c.ip6); got != c.want {
			t.Errorf("%d bytes, IPv6 %v: %d on the wire, want %d", c.payload, c.ip6, got, c.want)
		}
	}
}

func TestUrgent(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"STUN", []byte{0, 1, 0, 0}, true}, {"DTLS", []byte{22, 254, 253}, true}, {"receiver report", []byte{0x81, 201, 0, 7}, true},
		{"NACK", []byte{0x81, 205, 0, 3}, true}, {"RTP", []byte{0x90, 111, 0, 1}, false}, {"RTP with marker", []byte{0x90, 239, 0, 1}, false}, {"nothing", nil, false},
	} {
		if urgent(c.b) != c.want {
			t.Errorf("%s: urgent %v", c.name, !c.want)
		}
	}
}
