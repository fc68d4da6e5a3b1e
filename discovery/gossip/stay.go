package gossip

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// errStays says that it would have to.
var errStays = errors.New("gossip dials nobody")

// staying is a host as pubsub has it: it talks to whom it is connected with and
// dials nobody. By itself pubsub dials whom a PRUNE names, at addresses that
// anybody can sign for, and who hung up a moment before it opens a stream, at the
// addresses that one gave: a victim would be called, and who hides found.
type staying struct{ host.Host }

// Connect connects with nobody.
func (s staying) Connect(context.Context, peer.AddrInfo) error { return errStays }

// NewStream opens one on a connection that there is.
func (s staying) NewStream(ctx context.Context, p peer.ID, as ...protocol.ID) (network.Stream, error) {
	return s.Host.NewStream(network.WithNoDial(ctx, errStays.Error()), p, as...)
}
