package reach

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/p2p/net/nat"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	// routerRetry is the pause after which a router is looked for again, where
	// there was none or it lost its tongue: a node may be carried from one network
	// to another.
	routerRetry = 5 * time.Minute
	// routerLook is how often the router's word is looked at: mappings are renewed,
	// and the outside address may change.
	routerLook = 5 * time.Second
	mappedMost = 8 // ports
)

// Ports are those that a router keeps open for this node, libp2p's and that for
// sound: a basichost.NATManager for the host, and kept by a Reach. libp2p's own
// would do, but that it never finds a router that speaks NAT-PMP: how it asks for
// the default gateway, go-netroute 0.4 refuses.
type Ports struct {
	table  atomic.Pointer[map[port]netip.AddrPort]
	router func(context.Context) (router, error) // finds one
}

type port struct {
	protocol string // "udp" or "tcp"
	number   uint16
}

func (p port) String() string { return fmt.Sprintf("%s %d", strings.ToUpper(p.protocol), p.number) }

// router opens ports. Its calls may wait for it.
type router interface {
	AddMapping(ctx context.Context, protocol string, port int) error
	GetMapping(protocol string, port int) (netip.AddrPort, bool)
	Close() error // takes the mappings back
}

// NewPorts gives Ports of which none is open.
func NewPorts() *Ports {
	p := &Ports{router: findRouter}
	p.set(nil)
	return p
}

// findRouter looks for a router that speaks NAT-PMP, which shows at once, then
// for one that speaks UPnP.
func findRouter(ctx context.Context) (router, error) {
	gateway, err := defaultGateway()
	if err != nil {
		return nil, err
	}
	if r, err := askPMP(ctx, netip.AddrPortFrom(gateway, pmpPort)); err == nil {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(ctx, nat.DiscoveryTimeout)
	defer cancel()
	r, err := nat.DiscoverNAT(ctx)
	if err != nil {
		return nil, errors.New("reach: the router opens no ports, neither by NAT-PMP nor by UPnP")
	}
	return r, nil
}

// set says whether anything has changed.
func (p *Ports) set(table map[port]netip.AddrPort) bool {
	before := p.table.Swap(&table)
	if before == nil || len(*before) != len(table) {
		return true
	}
	for k, v := range table {
		if (*before)[k] != v {
			return true
		}
	}
	return false
}

func (p *Ports) outside(of port) (netip.AddrPort, bool) {
	at, ok := (*p.table.Load())[of]
	return at, ok
}

// HasDiscoveredNAT says whether a router opens ports.
func (p *Ports) HasDiscoveredNAT() bool { return len(*p.table.Load()) > 0 }

// Close does nothing: the Reach takes the mappings back.
func (p *Ports) Close() error { return nil }

// GetMapping gives the address outside that leads to one of the host's; nil: none
// does.
func (p *Ports) GetMapping(listen multiaddr.Multiaddr) multiaddr.Multiaddr {
	at, ok := portOf(listen, netip.Addr.Is4)
	if !ok {
		return nil
	}
	outside, ok := p.outside(at)
	if !ok {
		return nil
	}
	return multiaddr.Join(thinWaist(at.protocol, outside), listen[2:])
}

// portOf gives the port of an address at which others than this machine's own
// programs arrive, if it is of the family.
func portOf(listen multiaddr.Multiaddr, family func(netip.Addr) bool) (port, bool) {
	ip, ok := protocol.IPOf(listen)
	if !ok || !family(ip) || ip.IsLoopback() || len(listen) < 2 {
		return port{}, false
	}
	transport := listen[1].Protocol().Name
	if transport != "udp" && transport != "tcp" {
		return port{}, false
	}
	number, err := strconv.ParseUint(listen[1].Value(), 10, 16)
	return port{transport, uint16(number)}, err == nil && number != 0
}

func thinWaist(protocol string, at netip.AddrPort) multiaddr.Multiaddr {
	a, err := manet.FromNetAddr(netAddr(protocol, at))
	if err != nil {
		return nil // only for what is neither UDP nor TCP
	}
	return a
}

// keepMapped has a router let others in until ctx ends, and then takes it back.
func (r *Reach) keepMapped(ctx context.Context) {
	for ctx.Err() == nil {
		router, err := r.cfg.Ports.router(ctx)
		if err != nil {
			r.log.Debug("no ports opened", "err", err)
		} else {
			r.mapUntil(ctx, router)
		}
		select {
		case <-ctx.Done():
		case <-time.After(routerRetry):
		}
	}
}

// mapUntil keeps ports mapped for as long as the router does it.
func (r *Reach) mapUntil(ctx context.Context, router router) {
	defer r.setMapped(nil)
	defer router.Close()
	asked := map[port]bool{}
	look := time.NewTicker(routerLook)
	defer look.Stop()
	for misses := 0; misses < int(routerRetry/routerLook); misses++ {
		table := map[port]netip.AddrPort{}
		for _, p := range r.ports(netip.Addr.Is4) { // routers open ports for IPv4 alone
			if !asked[p] {
				asked[p] = true
				if err := router.AddMapping(ctx, p.protocol, int(p.number)); err != nil {
					r.log.Debug("a port is not opened", "protocol", p.protocol, "port", p.number, "err", err)
				}
			}
			at, ok := router.GetMapping(p.protocol, int(p.number))
			if at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port()); ok && at.Addr().Is4() && r.cfg.Public(thinWaist(p.protocol, at)) {
				table[p] = at // else there is another router behind it
				misses = 0
			}
		}
		r.setMapped(table)
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// ports gives those of a family at which others come in: for sound first.
func (r *Reach) ports(family func(netip.Addr) bool) (ports []port) {
	if sound := r.cfg.MediaPort(); sound != 0 {
		ports = append(ports, port{"udp", sound})
	}
	for _, a := range r.host.Network().ListenAddresses() {
		if p, ok := portOf(a, family); ok && !slices.Contains(ports, p) && len(ports) < mappedMost {
			ports = append(ports, p)
		}
	}
	return ports
}

func (r *Reach) setMapped(table map[port]netip.AddrPort) {
	if !r.cfg.Ports.set(table) {
		return
	}
	select {
	case r.mapping <- struct{}{}:
	default:
	}
}

// Mapped gives where a router lets sound in.
func (r *Reach) Mapped() []netip.AddrPort {
	if at, ok := r.cfg.Ports.outside(port{"udp", r.cfg.MediaPort()}); ok {
		return []netip.AddrPort{at}
	}
	return nil
}
