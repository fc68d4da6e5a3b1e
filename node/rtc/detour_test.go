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

// hastened are timings for tests of the detour: attempts at UDP are short and
// often, all else is as it is.
var hastened = timing{
	disconnected: 300 * ms, failed: 300 * ms, keepalive: 100 * ms, attempt: 3 * time.Second, repeat: 300 * ms,
	rest: 200 * ms, restCap: 400 * ms, probe: 300 * ms,
}

// stream is a Detour in memory.
type stream struct {
	packets chan []byte
}

// newStream begins one that ends at to.
func newStream(t testing.TB, to *Link) *stream {
	s := &stream{packets: make(chan []byte, 4096)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := range s.packets {
			to.Detoured(b)
		}
	}()
	t.Cleanup(func() {
		close(s.packets)
		<-ended
	})
	return s
}

func (s *stream) Send(b []byte) bool {
	select {
	case s.packets <- bytes.Clone(b):
		return true
	default:
		return false
	}
}

// detoured gives two nodes with a detour each way.
func detoured(t testing.TB, one, two Config) (a, b *side, la, lb *Link) {
	t.Helper()
	a, b = pair(t, one, two)
	la, lb = a.connect(), b.connect()
	to, fro := newStream(t, lb), newStream(t, la)
	la.SetDetour(to)
	lb.SetDetour(fro)
	t.Cleanup(func() { // before the streams end
		a.stop()
		b.stop()
	})
	return a, b, la, lb
}

// talk sends 50 frames a second of source 1 until it is told to stop, and says
// how many.
func talk(out *Link) (stop func() int) {
	o := out.Outlet(2)
	o.Bind(1, 1)
	quit, sent := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(20 * ms)
		defer tick.Stop()
		n := 0
		for {
			o.Send(frameOf(1, n))
			n++
			select {
			case <-quit:
				sent <- n
				return
			case <-tick.C:
			}
		}
	}()
	return func() int {
		close(quit)
		return <-sent
	}
}

// ear takes what a side hears and keeps its gaps.
type ear struct {
	t     testing.TB
	from  *side
	seen  map[uint16]bool
	last  time.Time
	gap   time.Duration // the longest
	twice int
	still time.Duration // that this machine stood still, in all
}

func hearing(t testing.TB, at *side, l *Link) *ear {
	l.Accept(1, 1, at)
	l.Accept(2, 0, at)
	return &ear{t: t, from: at, seen: map[uint16]bool{}, last: time.Now()}
}

func (e *ear) take(f protocol.Frame) {
	if !same(&f, frameOf(1, int(f.Counter))) {
		e.t.Fatalf("changed: %+v", f)
	}
	if e.seen[f.Counter] {
		e.twice++
		return
	}
	e.seen[f.Counter] = true
	e.gap = max(e.gap, time.Since(e.last))
	e.last = time.Now()
}

// hear listens for a while.
func (e *ear) hear(d time.Duration) {
	const pause = 5 * ms
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for now, end := time.Now(), time.Now().Add(d); now.Before(end); {
		select {
		case f := <-e.from.frames:
			e.take(f)
		case <-tick.C:
			if late := time.Since(now); late > 5*pause {
				e.still += late
			}
			now = time.Now()
		}
	}
}

// until listens until something has come to pass.
func (e *ear) until(what string, done func() bool) {
	e.t.Helper()
	for end := time.Now().Add(patience); !done(); e.hear(5 * ms) {
		if time.Now().After(end) {
			e.t.Fatalf("%s does not come to pass", what)
		}
	}
}

// all checks that everything came.
func (e *ear) all(sent int) {
	e.t.Helper()
	e.until("all frames", func() bool { return len(e.seen) == sent })
	e.t.Logf("%d frames, %d of them twice; longest gap %v; stood still for %v", sent, e.twice, e.gap, e.still)
}

func by(l *Link, path string) func() bool { return func() bool { return l.Stats().Path == path } }

func TestNeverAnyUDP(t *testing.T) {
	t.Parallel()
	loss := &lossy{}
	loss.all.Store(true)
	a, b, la, lb := detoured(t, Config{Wrap: loss.wrap}, Config{})
	began := time.Now()
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
	if took := time.Since(began); took > time.Second {
		t.Errorf("up after %v", took)
	}
	e := hearing(t, b, lb)
	stop := talk(la)
	e.hear(500 * ms)
	e.all(stop())
	la.Outlet(2).Beat(protocol.Starved)
	if got := receiveFrom(t, "heartbeat", b.beats); got != protocol.Starved {
		t.Errorf("heartbeat %d", got)
	}
	out, in := la.Stats(), lb.Stats()
	if !out.Up || out.Path != "stream" || out.Detoured != out.PacketsSent || out.Detoured != in.PacketsReceived {
		t.Errorf("sent: %+v; received: %+v", out, in)
	}
	if in.Jitter < minDelay || in.Jitter > maxDelay || in.Lost+in.Malformed+in.Unbound != 0 {
		t.Errorf("received: %+v", in)
	}
}

// UDP that begins to work in mid-speech is used, whichever side tries first; the
// one that rests is not deaf.
func TestUDPComesLater(t *testing.T) {
	t.Parallel()
	resting := hastened
	resting.rest, resting.restCap = time.Hour, time.Hour
	for _, test := range []struct {
		name     string
		one, two timing
	}{{"the offerer tries", hastened, resting}, {"the answerer tries", resting, hastened}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			loss := &lossy{}
			loss.all.Store(true)
			a, b, la, lb := detoured(t, Config{times: test.one, Wrap: loss.wrap}, Config{times: test.two})
			receiveFrom(t, "Up", a.up)
			receiveFrom(t, "Up", b.up)
			e := hearing(t, b, lb)
			stop := talk(la)
			e.hear(800 * ms)
			if la.Stats().Path != "stream" || lb.Stats().Path != "stream" {
				t.Error("not by the detour")
			}
			loss.all.Store(false)
			e.until("UDP", by(la, "udp"))
			e.until("UDP at the other side", by(lb, "udp"))
			e.hear(200 * ms)
			e.all(stop())
			if e.twice != 0 || e.gap > 300*ms+e.still {
				t.Errorf("%d frames twice, no sound for %v", e.twice, e.gap)
			}
			receiveFrom(t, "Moved", a.moved)
			receiveFrom(t, "Moved", b.moved)
			if len(a.down)+len(b.down) != 0 {
				t.Error("the link went down")
			}
		})
	}
}

func TestUDPDiesInSpeech(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		dead time.Duration
		cut  func(to, fro *lossy, dead bool)
	}{
		{"both ways", 1200 * ms, func(to, fro *lossy, dead bool) { to.all.Store(dead) }},
		{"one way", 1200 * ms, func(to, fro *lossy, dead bool) { to.out.Store(dead) }},
		{"the way back", 600 * ms, func(to, fro *lossy, dead bool) { fro.out.Store(dead) }},
		{"media alone", 300 * ms, func(to, fro *lossy, dead bool) {
			percent := int32(0)
			if dead {
				percent = 100
			}
			to.percent.Store(percent)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			to, fro := &lossy{}, &lossy{}
			a, b, la, lb := detoured(t, Config{times: hastened, Wrap: to.wrap}, Config{times: hastened, Wrap: fro.wrap})
			receiveFrom(t, "Up", a.up)
			receiveFrom(t, "Up", b.up)
			e := hearing(t, b, lb)
			e.until("UDP", by(la, "udp"))
			stop := talk(la)
			e.hear(300 * ms)
			test.cut(to, fro, true)
			e.until("the detour", by(la, "stream"))
			e.hear(test.dead)
			test.cut(to, fro, false)
			began := time.Now()
			e.until("UDP again", by(la, "udp"))
			t.Logf("UDP is used again after %v", time.Since(began))
			e.hear(300 * ms)
			e.all(stop())
			if e.gap > 1200*ms+e.still {
				t.Errorf("no sound for %v", e.gap)
			}
			if len(a.down)+len(b.down) != 0 {
				t.Error("the link went down")
			}
			if s := lb.Stats(); s.Malformed != 0 {
				t.Errorf("received: %+v", s)
			}
		})
	}
}

// UDP that dies again and again is tried more and more rarely.
func TestUDPThatIsNotToBeTrusted(t *testing.T) {
	t.Parallel()
	loss := &lossy{}
	times := hastened
	times.disconnected, times.silence, times.probe = patience, 300*ms, 100*ms
	a, b, la, lb := detoured(t, Config{times: times, Wrap: loss.wrap}, Config{times: times})
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
	e := hearing(t, b, lb)
	e.until("UDP", by(la, "udp"))
	stop := talk(la)
	e.hear(200 * ms)
	var back []time.Duration
	for range 3 {
		loss.percent.Store(100)
		e.until("the detour", by(la, "stream"))
		loss.percent.Store(0)
		began := time.Now()
		e.until("UDP again", by(la, "udp"))
		back = append(back, time.Since(began))
	}
	e.all(stop())
	if back[1] < 80*ms || back[2] < 300*ms || back[2] > 2*time.Second+e.still {
		t.Errorf("back after %v", back)
	}
}

func TestLossDoesNotLeaveUDP(t *testing.T) {
	t.Parallel()
	loss := &lossy{}
	loss.percent.Store(5)
	a, b, la, lb := detoured(t, Config{Wrap: loss.wrap}, Config{})
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
	e := hearing(t, b, lb)
	e.until("UDP", by(la, "udp"))
	stop := talk(la)
	e.hear(5 * time.Second)
	sent := stop()
	e.hear(time.Second) // of silence, whatever was lost last
	e.all(sent)
	if s := la.Stats(); s.Detoured != 0 || s.Path != "udp" || len(a.moved) != 0 {
		t.Errorf("sent: %+v", s)
	}
}

func TestDetourAtOnceIfUDPFails(t *testing.T) {
	t.Parallel()
	a, b, la, _ := detoured(t, Config{times: hastened}, Config{times: hastened})
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
	await(t, by(la, "udp"))
	b.engine.Disconnect(a.self) // closes the connection
	await(t, by(la, "stream"))
	if len(a.down) != 0 {
		t.Error("a link with a detour went down")
	}
}

func TestDetourEnds(t *testing.T) {
	t.Parallel()
	loss := &lossy{}
	loss.all.Store(true)
	a, b, la, lb := detoured(t, Config{times: hastened, Wrap: loss.wrap}, Config{times: hastened})
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
	la.SetDetour(nil)
	if err := receiveFrom(t, "Down", a.down); err != errDetourEnded {
		t.Errorf("Down: %v", err)
	}
	if la.Stats().Up || la.Outlet(0).Send(frameOf(1, 1)) {
		t.Error("up without a way")
	}
	a.connect()
	loss.all.Store(false)
	receiveFrom(t, "Up", a.up)
	await(t, by(la, "udp"))
	await(t, by(lb, "udp"))
}

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
