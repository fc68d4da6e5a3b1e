package bootstrap

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

// Implementation: how few neighbours are kept an eye on.
const (
	// knockInterval is how often each of few neighbours is sent a ping.
	knockInterval = 2 * time.Second
	// maxKnocks neighbours are knocked at; a dead one until QUIC gives it up.
	maxKnocks = 2 * enough
)

// knock sends something to each neighbour now and then while there are few. A
// peer that was killed and is back at its address answers with a reset (RFC 9000
// section 10.3), so that it is dialled again at once; else its silence would hide
// that for 30 s, since no reset answers QUIC's own small keepalives. To knock in
// vain is no reason to hang up: the peer may be slow.
func (b *Bootstrap) knock(ctx context.Context) {
	if b.connections() > enough {
		for _, stop := range b.knocks {
			stop()
		}
		return
	}
	for _, p := range b.host.Network().Peers() {
		if b.host.Network().Connectedness(p) == network.Connected && b.earshot(p) && b.knocks[p] == nil && len(b.knocks) < maxKnocks {
			ctx, stop := context.WithCancel(ctx)
			b.knocks[p] = stop
			go func() {
				defer stop()
				knockAt(ctx, b.host, p)
				b.knocked <- p
			}()
		}
	}
}

// knockAt pings p, on one stream, until that fails or ctx ends.
func knockAt(ctx context.Context, h host.Host, p peer.ID) {
	pace := time.NewTicker(knockInterval)
	defer pace.Stop()
	for answer := range ping.Ping(network.WithNoDial(ctx, "knock"), h, p) { // the next is sent when one is taken
		if answer.Error != nil {
			return
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
	}
}
