package rtc

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/earshot-audio/earshot/protocol"
)

// sending gives the outgoing half of the link's connection.
func (l *Link) sending() *sending {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	return l.out.udp
}

func TestHostilePackets(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	la, lb := join(t, a, b)
	lb.Accept(1, 11, b)
	lb.Accept(2, 0, b)
	o := la.Outlet(2)
	o.Bind(11, 1)
	o.Send(frameOf(11, 1))
	receiveFrom(t, "frame", b.frames)

	out := la.sending()
	opus := packetOf(1, 30)
	sequence := uint16(1)
	send := func(edit func(h *rtp.Header), payload []byte) {
		t.Helper()
		h := rtp.Header{Version: 2, PayloadType: out.path.payloadType, SSRC: out.path.ssrc, SequenceNumber: sequence, CSRC: []uint32{1}}
		sequence++
		_ = h.SetExtension(out.path.level, []byte{1})
		_ = h.SetExtension(out.path.frame, []byte{0, 1, 0})
		edit(&h)
		if _, err := out.path.writer.WriteRTP(&h, payload); err != nil {
			t.Fatal(err)
		}
	}
	before := lb.Stats()
	hostile := []struct {
		name    string
		edit    func(*rtp.Header)
		payload []byte
	}{
		{"payload type", func(h *rtp.Header) { h.PayloadType = 96 }, opus},
		{"no CSRC", func(h *rtp.Header) { h.CSRC = nil }, opus},
		{"two CSRCs", func(h *rtp.Header) { h.CSRC = []uint32{1, 1} }, opus},
		{"no extensions", func(h *rtp.Header) { h.Extension, h.Extensions = false, nil }, opus},
		{"no level", func(h *rtp.Header) { _ = h.DelExtension(out.path.level) }, opus},
		{"short frame extension", func(h *rtp.Header) { _ = h.SetExtension(out.path.frame, []byte{1}) }, opus},
		{"empty", func(*rtp.Header) {}, nil},
		{"too large", func(*rtp.Header) {}, packetOf(1, protocol.MaxPacketBytes+1)},
		{"2.5 ms", func(*rtp.Header) {}, []byte{28 << 3, 1, 2}},
		{"120 ms", func(*rtp.Header) {}, append([]byte{31<<3 | 3, 6}, make([]byte, 60)...)},
		{"not Opus", func(*rtp.Header) {}, []byte{31<<3 | 3, 0}},
		{"long heartbeat", func(h *rtp.Header) { h.CSRC[0] = 2 }, []byte{1, 2}},
		{"unknown heartbeat", func(h *rtp.Header) { h.CSRC[0] = 2 }, []byte{byte(protocol.Idle) + 1}},
	}
	for i, x := range hostile {
		send(x.edit, x.payload)
		want := before.Malformed + uint64(i) + 1
		for end := time.Now().Add(2 * time.Second); lb.Stats().Malformed != want; time.Sleep(ms) {
			if time.Now().After(end) {
				t.Fatalf("%s: want %d: %+v", x.name, want, lb.Stats())
			}
		}
		if len(b.frames)+len(b.beats) != 0 {
			t.Fatalf("%s passed", x.name)
		}
	}
	send(func(*rtp.Header) {}, opus)
	receiveFrom(t, "frame after all that", b.frames)
	if !lb.Stats().Up {
		t.Error("the link is down")
	}
}

func TestStrangeStreamsEndTheConnection(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	for range 5 {
		la, _ := join(t, a, b)
		out := la.sending()
		for n := range uint32(200) {
			h := rtp.Header{Version: 2, PayloadType: out.path.payloadType, SSRC: 1000 + n}
			_, _ = out.path.writer.WriteRTP(&h, packetOf(1, 30))
		}
		if err := receiveFrom(t, "Down", b.down); err != errStreams {
			t.Errorf("Down: %v", err)
		}
		receiveFrom(t, "Down", a.down)
	}
}

func TestFloodOfReportsEndsTheConnection(t *testing.T) {
	a, b := pair(t, Config{}, Config{})
	la, _ := join(t, a, b)
	sender := la.current.sender // of run, which rests
	for n := range uint32(2 * maxControls) {
		_, _ = sender.Transport().WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 1000 + n}})
	}
	if err := receiveFrom(t, "Down", b.down); err != errStreams {
		t.Errorf("Down: %v", err)
	}
}

// discard is a Receiver.
type discard struct{}

func (discard) Push(protocol.PeerID, *protocol.Frame) {}
func (discard) Heard(protocol.PeerID, protocol.Beat)  {}

func FuzzReceive(f *testing.F) {
	var w sentPackets
	l, _ := dry(&w)
	o := l.Outlet(2)
	o.Bind(1, 1)
	o.Send(frameOf(1, 1))
	o.Beat(protocol.Idle)
	for _, b := range w.all {
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(b[:12])
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		var w sentPackets
		l, _ := dry(&w)
		l.inlets.Store(&map[protocol.Handle]inlet{1: {source: 1, to: discard{}}, 2: {to: discard{}}})
		r := newReceiving(l, nil, 1, 2)
		r.take(b)
		r.take(b)
	})
}

// nowhere is a webrtc.TrackLocalWriter.
type nowhere struct{}

func (nowhere) WriteRTP(*rtp.Header, []byte) (int, error) { return 0, nil }
func (nowhere) Write([]byte) (int, error)                 { return 0, nil }

func dryOutlet() *Outlet {
	l, out := dry(nil)
	out.path.writer = nowhere{}
	o := l.Outlet(9)
	o.Bind(1, 1)
	return o
}

func TestSendAllocatesNothing(t *testing.T) {
	o := dryOutlet()
	f := frameOf(1, 80)
	for range 2 * historyLimit { // the ring's buffers
		o.Send(f)
	}
	if n := testing.AllocsPerRun(1000, func() { o.Send(f); o.Beat(protocol.Alive) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSend(b *testing.B) {
	f := frameOf(1, 80)
	b.Run("own", func(b *testing.B) {
		o := dryOutlet()
		b.ReportAllocs()
		for b.Loop() {
			o.Send(f)
		}
	})
	b.Run("whole", func(b *testing.B) { // with SRTP and the socket
		one, two := pair(b, Config{}, Config{})
		l, _ := join(b, one, two)
		o := l.Outlet(9)
		o.Bind(1, 1)
		b.ReportAllocs()
		for b.Loop() {
			o.Send(f)
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	var w sentPackets
	l, _ := dry(&w)
	o := l.Outlet(9)
	o.Bind(1, 1)
	o.Send(frameOf(1, 80))
	l.inlets.Store(&map[protocol.Handle]inlet{1: {source: 1, to: discard{}}})
	r := newReceiving(l, nil, 1, 2)
	b.ReportAllocs()
	for b.Loop() {
		r.take(w.all[0])
	}
}
