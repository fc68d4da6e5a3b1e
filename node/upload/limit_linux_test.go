package upload

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// TestTheLimitHolds floods thirty sinks with sound while QUIC and TCP each send
// as much as they can, and counts what leaves.
func TestTheLimitHolds(t *testing.T) {
	const limit, span = 1_000_000, 5 * time.Second
	m := New(Config{Limit: limit, loopback: true})
	ctx, cancel := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	media := flood(t, ctx, m, 30, &senders)
	bulkQUIC := pourQUIC(t, ctx, m, &senders)
	bulkTCP := pourTCP(t, ctx, m, &senders)
	wire := sniff(t, media, bulkQUIC, bulkTCP)
	wire.listen(time.Now().Add(span))
	wire.done.Wait()
	cancel()
	senders.Wait()

	slices.SortFunc(wire.all, func(a, b taken) int { return int(a.at - b.at) })
	first, _ := slices.BinarySearchFunc(wire.all, time.Second, func(t taken, at time.Duration) int { return int(t.at - at) })
	most := mostIn(time.Second, wire.all[first:])
	t.Logf("at most %d bytes in a second of %d allowed; in %v: media %d, QUIC %d, TCP %d; %+v", most, limit/8, span,
		wire.by[uint16(media)], wire.by[uint16(bulkQUIC)], wire.by[uint16(bulkTCP)], m.Counts())
	if most > limit/8 {
		t.Errorf("%d bytes in one second, allowed are %d", most, limit/8)
	}
	if most < limit/8*8/10 {
		t.Errorf("only %d bytes in the fullest second of %d allowed", most, limit/8)
	}
	for what, port := range map[string]int{"media": media, "QUIC": bulkQUIC, "TCP": bulkTCP} {
		if share := wire.by[uint16(port)]; share < limit/8/10*int(span/time.Second) {
			t.Errorf("%s sent %d bytes in %v: it starves", what, share, span)
		}
	}
	if c := m.Counts(); c.DroppedMedia == 0 {
		t.Error("no media were dropped")
	}
}

// flood sends a packet of sound each 20 ms to so many sinks.
func flood(t *testing.T, ctx context.Context, m *Meter, sinks int, running *sync.WaitGroup) (port int) {
	to := make([]net.Addr, sinks)
	for i := range to {
		c := listenUDP(t)
		to[i] = c.LocalAddr()
	}
	c := listenUDP(t)
	out, packet := m.Media(c), append([]byte{0x90, 111}, make([]byte, 198)...)
	running.Go(func() {
		beat := time.NewTicker(20 * time.Millisecond)
		defer beat.Stop()
		for ctx.Err() == nil {
			for _, a := range to {
				_, _ = out.WriteTo(packet, a) // what the sinks miss is counted on the wire
			}
			<-beat.C
		}
	})
	return c.LocalAddr().(*net.UDPAddr).Port
}

// pourQUIC sends as much as one stream of QUIC can.
func pourQUIC(t *testing.T, ctx context.Context, m *Meter, running *sync.WaitGroup) (port int) {
	server := &quic.Transport{Conn: listenUDP(t)}
	l, err := server.Listen(&tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"pour"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() {
		defer server.Close()
		c, err := l.Accept(ctx)
		if err != nil {
			return
		}
		if s, err := c.AcceptUniStream(ctx); err == nil {
			_, _ = io.Copy(io.Discard, s)
		}
	})
	socket := listenUDP(t)
	client := &quic.Transport{Conn: m.Control(socket)}
	running.Go(func() {
		defer client.Close()
		c, err := client.Dial(ctx, l.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"pour"}}, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseWithError(0, "")
		s, err := c.OpenUniStream()
		if err != nil {
			t.Error(err)
			return
		}
		context.AfterFunc(ctx, func() { s.CancelWrite(0) })
		pour(s)
	})
	return socket.LocalAddr().(*net.UDPAddr).Port
}

func pour(w io.Writer) {
	for block := make([]byte, 1<<15); ; {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pourTCP sends as much as one TCP connection can.
func pourTCP(t *testing.T, ctx context.Context, m *Meter, running *sync.WaitGroup) (port int) {
	far, near := pairTCP(t)
	running.Go(func() { _, _ = io.Copy(io.Discard, far) })
	out := m.stream(near)
	context.AfterFunc(ctx, func() { out.Close(); far.Close() })
	running.Go(func() { pour(out) })
	return near.LocalAddr().(*net.TCPAddr).Port
}
