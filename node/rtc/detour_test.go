package rtc

import (
	"bytes"
	"testing"
	"time"

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

func by(l *Link, path string) func() bool { return func() bool { return l.Stats().Path == path } }

// Where UDP never works the detour is up within a second, and loses nothing.
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
			if e.twice != 0 || e.gap > 300*ms+e.still() {
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

// UDP that dies in mid-speech costs about a second of sound, and no frame.
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
			if e.gap > 1200*ms+e.still() {
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
	if back[1] < 80*ms || back[2] < 300*ms || back[2] > 2*time.Second+e.still() {
		t.Errorf("back after %v", back)
	}
}

// Loss alone is no reason for the detour.
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
