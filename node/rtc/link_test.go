package rtc

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// hurried are timings for tests that wait for a timeout.
var hurried = timing{
	disconnected: 300 * time.Millisecond, failed: 300 * time.Millisecond, keepalive: 100 * time.Millisecond,
	attempt: 3 * time.Second, repeat: 300 * time.Millisecond,
}

func peerOf(t testing.TB, seed string) protocol.PeerID {
	t.Helper()
	sum := sha256.Sum256([]byte(seed))
	p, err := protocol.PeerOf(ed25519.NewKeyFromSeed(sum[:]).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// side is one node of a test: its engine, and what it was told.
type side struct {
	t      testing.TB
	engine *Engine
	self   protocol.PeerID
	stop   func()

	mu   sync.Mutex
	far  *side
	hold func(Signal) bool // true: the signal is lost

	up    chan protocol.PeerID
	moved chan protocol.PeerID
	down  chan error

	frames chan protocol.Frame
	beats  chan protocol.Beat
}

func newSide(t testing.TB, seed string, cfg Config) *side {
	t.Helper()
	cfg.Self = peerOf(t, seed)
	if !cfg.Listen.IsValid() {
		cfg.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &side{
		t: t, engine: e, self: cfg.Self,
		up: make(chan protocol.PeerID, 16), moved: make(chan protocol.PeerID, 64), down: make(chan error, 16),
		frames: make(chan protocol.Frame, 1<<14), beats: make(chan protocol.Beat, 1<<10),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
	t.Cleanup(s.stop)
	return s
}

// pair gives two nodes that carry each other's signals. The first offers.
func pair(t testing.TB, one, two Config) (*side, *side) {
	t.Helper()
	a, b := newSide(t, "one", one), newSide(t, "two", two)
	if b.self < a.self {
		a.stop()
		b.stop()
		a, b = newSide(t, "two", one), newSide(t, "one", two)
	}
	a.far, b.far = b, a
	return a, b
}

func (s *side) Signal(_ protocol.PeerID, sig Signal) {
	s.mu.Lock()
	far, hold := s.far, s.hold
	s.mu.Unlock()
	if hold == nil || !hold(sig) {
		far.engine.Signal(s.self, sig)
	}
}

func (s *side) Up(p protocol.PeerID)            { s.up <- p }
func (s *side) Moved(p protocol.PeerID)         { s.moved <- p }
func (s *side) Down(_ protocol.PeerID, e error) { s.down <- e }

func (s *side) Push(_ protocol.PeerID, f *protocol.Frame) {
	kept := *f
	kept.Packet = bytes.Clone(f.Packet)
	s.frames <- kept
}

func (s *side) Heard(_ protocol.PeerID, b protocol.Beat) { s.beats <- b }

func (s *side) connect() *Link { return s.engine.Connect(s.far.self, true, s) }

func receiveFrom[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func join(t testing.TB, a, b *side) (*Link, *Link) {
	t.Helper()
	la, lb := a.connect(), b.connect()
	receiveFrom(t, "Up at the offerer", a.up)
	receiveFrom(t, "Up at the answerer", b.up)
	return la, lb
}

// packetOf makes an Opus packet: CELT, fullband, 20 ms, mono, one frame (RFC
// 6716 section 3.1) of bytes that tell n.
func packetOf(n, size int) []byte {
	p := make([]byte, size)
	p[0] = 31 << 3
	for i := 1; i < size; i++ {
		p[i] = byte(n >> (8 * (i % 4)))
	}
	return p
}

func frameOf(s protocol.Source, n int) *protocol.Frame {
	return &protocol.Frame{
		Source: s, Timestamp: uint32(n) * 960, Counter: uint16(n), Level: uint8(n % 128),
		Marks: protocol.Marks(n % 8), Packet: packetOf(n, 20+n%100),
	}
}

func same(a, b *protocol.Frame) bool {
	return a.Source == b.Source && a.Timestamp == b.Timestamp && a.Counter == b.Counter &&
		a.Level == b.Level && a.Marks == b.Marks && bytes.Equal(a.Packet, b.Packet)
}

func TestFramesArriveAsTheyWere(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	la, lb := join(t, a, b)
	const source, handle, beat = 0xfeedbeef, 7, 8
	for _, way := range []struct {
		from *side
		out  *Link
		to   *side
		in   *Link
	}{{a, la, b, lb}, {b, lb, a, la}} {
		way.in.Accept(handle, source, way.to)
		way.in.Accept(beat, 0, way.to)
		o := way.out.Outlet(beat)
		if o.Send(frameOf(source, 0)) {
			t.Error("Send takes a frame of a source that is not bound")
		}
		o.Bind(source, handle)
		for n := range 200 {
			sent := frameOf(source, n)
			if n == 100 {
				sent.Packet = packetOf(n, protocol.MaxPacketBytes-1)
				sent.Packet[0] |= 1 // two frames of the same size
			}
			if !o.Send(sent) {
				t.Fatalf("frame %d not sent", n)
			}
			got := receiveFrom(t, "frame", way.to.frames)
			if !same(sent, &got) {
				t.Fatalf("sent %+v, got %+v", sent, got)
			}
		}
		o.Beat(protocol.Starved)
		if got := receiveFrom(t, "heartbeat", way.to.beats); got != protocol.Starved {
			t.Errorf("heartbeat %d", got)
		}
		if s := way.in.Stats(); !s.Up || s.Path != "udp" || s.Remote != way.from.engine.Addr() || s.Lost != 0 || s.Malformed != 0 {
			t.Errorf("stats: %+v", s)
		}
	}
}

func TestListenOnAllInterfaces(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0"} {
		listen := netip.MustParseAddrPort(address)
		a, b := pair(t, Config{Listen: listen}, Config{Listen: listen})
		la, lb := join(t, a, b)
		lb.Accept(1, 1, b)
		o := la.Outlet(0)
		o.Bind(1, 1)
		o.Send(frameOf(1, 1))
		receiveFrom(t, "frame", b.frames)
		if got := la.Stats().Remote.Port(); got != b.engine.Addr().Port() {
			t.Errorf("%s: remote port %d", address, got)
		}
		a.stop()
		b.stop()
	}
}

func TestUnboundAndForgotten(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	la, lb := join(t, a, b)
	o := la.Outlet(1)
	o.Bind(5, 50)
	o.Send(frameOf(5, 1)) // nobody accepted 50
	await(t, func() bool { return lb.Stats().Unbound == 1 })
	lb.Accept(50, 6, b)
	o.Send(frameOf(5, 2))
	if got := receiveFrom(t, "frame", b.frames); got.Source != 6 || got.Counter != 2 {
		t.Errorf("got %+v", got)
	}
	lb.Forget(50)
	lb.Accept(51, 6, b)
	o.Send(frameOf(5, 3))
	await(t, func() bool { return lb.Stats().Unbound == 2 })
	o.Bind(5, 51)
	o.Send(frameOf(5, 4))
	if got := receiveFrom(t, "frame", b.frames); got.Counter != 4 {
		t.Errorf("got %+v", got)
	}
	o.Unbind(5)
	if o.Send(frameOf(5, 5)) {
		t.Error("sent after Unbind")
	}
}

func TestGlareAndIdempotence(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	var both sync.WaitGroup
	for _, s := range []*side{a, b, a, b} {
		both.Go(func() { s.connect() })
	}
	both.Wait()
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
	if again := a.connect(); again != a.connect() {
		t.Error("Connect gives another link")
	}
	// Once up, more of Connect changes nothing.
	lb := b.connect()
	lb.Accept(1, 1, b)
	o := a.connect().Outlet(0)
	o.Bind(1, 1)
	o.Send(frameOf(1, 1))
	receiveFrom(t, "frame", b.frames)
	if len(a.up)+len(b.up)+len(a.down)+len(b.down) != 0 {
		t.Error("the connection did not stay")
	}
}

func TestLateConnectAsksForTheOfferAgain(t *testing.T) {
	a, b := pair(t, Config{times: hurried}, Config{times: hurried})
	sent := make(chan Signal, 8)
	a.hold = func(s Signal) bool {
		select {
		case sent <- s:
		default:
		}
		return false
	}
	a.connect()
	first := receiveFrom(t, "offer", sent) // b has not called Connect: it drops this one
	b.connect()
	second := receiveFrom(t, "offer", sent)
	if second != first {
		t.Error("an offer that nobody took was not repeated as it was")
	}
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
}

// A link whose far side let go is the same one when it is up again.
func TestReconnect(t *testing.T) {
	a, b := pair(t, Config{times: hurried}, Config{times: hurried})
	la, lb := join(t, a, b)
	for range 3 {
		// One side lets go and comes again, which ends the other's connection.
		b.engine.Disconnect(a.self)
		if err := receiveFrom(t, "Down", a.down); err == nil {
			t.Error("Down without a reason")
		}
		if la.Outlet(0).Send(frameOf(1, 1)) {
			t.Error("a frame was sent over a link that is down")
		}
		lb = b.connect()
		if a.connect() != la {
			t.Error("a link that is down is not the same any more")
		}
		receiveFrom(t, "Up", a.up)
		receiveFrom(t, "Up", b.up)
	}
	lb.Accept(1, 1, b)
	o := la.Outlet(0)
	o.Bind(1, 1)
	o.Send(frameOf(1, 77))
	if got := receiveFrom(t, "frame", b.frames); got.Counter != 77 {
		t.Errorf("got %+v", got)
	}
}

func TestKilledSideIsNoticed(t *testing.T) {
	cut := &lossy{}
	a, b := pair(t, Config{times: hurried, Wrap: cut.wrap}, Config{times: hurried})
	join(t, a, b)
	cut.all.Store(true) // nothing leaves a or reaches it any more: as if it had been killed
	began := time.Now()
	if err := receiveFrom(t, "Down", b.down); err != errLost {
		t.Errorf("Down: %v", err)
	}
	if took := time.Since(began); took > 2*(hurried.disconnected+hurried.failed) {
		t.Errorf("noticed after %v", took)
	}
	receiveFrom(t, "Down", a.down)
	cut.all.Store(false)
	a.connect()
	b.connect()
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
}

func TestNobodyAnswers(t *testing.T) {
	times := hurried
	times.attempt = 300 * time.Millisecond
	a, b := pair(t, Config{times: times}, Config{times: times})
	a.connect()
	if err := receiveFrom(t, "Down", a.down); err != ErrTimeout {
		t.Errorf("offerer: %v", err)
	}
	a.engine.Disconnect(b.self)
	b.connect()
	if err := receiveFrom(t, "Down", b.down); err != ErrTimeout {
		t.Errorf("answerer: %v", err)
	}
}

// A path where ICE comes up and nothing after it: closing must not hang.
func TestHandshakeThatStalls(t *testing.T) {
	loss := &lossy{}
	loss.dtls.Store(true)
	times := hurried
	times.attempt = 500 * time.Millisecond
	a, b := pair(t, Config{times: times, Wrap: loss.wrap}, Config{times: times})
	a.connect()
	b.connect()
	if err := receiveFrom(t, "Down", a.down); err == nil {
		t.Error("Down without a reason")
	}
	receiveFrom(t, "Down", b.down)
	loss.dtls.Store(false)
	a.connect()
	b.connect()
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
}

func TestSignalsOutOfTurn(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	la, lb := a.connect(), b.connect()
	receiveFrom(t, "Up", a.up)
	receiveFrom(t, "Up", b.up)
	large := string(make([]byte, maxDescriptionBytes+1))
	for _, s := range []Signal{
		{Kind: pb.Description_OFFER, Generation: 1<<31 - 1, SDP: large}, // b is to offer nothing
		{Kind: pb.Description_ANSWER, Generation: 1, SDP: large},
		{Kind: 99},
	} {
		a.engine.Signal(b.self, s)
	}
	b.engine.Signal(a.self, Signal{Kind: pb.Description_OFFER, Generation: 1, SDP: large}) // stale
	b.engine.Signal(a.self, Signal{Kind: pb.Description_ANSWER, Generation: 1, SDP: large})
	b.engine.Signal(a.self, Signal{Kind: pb.Description_WANTED})
	await(t, func() bool { return la.Stats().OutOfTurn >= 3 && lb.Stats().OutOfTurn >= 3 })
	if !la.Stats().Up || !lb.Stats().Up {
		t.Error("signals out of turn ended the connection")
	}
}

func TestBadDescriptions(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	b.connect()
	generation := uint32(1)
	for name, sdp := range map[string]string{
		"empty":    "",
		"large":    string(make([]byte, maxDescriptionBytes+1)),
		"nonsense": "v=0\r\nnonsense",
		"no media": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
		"video":    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
	} {
		b.engine.Signal(a.self, Signal{Kind: pb.Description_OFFER, Generation: generation, SDP: sdp})
		if err := receiveFrom(t, "Down", b.down); err == nil {
			t.Errorf("%s: no error", name)
		}
		generation++
		b.connect()
	}
}

func await(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to pass")
		}
	}
}

var _ Events = (*side)(nil)
var _ Receiver = (*side)(nil)
var _ net.PacketConn = (*lossyConn)(nil)
