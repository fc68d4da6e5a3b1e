package rtc

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// A report counts once, and only of what was sent; one that was overtaken takes
// nothing back, and numbers wrap.
func TestAcks(t *testing.T) {
	a := newAcks(65535)
	if a.pending() {
		t.Error("something is on its way before anything was sent")
	}
	if sequence, began := a.send(ms); sequence != 65535 || !began || a.since != ms {
		t.Errorf("first: %d, %+v", sequence, a)
	}
	if sequence, began := a.send(2 * ms); sequence != 0 || began || a.since != ms {
		t.Errorf("second: %d, %+v", sequence, a)
	}
	a.send(3 * ms)
	for _, x := range []struct {
		highest uint32
		sound   bool
		acked   uint32
		since   time.Duration
	}{
		{65535, true, 65535, 10 * ms},
		{65537, true, 65537, 11 * ms},
		{65535, true, 65537, 11 * ms},  // one that was overtaken
		{65538, false, 65537, 11 * ms}, // never sent
		{1 << 31, false, 65537, 11 * ms},
		{0, true, 65537, 11 * ms},
		{1<<32 - 1, true, 65537, 11 * ms},
	} {
		at := max(10*ms, a.since+ms)
		if got := a.take(x.highest, at); got != x.sound || a.acked != x.acked || a.since != x.since {
			t.Errorf("report of %d: %v, %+v", x.highest, got, a)
		}
	}
	if a.pending() {
		t.Error("all was acknowledged")
	}
	a.send(20 * ms)
	a.pardon(time.Hour, 30*ms)
	if a.since != 30*ms {
		t.Errorf("pardoned until %v", a.since)
	}
}

// The first packet is reported at once, what comes later once in an interval.
func TestReports(t *testing.T) {
	r := newReports(65534, 200*ms)
	if r.due(0) {
		t.Error("a report of nothing")
	}
	r.take(65534)
	if !r.due(0) || r.highest != 65534 {
		t.Errorf("first: %+v", r)
	}
	r.take(1)
	r.take(65535)
	if at, ok := r.wake(); r.due(199*ms) || !ok || at != 200*ms {
		t.Errorf("too soon: %+v", r)
	}
	if !r.due(200*ms) || r.highest != 65537 || r.due(time.Second) {
		t.Errorf("second: %+v", r)
	}
}

// A day of speech over a path that loses packets both ways: how often the sender
// would take it for dead.
func TestLossIsNotDeath(t *testing.T) {
	const frame, oneWay, day = 20 * ms, 40 * ms, 24 * time.Hour
	var times timing
	times.fill()
	for _, x := range []struct{ loss, least, most int }{{1, 0, 0}, {5, 0, 8}, {10, 10, 100}, {100, int(day / (5 * time.Second)), int(day / times.silence)}} {
		random := rand.New(rand.NewPCG(3, 4))
		lost := func() bool { return random.IntN(100) < x.loss }
		a, r := newAcks(0), newReports(0, times.report)
		type report struct {
			highest uint32
			at      time.Duration
		}
		var back []report
		deaths, died := 0, -time.Hour
		for at := time.Duration(0); at < day; at += frame {
			sequence, _ := a.send(at)
			if !lost() {
				r.take(sequence)
			}
			if r.due(at+oneWay) && !lost() {
				back = append(back, report{r.highest, at + 2*oneWay})
			}
			for len(back) > 0 && back[0].at <= at {
				a.take(back[0].highest, time.Duration(back[0].highest+1)*frame)
				back = back[1:]
			}
			if at >= a.since+times.silence+2*oneWay && at-died > 4*time.Second {
				deaths, died = deaths+1, at
			}
		}
		if deaths < x.least || deaths > x.most {
			t.Errorf("loss of %d %%: taken for dead %d times a day", x.loss, deaths)
		}
		t.Logf("loss of %d %%: taken for dead %d times a day", x.loss, deaths)
	}
}

func TestHostileReports(t *testing.T) {
	var w sentPackets
	l, out := dry(&w)
	o := l.Outlet(9)
	o.Bind(1, 1)
	for n := range 10 {
		o.Send(frameOf(1, n))
	}
	block := func(ssrc, highest uint32) rtcp.ReceptionReport {
		return rtcp.ReceptionReport{SSRC: ssrc, LastSequenceNumber: highest}
	}
	for _, x := range []struct {
		name      string
		blocks    []rtcp.ReceptionReport
		acked     int32
		malformed uint64
	}{
		{"none", nil, -1, 0},
		{"of another's packets", []rtcp.ReceptionReport{block(99, 5)}, -1, 0},
		{"of packets to come", []rtcp.ReceptionReport{block(1, 10)}, -1, 1},
		{"of the other half", []rtcp.ReceptionReport{block(1, 1<<31)}, -1, 2},
		{"several", []rtcp.ReceptionReport{block(1, 3), block(1, 2), block(1, 11)}, 3, 3},
		{"good", []rtcp.ReceptionReport{block(1, 9)}, 9, 3},
		{"old", []rtcp.ReceptionReport{block(1, 2)}, 9, 3},
	} {
		out.acknowledge(x.blocks)
		if got := out.state(); int32(got.acked) != x.acked || l.Stats().Malformed != x.malformed {
			t.Errorf("%s: %+v, %d malformed", x.name, got, l.Stats().Malformed)
		}
	}
	if len(w.all) != 10 {
		t.Error("a report had something sent again")
	}
}

func TestUnacknowledgedIsRepeated(t *testing.T) {
	l, out := dry(&sentPackets{})
	o := l.Outlet(9)
	o.Bind(1, 1)
	for n := range 100 {
		o.Send(frameOf(1, n))
	}
	out.try()
	out.acknowledge([]rtcp.ReceptionReport{{SSRC: 1, LastSequenceNumber: 95}})
	for i := range out.history.ring { // as if all but the last ten were old
		if s := &out.history.ring[i]; s.held && s.sequence < 90 {
			s.at -= 400 * ms
		}
	}
	var k kept
	l.out.turn(out, &k)
	o.Send(frameOf(1, 100))
	// Ten and one: the four that were not acknowledged, and before them those
	// that may have been asked for.
	if len(k.all) != 11 {
		t.Fatalf("%d packets by the detour", len(k.all))
	}
	for i, b := range k.all {
		var p incoming
		if _, err := p.parseDetoured(b); err != nil {
			t.Fatal(err)
		}
		want := frameOf(1, 90+i)
		if p.header.SequenceNumber != uint16(i) || p.header.Timestamp != want.Timestamp || string(p.payload) != string(want.Packet) {
			t.Errorf("packet %d: %+v", i, p.header)
		}
	}
	l.out.turn(out, nil)
	l.out.turn(out, &k)
	l.out.turn(nil, &k) // by the detour already
	if len(k.all) != 22-1 {
		t.Errorf("%d packets by the detour", len(k.all))
	}
}
