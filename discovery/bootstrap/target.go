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
	met                  // before: dialled while there are too few neighbours
	told                 // by a neighbour, who may lie: the same, but less often
)

// target is a peer that is to be connected.
type target struct {
	info     peer.AddrInfo
	source   source
	dialling bool
	failures int // in a row
	next     time.Time
	warned   []string  // since it was last connected
	doubted  time.Time // when to see whether it is an Earshot node; zero: no need
	stranger bool      // it was none: the person knows
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
		if s != given && (len(b.targets) >= maxTargets || b.here(info.ID)) {
			return
		}
		if s == told {
			b.makeRoom()
		}
		b.targets[info.ID] = &target{info: peer.AddrInfo{ID: info.ID, Addrs: first(info.Addrs)}, source: s}
		return
	}
	// News is better, but must not push aside what the person gave; and a
	// neighbour's word pushes nothing aside.
	if s == told || t.source == given && s != given {
		t.info.Addrs = first(append(slices.Clone(t.info.Addrs), info.Addrs...))
	} else {
		t.info.Addrs = first(append(slices.Clone(info.Addrs), t.info.Addrs...))
	}
	t.source = min(t.source, s)
	if s == hinted || s == near {
		t.failures, t.next = 0, time.Time{} // news of it: not what failed before
	}
}

// makeRoom forgets one of those that neighbours told of, any of them, once there
// are many: no neighbour may keep out what another tells later.
func (b *Bootstrap) makeRoom() {
	many := 0
	var one peer.ID
	for id, t := range b.targets { // in random order
		if t.source != told {
			continue
		}
		many++
		if !t.dialling {
			one = id
		}
	}
	if many >= maxTold {
		delete(b.targets, one)
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
	neighbours := b.connections()
	hopes := neighbours // with those told of that are being dialled
	for _, t := range b.targets {
		if t.dialling && t.source == told {
			hopes++
		}
	}
	for id, t := range b.targets {
		if b.here(id) {
			b.keep(id, t, now)
			continue
		}
		if t.dialling || t.source == met && neighbours >= enough || t.source == told && hopes >= enough {
			continue
		}
		if wait := t.next.Sub(now); wait > 0 {
			pause = min(pause, wait)
			continue
		}
		if b.dialling >= atOnce {
			continue // a result will wake us
		}
		if t.source == told {
			hopes++
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
		b.reached(t)
		return
	}
	b.log.Debug("not reached", "peer", r.id, "error", r.err)
	pause := retry(t.failures)
	if b.restarts(r.id) {
		pause = min(pause, restartRetry)
	}
	t.next = time.Now().Add(pause)
	t.failures++
	switch {
	case t.source == given:
		b.explain(t, unreached(r.err))
	case b.restarts(r.id):
	case t.failures >= tries, t.source == told && t.failures >= toldTries:
		delete(b.targets, r.id)
	}
}

// reached is told when a target is connected, by either side. It is not dialled
// again at once when it is lost at once.
func (b *Bootstrap) reached(t *target) {
	t.failures, t.warned = 0, nil
	t.next = time.Now().Add(retry(0))
}

// keep forgets a connected target in a while. Given ones stay targets, to be
// dialled again once they are lost.
func (b *Bootstrap) keep(id peer.ID, t *target, now time.Time) {
	if t.source != given && !t.dialling && now.After(t.next) {
		delete(b.targets, id)
	}
}

// retry gives the pause after so many failures in a row, with a fifth of jitter
// either way: a node that restarts is not met by all others at once.
func retry(failures int) time.Duration {
	pause := min(firstRetry<<min(failures, 10), lastRetry)
	return time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
}

// doubt looks, a little later, whether a given target that has introduced itself
// is an Earshot node.
func (b *Bootstrap) doubt(p peer.ID) {
	if t := b.targets[p]; t != nil && t.source == given && !t.stranger && t.doubted.IsZero() && !b.earshot(p) {
		t.doubted = time.Now().Add(introduction)
	}
}

// doubtDue warns of given targets that are still no Earshot nodes, and says when
// the next is to be looked at.
func (b *Bootstrap) doubtDue() time.Duration {
	pause := reviewInterval
	for id, t := range b.targets {
		switch wait := time.Until(t.doubted); {
		case t.doubted.IsZero():
		case wait > 0:
			pause = min(pause, wait)
		default:
			t.doubted = time.Time{}
			if b.here(id) && !b.earshot(id) {
				t.stranger = true
				b.explain(t, "what answers there is not an Earshot node; `earshot status` on one shows its address")
			}
		}
	}
	return pause
}

// earshot says whether p speaks our directory protocol.
func (b *Bootstrap) earshot(p peer.ID) bool {
	speaks, err := b.host.Peerstore().SupportsProtocols(p, protocol.DirectoryStream)
	return err == nil && len(speaks) > 0
}

// unreached says for a person why a dial failed.
func unreached(err error) string {
	var other sec.ErrPeerIDMismatch
	if errors.As(err, &other) {
		return fmt.Sprintf("another node is there (%s), not the one in the address; ask for its address again", other.Actual)
	}
	return "nobody answers there; still trying"
}

// explain tells the person, once until the target is connected, what is wrong
// with it.
func (b *Bootstrap) explain(t *target, why string) {
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
// reached it first, then where it says it listens; circuits last, since they die
// with their relay. A node that hides keeps only whom it reached: who came by
// itself, by a circuit, would learn from being dialled where this node is.
func (b *Bootstrap) remember(p peer.ID) {
	if b.config.Remember == nil || !b.earshot(p) {
		return
	}
	var addrs []multiaddr.Multiaddr
	local, reached := false, false
	for _, c := range b.host.Network().ConnsToPeer(p) {
		local = local || manet.IsIPLoopback(c.RemoteMultiaddr())
		if c.Stat().Direction == network.DirOutbound {
			addrs = append(addrs, c.RemoteMultiaddr())
			reached = reached || !protocol.IsCircuit(c.RemoteMultiaddr())
		}
	}
	if b.config.Hidden && !reached {
		return
	}
	for _, a := range b.host.Peerstore().Addrs(p) {
		if local || !manet.IsIPLoopback(a) { // its loopback is not ours
			addrs = append(addrs, a)
		}
	}
	if addrs = first(protocol.DirectFirst(addrs)); len(addrs) > 0 {
		b.config.Remember(peer.AddrInfo{ID: p, Addrs: addrs})
	}
}
