package upload

import (
	"context"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/tcpreuse"
)

// limited opens a host that speaks TCP within a limit, and takes whatever is sent.
func limited(t *testing.T, m *Meter) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(),
		libp2p.Transport(func(u transport.Upgrader, r network.ResourceManager, shared *tcpreuse.ConnMgr) (*tcp.TcpTransport, error) {
			return tcp.NewTCPTransport(m.Upgrader(u), r, shared, tcp.DisableReuseport())
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler("/pour", func(s network.Stream) {
		_, _ = io.Copy(io.Discard, s) // who pours counts
		s.Close()
	})
	return h
}

func TestBothWaysOfALibp2pConnectionAreLimited(t *testing.T) {
	dialler, listener := New(Config{Limit: 1_000_000_000, loopback: true}), New(Config{Limit: 1_000_000_000, loopback: true})
	from, to := limited(t, dialler), limited(t, listener)
	if err := from.Connect(t.Context(), peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		t.Fatal(err)
	}
	const n = 1 << 18
	for _, c := range []struct {
		name     string
		from, to host.Host
		m        *Meter
	}{{"outbound", from, to, dialler}, {"inbound", to, from, listener}} {
		before := c.m.Counts().Sent
		s, err := c.from.NewStream(context.Background(), c.to.ID(), "/pour")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(s); err != nil {
			t.Fatal(err)
		}
		if sent := c.m.Counts().Sent - before; sent < n || sent > n*12/10 {
			t.Errorf("%s: %d bytes charged for %d", c.name, sent, n)
		}
	}
}
