package rtc

import (
	"bytes"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"github.com/earshot-audio/earshot/protocol"
)

// dryDetour gives an outlet whose packets go to d.
func dryDetour(d Detour) *Outlet {
	l, _ := dry(&sentPackets{})
	l.out.turn(nil, d)
	o := l.Outlet(2)
	o.Bind(1, 1)
	return o
}

// kept is a Detour that keeps what it gets.
type kept struct{ all [][]byte }

func (k *kept) Send(b []byte) bool {
	k.all = append(k.all, bytes.Clone(b))
	return true
}

// sink is a Detour that keeps nothing.
type sink struct{}

func (sink) Send([]byte) bool { return true }

// at is a Receiver that keeps when frames came.
type at struct {
	discard
	mu   sync.Mutex
	came []time.Time
}

func (a *at) Push(protocol.PeerID, *protocol.Frame) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.came = append(a.came, time.Now())
}

// used says whether the detour's goroutine is there.
func (in *inbound) used() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.running
}

// A stream that stands still for a retransmission is heard as if it had not,
// and its goroutine goes when it ends.
func TestBurstsAreSmoothed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kept
		o := dryDetour(&k)
		l, _ := dry(&sentPackets{})
		var heard at
		l.Accept(1, 1, &heard)
		for n := range 100 {
			o.Send(frameOf(1, n))
			if n%25 < 20 || n%25 == 24 { // else it waits for the next
				for _, b := range k.all {
					l.Detoured(b)
				}
				k.all = nil
			}
			time.Sleep(20 * ms)
		}
		time.Sleep(detourIdle - 21*ms) // the last packet came 20 ms ago
		if !l.in.used() || l.Stats().Jitter == 0 {
			t.Error("the detour is not in use any more")
		}
		time.Sleep(2 * ms)
		if l.in.used() || l.Stats().Jitter != 0 {
			t.Error("the detour is in use still")
		}
		if len(heard.came) != 100 {
			t.Fatalf("%d frames", len(heard.came))
		}
		for i := range heard.came[1:] {
			if pause := heard.came[i+1].Sub(heard.came[i]); pause < 19*ms || pause > 21*ms {
				t.Errorf("%v between frames %d and %d", pause, i, i+1)
			}
		}
		l.cancel()
		l.in.end()
	})
}

func TestDropsAtTheSenderAreLost(t *testing.T) {
	l, _ := dry(&sentPackets{})
	for _, x := range []struct {
		sequence uint16
		lost     int
	}{{500, 0}, {501, 0}, {505, 3}, {65000, 0}, {65535, 534}, {1, 1}, {0, 0}, {1, 0}, {20000, 0}} {
		if lost := l.in.skipped(x.sequence); lost != x.lost {
			t.Errorf("%d: %d lost", x.sequence, lost)
		}
	}
}

func TestHostileDetour(t *testing.T) {
	l, _ := dry(&sentPackets{})
	defer func() {
		l.cancel()
		l.in.end()
	}()
	l.Accept(1, 11, discard{})
	l.Accept(2, 0, discard{})
	good := func() (*rtp.Header, []byte) {
		h := &rtp.Header{Version: 2, PayloadType: detourPayloadType, SSRC: detourSSRC, CSRC: []uint32{1}}
		_ = h.SetExtension(detourLevelID, []byte{1})
		_ = h.SetExtension(detourFrameID, []byte{0, 1, 0})
		_ = h.SetExtension(detourSentID, []byte{0, 1, 0})
		return h, packetOf(1, 30)
	}
	send := func(h *rtp.Header, payload []byte) {
		b, err := (&rtp.Packet{Header: *h, Payload: payload}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		l.Detoured(b)
		l.in.flush()
	}
	for i, x := range []struct {
		name string
		edit func(h *rtp.Header, payload *[]byte)
	}{
		{"payload type", func(h *rtp.Header, _ *[]byte) { h.PayloadType = 96 }},
		{"SSRC", func(h *rtp.Header, _ *[]byte) { h.SSRC = 7 }},
		{"no CSRC", func(h *rtp.Header, _ *[]byte) { h.CSRC = nil }},
		{"no send time", func(h *rtp.Header, _ *[]byte) { _ = h.DelExtension(detourSentID) }},
		{"short send time", func(h *rtp.Header, _ *[]byte) { _ = h.SetExtension(detourSentID, []byte{1}) }},
		{"no level", func(h *rtp.Header, _ *[]byte) { _ = h.DelExtension(detourLevelID) }},
		{"empty", func(_ *rtp.Header, p *[]byte) { *p = nil }},
		{"too large", func(_ *rtp.Header, p *[]byte) { *p = packetOf(1, protocol.MaxPacketBytes+1) }},
		{"larger than a packet may be", func(_ *rtp.Header, p *[]byte) { *p = packetOf(1, receiveMTU) }},
		{"2.5 ms", func(_ *rtp.Header, p *[]byte) { *p = []byte{28 << 3, 1, 2} }},
		{"unknown heartbeat", func(h *rtp.Header, p *[]byte) { h.CSRC[0], *p = 2, []byte{9} }},
	} {
		h, payload := good()
		x.edit(h, &payload)
		send(h, payload)
		if got := l.Stats().Malformed; got != uint64(i+1) {
			t.Fatalf("%s: %+v", x.name, l.Stats())
		}
	}
	h, payload := good()
	h.CSRC[0] = 99
	send(h, payload)
	if s := l.Stats(); s.Unbound != 1 {
		t.Errorf("%+v", s)
	}
}

func FuzzDetoured(f *testing.F) {
	var k kept
	o := dryDetour(&k)
	o.Send(frameOf(1, 1))
	o.Beat(protocol.Idle)
	for _, b := range k.all {
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(b[:12])
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		l, _ := dry(&sentPackets{})
		l.Accept(1, 1, discard{})
		l.Accept(2, 0, discard{})
		l.Detoured(b)
		l.Detoured(b)
		l.in.flush()
		l.cancel()
		l.in.end()
	})
}

func TestDetourAllocatesNothing(t *testing.T) {
	o := dryDetour(sink{})
	f := frameOf(1, 80)
	o.Send(f)
	if n := testing.AllocsPerRun(1000, func() { o.Send(f); o.Beat(protocol.Alive) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDetour(b *testing.B) {
	f := frameOf(1, 80)
	b.Run("send", func(b *testing.B) {
		o := dryDetour(sink{})
		b.ReportAllocs()
		for b.Loop() {
			o.Send(f)
		}
	})
	b.Run("receive", func(b *testing.B) {
		var k kept
		dryDetour(&k).Send(f)
		l, _ := dry(&sentPackets{})
		l.Accept(1, 1, discard{})
		b.ReportAllocs()
		for b.Loop() {
			l.Detoured(k.all[0])
			l.in.flush()
		}
		l.cancel()
		l.in.end()
	})
}
