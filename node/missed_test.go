package node

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// A node that ended without a word and is back at the same address is dialled
// again, though it dials nobody itself and QUIC would wait half a minute for it.
func TestKilledNeighbourIsMissed(t *testing.T) {
	stays := start(t, "stays")
	<-stays.Ready()
	goes := start(t, "goes")
	<-goes.Ready()
	udp := stays.host.Addrs()
	udp = slices.DeleteFunc(udp, func(a multiaddr.Multiaddr) bool { _, err := a.ValueForProtocol(multiaddr.P_QUIC_V1); return err != nil })
	if err := goes.host.Connect(t.Context(), peer.AddrInfo{ID: stays.self, Addrs: udp}); err != nil {
		t.Fatal(err)
	}
	stays.eventually("the other", func() bool { return stays.host.Network().Connectedness(goes.self) == network.Connected })
	where := goes.host.Addrs()
	stays.eventually("it remembers the other", func() bool {
		return slices.ContainsFunc(stays.store.Remembered(rememberedPeers), func(p peer.AddrInfo) bool { return p.ID == goes.self })
	})
	goes.Kill()
	<-goes.done
	goes.done <- nil
	back, err := libp2p.New(libp2p.Identity(goes.key), libp2p.ListenAddrs(where...), libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	begun := time.Now()
	stays.within(15*time.Second, "the other, back", func() bool { return len(back.Network().ConnsToPeer(stays.self)) > 0 })
	t.Logf("dialled again after %v", time.Since(begun))
}
