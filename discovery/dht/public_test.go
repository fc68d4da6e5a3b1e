package dht

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
)

// strangers stand in for the public network: servers under its prefix, that know
// each other; the first is its entry point.
func strangers(t *testing.T, many int) (entry []peer.AddrInfo, hosts []host.Host) {
	t.Helper()
	for i := range many {
		h := listen(t)
		table, err := kad.New(h, kad.Mode(kad.ModeServer))
		must(t, err)
		t.Cleanup(func() { must(t, table.Close()) })
		if hosts = append(hosts, h); i > 0 {
			connect(t, h, hosts[0])
		}
	}
	return []peer.AddrInfo{*host.InfoFromHost(hosts[0])}, hosts
}

// stranger is one that looks for others.
type stranger struct {
	host  host.Host
	mu    sync.Mutex
	found []peer.ID
}

func (s *stranger) look(t *testing.T, ctx context.Context, network string, entry []peer.AddrInfo) int {
	t.Helper()
	n, err := Public(ctx, PublicConfig{Host: s.host, Network: network, Bootstrap: entry, Found: func(i peer.AddrInfo) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.found = append(s.found, i.ID)
		if s.host != nil {
			if err := s.host.Connect(ctx, i); err != nil {
				t.Error(err)
			}
		} else if len(i.Addrs) == 0 {
			t.Error("found nowhere")
		}
	}})
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestStrangersMeet(t *testing.T) {
	t.Parallel()
	entry, servers := strangers(t, 5)
	first, second, passing := &stranger{host: listen(t)}, &stranger{host: listen(t)}, &stranger{}
	friend := listen(t) // whom it knows already
	friend.SetStreamHandler(protocol.DirectoryStream, func(s network.Stream) { s.Reset() })
	connect(t, second.host, friend)

	short, cancel := context.WithTimeout(t.Context(), 2*time.Second) // there is nobody yet
	defer cancel()
	if n := first.look(t, short, "", entry); n != 0 {
		t.Fatalf("%d found of none", n)
	}
	if n := second.look(t, t.Context(), "", entry); n != 1 || !slices.Equal(second.found, []peer.ID{first.host.ID()}) {
		t.Fatalf("found %v", second.found)
	}
	if n := passing.look(t, t.Context(), "", entry); n != 2 {
		t.Fatalf("who only looks finds %v", passing.found)
	}
	short, cancel = context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if n := (&stranger{}).look(t, short, "another", entry); n != 0 {
		t.Fatalf("%d found in another network", n)
	}
	// All of it is closed again, but for whom it was about.
	here := second.host.Network().Peers()
	if len(here) != 2 || !slices.Contains(here, friend.ID()) || !slices.Contains(here, first.host.ID()) {
		t.Fatalf("still connected to %d, with %d servers about", len(here), len(servers))
	}
}

func TestNoEntry(t *testing.T) {
	gone := listen(t)
	info := *host.InfoFromHost(gone)
	must(t, gone.Close())
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Public(ctx, PublicConfig{Bootstrap: []peer.AddrInfo{info}}); !errors.Is(err, ErrNoEntry) {
		t.Fatal(err)
	}
}
