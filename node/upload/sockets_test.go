package upload

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	manet "github.com/multiformats/go-multiaddr/net"
)

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pairTCP gives both ends of a connection on this machine.
func pairTCP(t *testing.T) (far net.Conn, near manet.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if near, err = manet.WrapNetConn(c); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); far.Close() })
	return far, near
}

// sink is a socket that takes what is sent and notes how much.
type sink struct {
	net.PacketConn
	packets int
}

func (s *sink) WriteTo(b []byte, _ net.Addr) (int, error) {
	s.packets++
	return len(b), nil
}

var (
	elsewhere = &net.UDPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1}
	sound     = append([]byte{0x90, 111}, make([]byte, 198)...)
	report    = append([]byte{0x81, 201}, make([]byte, 30)...)
)

// drain leaves nothing for media, and nothing for two seconds for anybody.
func drain(m *Meter, nothing bool) {
	for m.allow(50, m.keep) {
	}
	if nothing {
		m.owe(int(2 * m.rate))
	}
}

func TestMediaBeyondTheLimitAreDropped(t *testing.T) {
	m := New(Config{Limit: 1_000_000})
	wire := &sink{}
	out := m.Media(wire)
	drain(m, false)
	if n, err := out.WriteTo(sound, elsewhere); n != len(sound) || err != nil || wire.packets != 0 {
		t.Errorf("sound: %d, %v, %d packets sent; want it dropped without an error", n, err, wire.packets)
	}
	if _, err := out.WriteTo(report, elsewhere); err != nil || wire.packets != 1 {
		t.Error("a report did not go before sound")
	}
	drain(m, true)
	if _, err := out.WriteTo(report, elsewhere); err != nil || wire.packets != 1 {
		t.Error("a report went beyond the limit")
	}
	if c := m.Counts(); c.DroppedMedia != 2 {
		t.Errorf("%d dropped, want 2", c.DroppedMedia)
	}
}

func TestMediaWithoutNetAddr(t *testing.T) {
	m := New(Config{Limit: 1_000_000, loopback: true})
	here, out := listenUDP(t), m.Media(listenUDP(t)).(interface {
		ReadFromAddrPort([]byte) (int, netip.AddrPort, error)
		WriteToAddrPort([]byte, netip.AddrPort) (int, error)
	})
	to := here.LocalAddr().(*net.UDPAddr).AddrPort()
	if n, err := out.WriteToAddrPort(sound, to); n != len(sound) || err != nil || m.Counts().Sent != 242 {
		t.Errorf("%d, %v, %+v", n, err, m.Counts())
	}
	if n, err := here.Read(make([]byte, 300)); n != len(sound) || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	drain(m, true)
	if n, err := out.WriteToAddrPort(sound, to); n != len(sound) || err != nil || m.Counts().DroppedMedia != 1 {
		t.Errorf("%d, %v, %+v", n, err, m.Counts())
	}
}

func TestThisMachineIsFree(t *testing.T) {
	m := New(Config{Limit: Least})
	drain(m, true)
	before := m.Counts()
	wire := &sink{}
	for _, ip := range []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback} {
		_, _ = m.Media(wire).WriteTo(sound, &net.UDPAddr{IP: ip, Port: 1}) // a sink has no errors
	}
	here := listenUDP(t)
	if _, err := m.Control(listenUDP(t)).WriteTo(sound, here.LocalAddr()); err != nil {
		t.Error(err)
	}
	if _, near := pairTCP(t); m.stream(near) != near {
		t.Error("a connection on this machine is limited")
	}
	if wire.packets != 2 || m.Counts() != before {
		t.Errorf("%d packets sent, counted %+v, want %+v", wire.packets, m.Counts(), before)
	}
}

func TestQUICWaitsForItsTurn(t *testing.T) {
	m := New(Config{Limit: 1_000_000, loopback: true})
	here, out := listenUDP(t), m.Control(listenUDP(t))
	drain(m, false)
	m.owe(m.keepBytes())
	began := time.Now()
	if _, err := out.WriteTo(make([]byte, 1200), here.LocalAddr()); err != nil || m.Counts().DroppedControl > 0 {
		t.Fatalf("not sent: %v, %+v", err, m.Counts())
	}
	if waited := time.Since(began); waited < m.cost(600) {
		t.Errorf("waited %v, want as long as its bytes take", waited)
	}
	drain(m, true)
	if n, err := out.WriteTo(make([]byte, 1200), here.LocalAddr()); n != 1200 || err != nil || m.Counts().DroppedControl != 1 {
		t.Errorf("%d, %v, %+v: want it dropped without an error", n, err, m.Counts())
	}
}

// keepBytes is the reserve in bytes.
func (m *Meter) keepBytes() int { return int(int64(m.keep) * m.rate / int64(time.Second)) }

func TestCloseEndsWaiting(t *testing.T) {
	m := New(Config{Limit: Least, loopback: true})
	_, near := pairTCP(t)
	s, socket, here := m.stream(near), listenUDP(t), listenUDP(t)
	q := m.Control(socket)
	m.owe(int(100 * m.rate))
	done := make(chan error, 2)
	go func() { _, err := s.Write(make([]byte, 5000)); done <- err }()
	go func() { _, err := q.WriteTo(make([]byte, 1200), here.LocalAddr()); done <- err }()
	s.Close()
	q.Close()
	for range 2 {
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("still waits")
		}
	}
}

func TestDeadlineHoldsForWaiting(t *testing.T) {
	m := New(Config{Limit: Least, loopback: true})
	_, near := pairTCP(t)
	s := m.stream(near)
	defer s.Close()
	m.owe(int(100 * m.rate))
	if err := s.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Write(make([]byte, 5000)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d, %v", n, err)
	}
}

// TestWhatTCPSendsUnaskedIsCharged reads a megabyte, whose acknowledgements cost.
func TestWhatTCPSendsUnaskedIsCharged(t *testing.T) {
	m := New(Config{Limit: 100_000_000, loopback: true})
	far, near := pairTCP(t)
	s := m.stream(near)
	defer s.Close()
	go func() {
		_, _ = far.Write(make([]byte, 1<<20)) // the reader counts
		far.Close()
	}()
	if n, err := io.Copy(io.Discard, s); n != 1<<20 || err != nil {
		t.Fatalf("read %d, %v", n, err)
	}
	if sent := m.Counts().Sent; sent < 5*uint64(segmentBytes(0, false)) {
		t.Errorf("%d bytes charged for a megabyte received", sent)
	}
}

func TestAStreamCostsItsBytes(t *testing.T) {
	m := New(Config{Limit: 1_000_000_000, loopback: true})
	far, near := pairTCP(t)
	s := m.stream(near)
	defer s.Close()
	const n = 1 << 20
	read := make(chan int64, 1)
	go func() { n, _ := io.CopyN(io.Discard, far, n); read <- n }()
	if _, err := s.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != n {
		t.Fatalf("read %d", got)
	}
	sent, want := m.Counts().Sent, uint64(n/segment*segmentBytes(segment, false))
	if sent < want || sent > want*103/100 {
		t.Errorf("%d bytes charged, want %d or a little more", sent, want)
	}
}

func BenchmarkMedia(b *testing.B) {
	for name, limit := range map[string]int64{"sent": 1 << 50, "dropped": Least} {
		b.Run(name, func(b *testing.B) {
			out := New(Config{Limit: limit}).Media(&sink{})
			b.ReportAllocs()
			for b.Loop() {
				_, _ = out.WriteTo(sound, elsewhere) // a sink has no errors
			}
		})
	}
}

func TestAPacketAllocatesNothing(t *testing.T) {
	for name, limit := range map[string]int64{"sent": 1 << 50, "dropped": Least} {
		out := New(Config{Limit: limit}).Media(&sink{})
		if n := testing.AllocsPerRun(1000, func() { _, _ = out.WriteTo(sound, elsewhere) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
