package node

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"
)

// relayPatience bounds the wait for a relay's answer, before it is asked for a
// circuit: some round trips.
const relayPatience = 1500 * time.Millisecond

// circuitTransport is libp2p's transport through relays (circuit relay v2), but that it
// hears of a relay first that it is there. The transport by itself dials a peer
// through one relay at a time, and waits 5 s for one that is gone, while those
// that would do wait behind it, longer than who dials has patience.
type circuitTransport struct {
	*client.Client
	host host.Host
}

// useCircuits adds the transport to a host, as client.AddTransport does with
// libp2p's.
func useCircuits(h host.Host, upgrader transport.Upgrader) error {
	n, ok := h.Network().(transport.TransportNetwork)
	if !ok {
		return fmt.Errorf("%v takes no transports", h.Network())
	}
	c, err := client.New(h, upgrader)
	if err != nil {
		return err
	}
	if err := n.AddTransport(&circuitTransport{c, h}); err != nil {
		return err
	}
	if err := n.Listen(multiaddr.StringCast("/p2p-circuit")); err != nil {
		return err
	}
	c.Start()
	return nil
}

// Dial implements transport.Transport.
func (c *circuitTransport) Dial(ctx context.Context, a multiaddr.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	way, _ := multiaddr.SplitFunc(a, func(c multiaddr.Component) bool { return c.Protocol().Code == multiaddr.P_CIRCUIT })
	relay, err := peer.AddrInfoFromP2pAddr(way)
	if err != nil {
		return nil, err
	}
	if err := c.hear(ctx, *relay); err != nil {
		return nil, fmt.Errorf("nothing is heard of the relay: %w", err)
	}
	return c.Client.Dial(ctx, a, p)
}

// hear connects with a relay, if need be, and waits for a word of it:
// connections with one that is gone linger for half a minute.
func (c *circuitTransport) hear(ctx context.Context, relay peer.AddrInfo) error {
	ctx, cancel := context.WithTimeout(network.WithDialPeerTimeout(ctx, relayPatience), relayPatience)
	defer cancel()
	if err := c.host.Connect(ctx, relay); err != nil {
		return err
	}
	select {
	case answer := <-ping.Ping(ctx, c.host, relay.ID):
		return answer.Error
	case <-ctx.Done():
		return ctx.Err()
	}
}
