package reach

import (
	"context"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/p2p/net/nat"
)

// Implementation: ours to tune.
const (
	discoverPatience = nat.DiscoveryTimeout
	// discoverRetry is the pause after which a router is looked for again, or
	// asked again: a node may be carried from one network to another.
	discoverRetry = 5 * time.Minute
	// mappedLook is how often the router's word is looked at: libp2p renews every
	// 20 s, and the outside address may change.
	mappedLook = 5 * time.Second
)

// keepMapped has a router let sound in, by UPnP or NAT-PMP, until ctx ends, and
// then takes it back.
func (r *Reach) keepMapped(ctx context.Context) {
	for ctx.Err() == nil {
		if port := r.cfg.MediaPort(); port != 0 {
			r.mapUntil(ctx, port)
		}
		select {
		case <-ctx.Done():
		case <-time.After(discoverRetry):
		}
	}
}

// mapUntil keeps one port mapped for as long as there is a router that does it.
func (r *Reach) mapUntil(ctx context.Context, port uint16) {
	within, cancel := context.WithTimeout(ctx, discoverPatience)
	router, err := nat.DiscoverNAT(within)
	cancel()
	if err != nil {
		r.log.Debug("no router that opens ports", "err", err)
		return
	}
	defer r.setMapped(nil)
	defer router.Close() // takes the mapping back
	if err := router.AddMapping(ctx, "udp", int(port)); err != nil {
		return
	}
	look := time.NewTicker(mappedLook)
	defer look.Stop()
	for misses := 0; misses < int(discoverRetry/mappedLook); misses++ {
		if at, ok := router.GetMapping("udp", int(port)); ok && at.Addr().IsGlobalUnicast() && !at.Addr().IsPrivate() {
			r.setMapped([]netip.AddrPort{netip.AddrPortFrom(at.Addr().Unmap(), at.Port())})
			misses = 0
		} else {
			r.setMapped(nil)
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

func (r *Reach) setMapped(to []netip.AddrPort) {
	if before := *r.mapped.Swap(&to); len(before) == len(to) && (len(to) == 0 || before[0] == to[0]) {
		return
	}
	select {
	case r.mapping <- struct{}{}:
	default:
	}
}
