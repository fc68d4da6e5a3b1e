package rtc

import (
	"bytes"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// build makes a STUN message.
func build(t testing.TB, setters ...stun.Setter) []byte {
	t.Helper()
	m, err := stun.Build(setters...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func read(t testing.TB, conn *net.UDPConn) ([]byte, netip.AddrPort) {
	t.Helper()
	b := make([]byte, 1500)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	n, from, err := conn.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n], unmap(from)
}

func TestServerTellsWhereItSeesUs(t *testing.T) {
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		asker := listenAt(t, netip.AddrPortFrom(netip.MustParseAddr(loopback), 0).String())
		e := newSide(t, "one", Config{Listen: netip.AddrPortFrom(netip.MustParseAddr(loopback), 0)}).engine
		for _, port := range e.STUNPorts() {
			server := netip.AddrPortFrom(netip.MustParseAddr(loopback), port)
			for _, fingerprint := range []bool{false, true} {
				setters := []stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewSoftware("asker")}
				size := 20 + 12
				if server.Addr().Is6() {
					size = 20 + 24
				}
				if fingerprint {
					setters, size = append(setters, stun.Fingerprint), size+8
				}
				request := build(t, setters...)
				if _, err := asker.WriteToUDPAddrPort(request, server); err != nil {
					t.Fatal(err)
				}
				answer, from := read(t, asker)
				seen, ok := mapped(answer)
				if from != server || !ok || seen != localAddr(asker) || len(answer) != size ||
					!bytes.Equal(answer[8:20], request[8:20]) {
					t.Errorf("%v, fingerprint %v: %x from %v", server, fingerprint, answer, from)
				}
				m := stun.Message{Raw: answer}
				if err := m.Decode(); err != nil || fingerprint && stun.Fingerprint.Check(&m) != nil {
					t.Errorf("%v: %v: %x", server, err, answer)
				}
			}
		}
		await(t, func() bool { return e.SocketStats().Answered == 4 })
		if got := e.SocketStats(); got.Refused != 0 {
			t.Errorf("%s: %+v", loopback, got)
		}
	}
}

// notForUs are packets that get no answer.
func notForUs(t testing.TB) map[string][]byte {
	plain := build(t, stun.TransactionID, stun.BindingRequest)
	cookie := bytes.Clone(plain)
	cookie[4] ^= 1
	long := bytes.Clone(plain)
	long[3] = 8
	fingerprint := build(t, stun.TransactionID, stun.BindingRequest, stun.Fingerprint)
	fingerprint[len(fingerprint)-1] ^= 1
	return map[string][]byte{
		"fingerprint":    fingerprint,
		"empty":          {},
		"a check of ICE": build(t, stun.TransactionID, stun.BindingRequest, stun.NewUsername("far:near")),
		"change request": build(t, stun.TransactionID, stun.BindingRequest, stun.RawAttribute{Type: stun.AttrChangeRequest, Value: make([]byte, 4)}),
		"indication":     build(t, stun.TransactionID, stun.NewType(stun.MethodBinding, stun.ClassIndication)),
		"allocate":       build(t, stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)),
		"answer":         build(t, stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4(192, 0, 2, 1), Port: 9}),
		"error":          build(t, stun.TransactionID, stun.BindingError),
		"cookie":         cookie,
		"too long":       long,
		"cut":            plain[:19],
		"media":          append([]byte{0x80, 111}, make([]byte, 40)...),
		"DTLS":           append([]byte{22, 254, 253}, make([]byte, 40)...),
	}
}

func TestServerAnswersNothingElse(t *testing.T) {
	e := newSide(t, "one", Config{}).engine
	asker := listenAt(t, "127.0.0.1:0")
	for _, port := range e.STUNPorts() {
		server := netip.AddrPortFrom(e.Addr().Addr(), port)
		for name, packet := range notForUs(t) {
			last := build(t, stun.TransactionID, stun.BindingRequest)
			for _, p := range [][]byte{packet, last} {
				if _, err := asker.WriteToUDPAddrPort(p, server); err != nil {
					t.Fatal(err)
				}
			}
			// The socket reads in order: an answer to packet would come first.
			if answer, _ := read(t, asker); !bytes.Equal(answer[8:20], last[8:20]) {
				t.Errorf("%s: answered by %x", name, answer)
			}
		}
	}
}

func TestFloodLeavesOthersTheirAnswers(t *testing.T) {
	e := newSide(t, "one", Config{}).engine
	flood, other := listenAt(t, "127.0.0.1:0"), listenAt(t, "127.0.0.2:0")
	request := build(t, stun.TransactionID, stun.BindingRequest)
	began := time.Now()
	const sent, batch = 1000, 50
	for n := 0; n < sent; n += batch {
		for range batch {
			if _, err := flood.WriteToUDPAddrPort(request, e.Addr()); err != nil {
				t.Fatal(err)
			}
		}
		await(t, func() bool { s := e.SocketStats(); return s.Answered+s.Refused == uint64(n+batch) })
	}
	stats := e.SocketStats()
	most := answersASource + answersASourceAgain*uint64(time.Since(began).Seconds()+1)
	if stats.Answered < answersASource || stats.Answered > most {
		t.Errorf("one source got %d answers, of at most %d", stats.Answered, most)
	}
	if _, err := other.WriteToUDPAddrPort(request, e.Addr()); err != nil {
		t.Fatal(err)
	}
	if answer, _ := read(t, other); !bytes.Equal(answer[8:20], request[8:20]) {
		t.Errorf("the other got %x", answer)
	}
}

func TestDormitoryGetsThrough(t *testing.T) {
	s, now := newServer(), time.Now()
	address := netip.MustParseAddr("198.51.100.7")
	const nodes, packets = 64, 3
	for range nodes * packets { // the power is back
		if !s.allow(address, now) {
			t.Fatal("refused at once")
		}
	}
	for range 4 * 60 { // an hour of it
		now = now.Add(answerLife)
		for range nodes * packets {
			if !s.allow(address, now) {
				t.Fatal("refused later")
			}
		}
	}
}

func TestAnswersAreBoundedInAll(t *testing.T) {
	s, now := newServer(), time.Now()
	allowed := 0
	for n := range 20_000 { // of as many sources, in two seconds
		addr := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		if s.allow(addr, now) {
			allowed++
		}
		now = now.Add(100 * time.Microsecond)
		if len(s.recent)+len(s.former) > 2*maxSources {
			t.Fatalf("%d sources remembered", len(s.recent)+len(s.former))
		}
	}
	if most := answersAtOnce + 2*answersASecond + 1; allowed > most || allowed < answersAtOnce {
		t.Errorf("%d answers, of at most %d", allowed, most)
	}
}

// Many others don't make a server forget who has asked too much.
func TestFloodIsRemembered(t *testing.T) {
	s, now := newServer(), time.Now()
	flood := netip.MustParseAddr("198.51.100.7")
	for s.allow(flood, now) {
	}
	for n := range maxSources {
		s.allow(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), now)
	}
	now, allowed := now.Add(time.Second), 0
	for range 2 * answersASourceAgain {
		if s.allow(flood, now) {
			allowed++
		}
	}
	if allowed != answersASourceAgain {
		t.Errorf("%d answers a second later", allowed)
	}
}

func TestOneHouseholdIsOneSource(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"198.51.100.1", "198.51.100.1", true},
		{"198.51.100.1", "198.51.100.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		if got := site(netip.MustParseAddr(c.a)) == site(netip.MustParseAddr(c.b)); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

// deaf gives the same packet each time, and keeps what is sent.
type deaf struct {
	net.PacketConn
	packet []byte
	from   netip.AddrPort
	sent   [][]byte
}

func (d *deaf) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return copy(b, d.packet), d.from, nil
}

func (d *deaf) WriteToAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	d.sent = append(d.sent, bytes.Clone(b))
	return len(b), nil
}

func (d *deaf) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: Port} }

func FuzzSocketTakes(f *testing.F) {
	for _, packet := range notForUs(f) {
		f.Add(packet, false)
	}
	f.Add(build(f, stun.TransactionID, stun.BindingRequest), false)
	f.Add(build(f, stun.TransactionID, stun.BindingRequest, stun.NewSoftware("asker"), stun.Fingerprint), true)
	id := transaction{1, 2, 3}
	for _, ip := range []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1"), net.IPv4(224, 0, 0, 1)} {
		f.Add(build(f, stun.NewTransactionIDSetter(id), stun.BindingSuccess, &stun.XORMappedAddress{IP: ip, Port: 9}), false)
	}
	f.Fuzz(func(t *testing.T, packet []byte, six bool) {
		from := netip.MustParseAddrPort("198.51.100.1:3478")
		if six {
			from = netip.MustParseAddrPort("[2001:db8::2]:3478")
		}
		conn, strange := &deaf{}, new(atomic.Uint64)
		s := newSocket(conn, newServer(), strange)
		seen := make(chan sighting, 1)
		s.expect(id, pending{server: from, seen: seen})
		before := bytes.Clone(packet)
		took := isSTUN(packet) && s.takes(packet, from)
		if !bytes.Equal(before, packet) {
			t.Error("a packet was changed")
		}
		if !took && len(conn.sent)+len(seen)+int(strange.Load()) > 0 {
			t.Error("something came of a packet that goes on to pion")
		}
		for _, answer := range conn.sent {
			if at, ok := mapped(answer); !ok || at != from || len(answer) > 52 || 10*len(answer) > 22*len(packet) {
				t.Errorf("%d bytes answered by %x", len(packet), answer)
			}
		}
		if len(seen) > 0 {
			if at := <-seen; !unicast(at.addr, false) || at.addr.Addr().Is4() == six {
				t.Errorf("seen at %v by %v", at.addr, from)
			}
		}
	})
}

func TestMediaPassesWithoutAllocations(t *testing.T) {
	media := notForUs(t)["media"]
	conn := &deaf{packet: media, from: netip.MustParseAddrPort("198.51.100.1:9")}
	s, b := newSocket(conn, newServer(), nil), make([]byte, 1500)
	if allocs := testing.AllocsPerRun(100, func() {
		if n, from, err := s.ReadFromAddrPort(b); err != nil || from != conn.from || !bytes.Equal(b[:n], media) {
			t.Errorf("%x from %v: %v", b[:n], from, err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// The difference of the first two is what telling STUN apart costs each packet.
func BenchmarkRead(b *testing.B) {
	conn := &deaf{packet: append([]byte{0x80, 111}, make([]byte, 120)...), from: netip.MustParseAddrPort("198.51.100.1:9")}
	for _, c := range []struct {
		name string
		conn packetConn
	}{{"bare", conn}, {"socket", newSocket(conn, newServer(), nil)}} {
		b.Run(c.name, func(b *testing.B) {
			buffer := make([]byte, 1500)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := c.conn.ReadFromAddrPort(buffer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// A flood of as many sources as packets, most of them refused.
	b.Run("flood", func(b *testing.B) {
		request := build(b, stun.TransactionID, stun.BindingRequest)
		s := newSocket(&quiet{}, newServer(), nil)
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			s.takes(request, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 9))
		}
	})
}

// quiet is deaf and does not keep what is sent.
type quiet struct{ deaf }

func (q *quiet) WriteToAddrPort(b []byte, _ netip.AddrPort) (int, error) { return len(b), nil }
