package rtc

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/earshot-audio/earshot/protocol"
)

const ms = time.Millisecond

func TestGaps(t *testing.T) {
	g := newGaps(65534)
	for _, step := range []struct {
		sequence uint16
		at       time.Duration
		was      arrival
		missing  int
	}{
		{65534, 0, newest, 0},
		{1, 1 * ms, newest, 2}, // 65535 and 0 are missing
		{0, 2 * ms, reordered, 1},
		{2, 3 * ms, newest, 1},
		{0, 4 * ms, late, 1},
	} {
		was, lost := g.take(step.sequence, step.at)
		if was != step.was || len(g.holes) != step.missing || lost != 0 {
			t.Fatalf("%d: %d, lost %d, missing %v", step.sequence, was, lost, g.holes)
		}
	}
	var asked []time.Duration
	lost := 0
	for at := 4 * ms; at < time.Second && lost == 0; {
		ask, gone := g.due(at, 40*ms, nil)
		lost += gone
		if len(ask) > 0 {
			asked = append(asked, at)
		}
		at, _ = g.wake(40 * ms)
	}
	if want := []time.Duration{4 * ms, 64 * ms, 124 * ms, 184 * ms, 244 * ms}; !slices.Equal(asked, want) || lost != 1 {
		t.Errorf("asked at %v, lost %d", asked, lost)
	}
	if was, _ := g.take(65535, time.Second); was != late {
		t.Errorf("given up, then there: %d", was)
	}
}

func TestGapsAreBounded(t *testing.T) {
	g := newGaps(0)
	total, lost := 0, 0
	for n := range 100 {
		sequence := uint16(n * 300)
		_, l := g.take(sequence, 0)
		lost += l
		total = int(sequence) - n // that is what did not come
		if len(g.holes) > maxHoles {
			t.Fatalf("%d holes", len(g.holes))
		}
	}
	if lost+len(g.holes) != total {
		t.Errorf("%d lost and %d missing, of %d", lost, len(g.holes), total)
	}
	g = newGaps(0)
	if _, lost := g.take(20000, 0); lost != 20000-maxHoles || len(g.holes) != maxHoles || g.holes[maxHoles-1].sequence != 19999 {
		t.Errorf("a wide gap: lost %d, %d holes", lost, len(g.holes))
	}
}

// What is young enough may be sent again: a few times, and not too fast.
func TestHistory(t *testing.T) {
	var h history
	at := time.Duration(0)
	const n = 700 // 1 ms apart: more than historyFloor, and over the wrap
	for i := range n {
		at += ms
		s := h.put(uint16(65000+i), at)
		s.timestamp = uint32(i)
		s.payload = append(s.payload, byte(i))
	}
	if len(h.ring) != 1024 {
		t.Errorf("a ring of %d", len(h.ring))
	}
	for i := range n {
		s := h.get(uint16(65000+i), at)
		young := n-1-i <= int(resendSpan/ms)
		switch {
		case young != (s != nil):
			t.Fatalf("packet %d: %v", i, s)
		case young && (s.timestamp != uint32(i) || s.payload[0] != byte(i)):
			t.Fatalf("packet %d: %+v", i, s)
		}
	}
	newest := uint16((65000 + n - 1) & 0xffff)
	if h.get(newest, at+ms) != nil {
		t.Error("resent twice within the pause")
	}
	for i := 1; i < maxResends; i++ {
		if at += resendPause; h.get(newest, at) == nil {
			t.Errorf("resend %d refused", i)
		}
	}
	if h.get(newest, at+resendPause) != nil {
		t.Error("resent too often")
	}
}

// sentPackets keeps what would have gone out.
type sentPackets struct{ all [][]byte }

func (s *sentPackets) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	b, err := (&rtp.Packet{Header: *h, Payload: payload}).Marshal()
	s.all = append(s.all, b)
	return len(b), err
}

func (s *sentPackets) Write(b []byte) (int, error) { return len(b), nil }

// dry gives a link whose packets go nowhere but to w.
func dry(w *sentPackets) (*Link, *sending) {
	e := &Engine{started: time.Now(), log: slog.New(slog.DiscardHandler)}
	e.cfg.times.fill()
	l := newLink(e, "far")
	out := newSending(e, &path{writer: w, ssrc: 1, payloadType: opusPayloadType, level: 1, frame: 2}, &l.stats, l.poke)
	l.out.turn(out, nil)
	return l, out
}

func TestResendsAreByteIdentical(t *testing.T) {
	var w sentPackets
	l, out := dry(&w)
	o := l.Outlet(9)
	o.Bind(1, 1)
	for n := range 50 {
		o.Send(frameOf(1, n))
		o.Beat(protocol.Alive)
	}
	first := slices.Clone(w.all)
	w.all = nil
	for n := range 100 {
		out.resend(uint16(n))
	}
	if !slices.EqualFunc(first, w.all, slices.Equal) {
		t.Error("what was sent again is not what was sent")
	}
}

func TestNackFloodIsBounded(t *testing.T) {
	var w sentPackets
	l, out := dry(&w)
	o := l.Outlet(9)
	o.Bind(1, 1)
	for n := range 500 {
		o.Send(frameOf(1, n))
	}
	w.all = nil
	all := make([]uint16, 500)
	for i := range all {
		all[i] = uint16(i)
	}
	nack := &rtcp.TransportLayerNack{Nacks: rtcp.NackPairsFromSequenceNumbers(all)}
	for range 200 {
		out.serve(nack)
	}
	if len(w.all) > resendBurst+resendsASecond/2 {
		t.Errorf("%d packets sent again", len(w.all))
	}
}

// Over a path that loses one packet in twenty each frame comes, once and unchanged,
// for few packets more.
func TestLossyLink(t *testing.T) {
	loss := &lossy{}
	loss.percent.Store(5)
	a, b := pair(t, Config{Wrap: loss.wrap, first: 65400}, Config{first: 65400})
	la, lb := join(t, a, b)
	la.SetRTT(2 * ms)
	lb.SetRTT(2 * ms)
	const sources, rounds = 20, 60
	outlets := make([]*Outlet, 2) // two rooms
	for i := range outlets {
		outlets[i] = la.Outlet(protocol.Handle(1000 + i))
	}
	for s := range protocol.Source(sources) {
		lb.Accept(protocol.Handle(s+1), s+1, b)
		outlets[s%2].Bind(s+1, protocol.Handle(s+1))
	}
	tick := time.NewTicker(10 * ms)
	defer tick.Stop()
	for n := range rounds {
		for s := range protocol.Source(sources) {
			if !outlets[s%2].Send(frameOf(s+1, n)) {
				t.Fatal("not sent")
			}
		}
		<-tick.C
	}
	seen := make(map[[2]uint32]bool)
	for len(seen) < sources*rounds {
		select {
		case <-tick.C:
			outlets[0].Beat(protocol.Alive) // so that the last ones are missed
		case f := <-b.frames:
			key := [2]uint32{uint32(f.Source), uint32(f.Counter)}
			if seen[key] || !same(&f, frameOf(f.Source, int(f.Counter))) {
				t.Fatalf("twice, or changed: %+v", f)
			}
			seen[key] = true
		case <-time.After(time.Second):
			t.Fatalf("%d frames of %d; %+v", len(seen), sources*rounds, lb.Stats())
		}
	}
	s, out := lb.Stats(), la.Stats()
	if s.Lost != 0 || s.Recovered == 0 || s.Malformed != 0 || s.Unbound != 0 && s.Unbound > out.PacketsSent {
		t.Errorf("stats: %+v", s)
	}
	if out.Resent > out.PacketsSent/5 {
		t.Errorf("%d of %d packets sent again", out.Resent, out.PacketsSent)
	}
	t.Logf("received %d, recovered %d, resent %d", s.PacketsReceived, s.Recovered, out.Resent)
}
