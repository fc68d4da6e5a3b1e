package room

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/election"
)

// lostAfter is how long a former relay, which claims each 400 ms, was silent if
// another one took over because of it.
const lostAfter = time.Second

// elect lets the machine act, and follows what it decided.
func (r *Room) elect(now time.Duration) {
	if r.machine == nil {
		return
	}
	r.tell(r.machine.Tick(now))
	best := r.machine.Best()
	best.Standby = r.machine.Standby() // "" if it is no candidate
	root := r.machine.Relaying()
	moved := best.Term != r.term || best.Relay != r.relay
	if !moved && best.Standby == r.standby && root == r.root {
		return
	}
	if moved {
		r.termAt = now
		if former := r.members[r.relay]; former != nil && best.Relay != r.relay {
			former.lost = now-former.at > lostAfter
		}
		r.cfg.Log.Info("relay", "room", r.cfg.Room.Short(), "term", best.Term, "relay", best.Relay, "standby", best.Standby)
	}
	r.term, r.relay, r.standby = best.Term, best.Relay, best.Standby
	r.root = root
	if moved && best.Relay != "" {
		r.cfg.Relayed(RelayChange{Term: best.Term, Relay: best.Relay})
	}
	r.steer(now)
	r.aimAll()
	r.settle()
	if moved {
		r.followQueue(now)
	}
	r.changed()
}

// tell stores and sends what the machine gave out.
func (r *Room) tell(out election.Out) {
	if out.Keep.Term > 0 {
		r.terms.want(r.machine.Era(), out.Keep)
		r.saveTerm(r.cfg.Now())
	}
	if c := out.Claim; c != nil && !r.terms.allow(c) {
		r.terms.held, out.Claim = c, nil
	}
	r.send(out)
}

// send signs and sends a claim and a pulse.
func (r *Room) send(out election.Out) {
	if c := out.Claim; c != nil {
		m := &protocol.Message{Boot: c.Boot, Sequence: c.Sequence, Claim: &protocol.RelayClaim{Claim: *c, RelayAddresses: r.cfg.Addresses(), Log: r.logHash(), Chat: r.chat.digest()}}
		if c.Standby != "" {
			m.Claim.StandbyAddresses = r.cfg.Links.Addresses(c.Standby)
		}
		r.say(m)
		r.claim = m
	}
	// Its claim is a relay's sign of life; a plain pulse beside it says nothing.
	if p := out.Pulse; p != nil && (out.Claim == nil || p.Suspects || p.Yields || p.Bye) {
		r.say(&protocol.Message{Boot: p.Boot, Sequence: p.Sequence, Pulse: p})
	}
}

// takeClaim follows the relay that claims, if its claim is the best.
func (r *Room) takeClaim(m *protocol.Message, now time.Duration) {
	r.meet(m.From, now).beats(now)
	r.compareLog(m.From, m.Claim.Log, m.Claim.RelayAddresses, now)
	r.machine.Claim(m.Claim.Claim, now)
	if r.machine.Best().Key == m.Claim.Key {
		r.follow(m)
		r.compareChat(m.Claim.Chat, now)
	}
	r.elect(now)
	if r.relay == r.cfg.Self {
		r.stranger.Store(true) // and does not hear ours, it seems
	}
}

// takePulse hears a candidate's sign of life, or its last one.
func (r *Room) takePulse(m *protocol.Message, now time.Duration) {
	r.machine.Pulse(*m.Pulse, now)
	r.elect(now)
	if m.Pulse.Bye {
		r.forget(m.From, now)
		return
	}
	r.meet(m.From, now).beats(now)
}

// follow keeps the best claim as it was signed: newcomers get it, and with it
// the addresses of relay and standby.
func (r *Room) follow(m *protocol.Message) {
	r.claim = m
	for id := range r.parents {
		r.cfg.Links.Want(peer.AddrInfo{ID: id, Addrs: r.claimedAddresses(id)})
	}
}

func (r *Room) class() uint8 {
	switch {
	case !r.cfg.Lends:
		return 0
	case r.cfg.Class == nil:
		return 1
	}
	return r.cfg.Class()
}

// apart says whether two nodes share no /24 (IPv4) or /48 (IPv6), as far as
// their addresses are known.
func (r *Room) apart(a, b protocol.PeerID) bool {
	for _, x := range r.addressesOf(a) {
		for _, y := range r.addressesOf(b) {
			if sameNeighbourhood(x, y) {
				return false
			}
		}
	}
	return true
}

func (r *Room) addressesOf(p protocol.PeerID) []multiaddr.Multiaddr {
	if p == r.cfg.Self {
		return r.cfg.Addresses()
	}
	return r.cfg.Links.Addresses(p)
}

func sameNeighbourhood(x, y multiaddr.Multiaddr) bool {
	a, known := protocol.IPOf(x)
	b, both := protocol.IPOf(y)
	if !known || !both {
		return false
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	site, err := a.Prefix(bits)
	return err == nil && site.Contains(b)
}
