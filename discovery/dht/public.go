package dht

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
)

// rendezvous is where Earshot's nodes meet, with the network's name after it.
const rendezvous = "earshot rendezvous 1"

// Implementation: how strangers are looked for.
const (
	publicPatience = 2 * time.Minute // all of it
	publicRound    = 20 * time.Second
	publicWanted   = 32 // providers
	// entryPatience bounds the wait for an entry point.
	entryPatience = 15 * time.Second
	entryLook     = 100 * time.Millisecond
)

// ErrNoEntry says that no entry point of the public network answered.
var ErrNoEntry = errors.New("none of the public network's entry points answers; is this machine on the Internet?")

// PublicConfig says what Public needs.
type PublicConfig struct {
	// Host is found by others for two days afterwards; they can reach it under the
	// identity that stores the record and no other. nil: a passing host with a key
	// of its own only looks, and this node's identity stays unknown.
	Host      host.Host
	Network   string              // "": the common one
	Bootstrap []peer.AddrInfo     // the entry points; nil: libp2p's, see Public for who runs them
	Found     func(peer.AddrInfo) // it must not wait
	Log       *slog.Logger        // nil: nothing is logged
}

// Public looks for strangers that run Earshot, through libp2p's public DHT (the
// one that IPFS uses), and gives how many it found. It takes two minutes at most,
// less once somebody is found, and closes all that it opened. Nothing but a
// person's own word may start it:
//
// The entry points (bootstrap.libp2p.io and one host more) are run by the IPFS
// project's operators: Protocol Labs, as it said in July 2023, or whom it has
// handed them to since. The nodes asked on the way, some hundred, are run by
// anybody. Each of them sees this machine's Internet address, the peer ID and
// addresses of Host (a throwaway ID if there is none), and what is asked for: one
// key for all of a network's nodes, which says that Earshot is looked for and not
// which room. To those that Host connects to it also says that it runs Earshot,
// as to any peer. The twenty that keep the record tell whoever asks for the key,
// for two days.
func Public(ctx context.Context, c PublicConfig) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, publicPatience)
	defer cancel()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Bootstrap == nil {
		c.Bootstrap = kad.GetDefaultBootstrapPeerAddrInfos()
	}
	h := c.Host
	if h == nil {
		passing, err := libp2p.New(libp2p.NoListenAddrs)
		if err != nil {
			return 0, err
		}
		defer passing.Close()
		h = passing
	}
	keep, found := acquainted(h), c.Found
	defer dismiss(h, keep)
	c.Found = func(info peer.AddrInfo) {
		keep[info.ID] = true
		found(info)
	}
	table, err := kad.New(h, kad.Mode(kad.ModeClient), kad.DisableAutoRefresh(), kad.AddressFilter(filter(h)))
	if err != nil {
		return 0, err
	}
	defer table.Close()
	if err := enter(ctx, table, c.Bootstrap); err != nil {
		return 0, err
	}
	return meet(ctx, table, c)
}

// enter connects to entry points, until one of them is in the table.
func enter(ctx context.Context, table *kad.IpfsDHT, points []peer.AddrInfo) error {
	ctx, cancel := context.WithTimeout(ctx, entryPatience)
	defer cancel()
	dials := make(chan error, len(points))
	for _, p := range points {
		go func() { dials <- table.Host().Connect(ctx, p) }()
	}
	defer func() {
		for range points {
			<-dials // they end with ctx
		}
	}()
	defer cancel()
	look := time.NewTicker(entryLook)
	defer look.Stop()
	for table.RoutingTable().Size() == 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ErrNoEntry
		}
	}
	return nil
}

// meet stores that this node is there, if it may be found, and looks for others,
// round by round until there are some.
func meet(ctx context.Context, table *kad.IpfsDHT, c PublicConfig) (int, error) {
	place := key([]byte(rendezvous + c.Network))
	stored := make(chan error, 1)
	if c.Host == nil {
		stored <- nil
	} else {
		go func() { stored <- table.Provide(ctx, place, true) }()
	}
	found := make(map[peer.ID]bool)
	for round := 0; ctx.Err() == nil && len(found) == 0; round++ {
		if round > 0 {
			pause(ctx, publicRound)
		}
		pass(ctx, table.Host(), table.FindProvidersAsync(ctx, place, publicWanted), func(info peer.AddrInfo) {
			if c.Host != nil && info.ID == c.Host.ID() || found[info.ID] {
				return
			}
			found[info.ID] = true
			c.Found(info)
		})
	}
	if err := <-stored; err != nil && ctx.Err() == nil {
		return len(found), fmt.Errorf("leave word that this node is there: %w", err)
	}
	c.Log.Info("looked for strangers", "found", len(found))
	return len(found), nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// acquainted are the peers that h is connected to.
func acquainted(h host.Host) map[peer.ID]bool {
	known := make(map[peer.ID]bool)
	for _, p := range h.Network().Peers() {
		known[p] = true
	}
	return known
}

// dismiss ends the connections with those who came in passing: all but those to
// keep and Earshot's nodes.
func dismiss(h host.Host, keep map[peer.ID]bool) {
	for _, p := range h.Network().Peers() {
		if speaks, err := h.Peerstore().SupportsProtocols(p, protocol.DirectoryStream); !keep[p] && err == nil && len(speaks) == 0 {
			_ = h.Network().ClosePeer(p) // it may be gone already
		}
	}
}
