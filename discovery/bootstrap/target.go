package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/earshot-audio/earshot/protocol"
)

// source is where a peer's address came from: the lower, the more it matters.
type source uint8

const (
	given  source = iota // by the person: dialled for as long as the node runs
	hinted               // by a link: dialled, whatever connections there are
	near                 // on the local network: the same
	met                  // before: dialled while there are too few connections
)

// target is a peer that is to be connected.
type target struct {
	info     peer.AddrInfo
	source   source
	dialling bool
	failures int // in a row
	next     time.Time
	warned   []string // since it was last connected
}

// takeGiven aims at the addresses that the person gave.
func (b *Bootstrap) takeGiven() {
	for _, a := range b.config.Addrs {
		info, err := check(a)
		switch {
		case err != nil:
			b.warn(err.Error())
		case info.ID == b.host.ID():
			b.warn(fmt.Sprintf("bootstrap %s is this node itself; give the address of another", a))
		default:
			b.aim(info, given)
		}
	}
}

// aim makes a peer a target, or adds to what is known of one.
func (b *Bootstrap) aim(info peer.AddrInfo, s source) {
	if info.ID == b.host.ID() || len(info.Addrs) == 0 || info.ID.Validate() != nil {
		return
	}
	t := b.targets[info.ID]
	if t == nil {
		if s != given && (len(b.targets) >= maxTargets || b.connected(info.ID)) {
			return
		}
		b.targets[info.ID] = &target{info: peer.AddrInfo{ID: info.ID, Addrs: first(info.Addrs)}, source: s}
		return
	}
	t.source = min(t.source, s)
	t.info.Addrs = first(append(slices.Clone(info.Addrs), t.info.Addrs...))
	if s == hinted || s == near {
		t.failures, t.next = 0, time.Time{} // news of it: not what failed before
	}
}

// first gives the first few addresses, each once.
func first(addrs []multiaddr.Multiaddr) (few []multiaddr.Multiaddr) {
	for _, a := range addrs {
		if !multiaddr.Contains(few, a) && len(few) < protocol.MaxAddresses {
			few = append(few, a)
		}
	}
	return few
}

// dialDue dials the targets whose time has come and says when the next one's
// will.
func (b *Bootstrap) dialDue(ctx context.Context) time.Duration {
	now := time.Now()
	pause := reviewInterval
	for id, t := range b.targets {
		if t.dialling || b.connected(id) || t.source == met && b.connections()+b.dialling >= enough {
			continue
		}
		if wait := t.next.Sub(now); wait > 0 {
			pause = min(pause, wait)
			continue
		}
		if b.dialling >= atOnce {
			continue // a result will wake us
		}
		t.dialling = true
		b.dialling++
		info := t.info
		go func() { b.results <- result{info.ID, b.dial(ctx, info)} }()
	}
	return pause
}

func (b *Bootstrap) dial(ctx context.Context, info peer.AddrInfo) error {
	ctx, cancel := context.WithTimeout(network.WithDialPeerTimeout(ctx, dialPatience), dialPatience)
	defer cancel()
	// The swarm has a backoff of its own, up to minutes; ours decides.
	if s, ok := b.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(info.ID)
	}
	return b.host.Connect(ctx, info)
}

// dialled takes in how a dial ended.
func (b *Bootstrap) dialled(r result) {
	b.dialling--
	t := b.targets[r.id]
	if t == nil {
		return
	}
	t.dialling = false
	if r.err == nil {
		b.reached(r.id, t)
		return
	}
	b.log.Debug("not reached", "peer", r.id, "error", r.err)
	t.next = time.Now().Add(retry(t.failures))
	t.failures++
	if t.source == given {
		b.explain(t, r.err)
	} else if t.failures >= tries {
		delete(b.targets, r.id)
	}
}

// reached is told when a target is connected, by either side. Given ones stay
// targets, to be dialled again once they are lost.
func (b *Bootstrap) reached(id peer.ID, t *target) {
	if t.source != given {
		if !t.dialling {
			delete(b.targets, id)
		}
		return
	}
	t.failures, t.warned = 0, nil
	t.next = time.Now().Add(retry(0))
}

// retry gives the pause after so many failures in a row, with a fifth of jitter
// either way: a node that restarts is not met by all others at once.
func retry(failures int) time.Duration {
	pause := min(firstRetry<<min(failures, 10), lastRetry)
	return time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
}

// explain tells the person, once until the target is connected, why it is not.
func (b *Bootstrap) explain(t *target, err error) {
	why := "nobody answers there; still trying"
	var other sec.ErrPeerIDMismatch
	if errors.As(err, &other) {
		why = fmt.Sprintf("another node is there (%s), not the one in the address; ask for its address again", other.Actual)
	}
	if slices.Contains(t.warned, why) {
		return
	}
	t.warned = append(t.warned, why)
	whole, err := peer.AddrInfoToP2pAddrs(&t.info)
	if err != nil || len(whole) == 0 {
		return
	}
	b.warn(fmt.Sprintf("bootstrap %s: %s", whole[0], why))
}

func (b *Bootstrap) warn(line string) {
	if b.config.Warn == nil {
		b.log.Warn(line)
		return
	}
	b.config.Warn(line)
}

// remember keeps a connected peer that speaks our directory protocol: where we
// reached it first, then where it says it listens.
func (b *Bootstrap) remember(p peer.ID) {
	if b.config.Remember == nil {
		return
	}
	speaks, err := b.host.Peerstore().SupportsProtocols(p, protocol.DirectoryStream)
	if err != nil || len(speaks) == 0 {
		return
	}
	var addrs []multiaddr.Multiaddr
	local := false
	for _, c := range b.host.Network().ConnsToPeer(p) {
		local = local || manet.IsIPLoopback(c.RemoteMultiaddr())
		if c.Stat().Direction == network.DirOutbound {
			addrs = append(addrs, c.RemoteMultiaddr())
		}
	}
	for _, a := range b.host.Peerstore().Addrs(p) {
		if local || !manet.IsIPLoopback(a) { // its loopback is not ours
			addrs = append(addrs, a)
		}
	}
	if addrs = first(addrs); len(addrs) > 0 {
		b.config.Remember(peer.AddrInfo{ID: p, Addrs: addrs})
	}
}
