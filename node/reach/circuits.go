package reach

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	pbv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
)

// Implementation: ours to tune.
const (
	// relays that are to hold a reservation: one may go, and a link's hints are
	// short.
	relays = 2
	// addressesOfRelay go into this node's own: one for QUIC, one for TCP, one of
	// the other address family.
	addressesOfRelay = 3
	reservePatience  = 5 * time.Second
	// A reservation is renewed at half its life, by the relay's clock, but within
	// these: clocks may be wrong by days.
	renewSoonest = time.Minute
	renewLatest  = reservationLife / 3
	// After a refusal, doubled with each.
	reserveRetry   = 2 * time.Second
	reserveRetries = 7
	protection     = "earshot-circuit" // from libp2p's connection manager
)

// circuit is what this node has of a relay.
type circuit struct {
	held  bool
	busy  bool
	addrs []multiaddr.Multiaddr
	due   time.Time // when to reserve, or to renew
	fail  int       // refusals in a row
}

// held is how a reservation ended.
type held struct {
	neighbour *neighbour
	got       *client.Reservation // nil with an err, or where the relay's clock is behind
	err       error
}

// keepCircuit lets a circuit go whose relay relays no more.
func (r *Reach) keepCircuit(n *neighbour) {
	if speaks, err := r.host.Peerstore().SupportsProtocols(n.id, proto.ProtoIDv2Hop); n.circuit.held && err == nil && len(speaks) == 0 {
		r.release(n)
	}
}

// release forgets a circuit. The relay forgets it when it isn't renewed.
func (r *Reach) release(n *neighbour) {
	if c := &n.circuit; c.held {
		r.host.ConnManager().Unprotect(n.id, protection)
		*c = circuit{busy: c.busy}
	}
}

// reserveDue reserves and renews where it is time, lets go what is not wanted,
// and says when the next is due.
func (r *Reach) reserveDue(ctx context.Context, now time.Time, wanted bool) time.Duration {
	pause := renewLatest
	have := 0
	for _, n := range r.relaysFirstHeld() {
		c := &n.circuit
		if !wanted || have >= relays {
			r.release(n)
			continue
		}
		if c.held || c.busy {
			have++
		}
		switch wait := c.due.Sub(now); {
		case c.busy:
		case wait > 0:
			pause = min(pause, wait)
		default:
			if !c.held {
				have++
			}
			c.busy = true
			r.tasks.Go(func() { r.reserve(ctx, n) })
		}
	}
	return pause
}

// relaysFirstHeld gives those that relay: first those that do for this node, then
// those that never refused, and of these the nearest.
func (r *Reach) relaysFirstHeld() []*neighbour {
	candidates := slices.DeleteFunc(r.byNearness(), func(n *neighbour) bool { return !n.relays })
	rank := func(n *neighbour) int {
		if n.circuit.held {
			return -1
		}
		return n.circuit.fail
	}
	slices.SortStableFunc(candidates, func(a, b *neighbour) int { return rank(a) - rank(b) })
	return candidates
}

func (r *Reach) reserve(ctx context.Context, n *neighbour) {
	within, cancel := context.WithTimeout(network.WithNoDial(ctx, "earshot circuit"), reservePatience)
	defer cancel()
	h := held{neighbour: n}
	h.got, h.err = client.Reserve(within, r.host, peer.AddrInfo{ID: n.id})
	if ended(h.err) {
		h.err = nil
	}
	select {
	case r.held <- h:
	case <-ctx.Done():
	}
}

// ended says whether a reservation was made but has ended by this machine's
// clock, in which only clocks are wrong: the relay counts by its own.
func ended(err error) bool {
	var e client.ReservationError
	return errors.As(err, &e) && e.Status == pbv2.Status_MALFORMED_MESSAGE && strings.HasPrefix(e.Reason, expired)
}

const expired = "received reservation with expiration date in the past" // libp2p has no code for it

// reserved takes in how a reservation ended.
func (r *Reach) reserved(h held) {
	n := h.neighbour
	c := &n.circuit
	c.busy = false
	if r.neighbours[n.id] != n || !n.told {
		return
	}
	if h.err != nil {
		r.log.Debug("no circuit", "relay", n.id, "err", h.err)
		r.release(n)
		c.due = time.Now().Add(reserveRetry << min(c.fail, reserveRetries))
		c.fail++
		return
	}
	pause := renewLatest
	var vouched []multiaddr.Multiaddr
	if h.got != nil {
		pause = min(max(time.Until(h.got.Expiration)/2, renewSoonest), renewLatest)
		vouched = h.got.Addrs
	}
	if !c.held {
		r.host.ConnManager().Protect(n.id, protection)
	}
	*c = circuit{held: true, due: time.Now().Add(pause), addrs: r.through(n, vouched)}
}

// through gives this node's addresses through a relay: where this node reached
// it, then what it says itself, which is another transport there, or an address
// of the other family. The relay can't put anybody else's address of that
// family into this node's mouth.
func (r *Reach) through(n *neighbour, vouched []multiaddr.Multiaddr) (addrs []multiaddr.Multiaddr) {
	tail := multiaddr.StringCast("/p2p/" + n.id.String() + "/p2p-circuit")
	taken := map[way]bool{}
	for _, a := range append([]multiaddr.Multiaddr{n.at}, vouched[:min(len(vouched), protocol.MaxAddresses)]...) {
		a, _ := peer.SplitAddr(a)
		w, ok := wayOf(a)
		ip, _ := protocol.IPOf(a)
		if !ok || taken[w] || !r.cfg.Public(a) || protocol.IsCircuit(a) || ip.Is4() == n.addr.Is4() && ip != n.addr || len(addrs) == addressesOfRelay {
			continue
		}
		taken[w] = true
		addrs = append(addrs, a.Encapsulate(tail))
	}
	return addrs
}

func (r *Reach) circuits() (circuits []Circuit) {
	for _, n := range r.relaysFirstHeld() {
		if n.circuit.held {
			circuits = append(circuits, Circuit{Relay: n.id, Addrs: n.circuit.addrs})
		}
	}
	return circuits
}

// emit has the host tell others of the addresses, as AutoRelay would.
func (r *Reach) emit(circuits []Circuit) {
	var addrs []multiaddr.Multiaddr
	for _, c := range circuits {
		addrs = append(addrs, c.Addrs...)
	}
	slices.SortFunc(addrs, multiaddr.Multiaddr.Compare)
	if slices.EqualFunc(addrs, r.emitted, multiaddr.Multiaddr.Equal) {
		return
	}
	r.emitted = addrs
	if err := r.emitter.Emit(event.EvtAutoRelayAddrsUpdated{RelayAddrs: slices.Clone(addrs)}); err != nil {
		r.log.Debug("tell the host of circuits", "err", err)
	}
}
