package room

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/election"
)

// held is a certificate and when this node first saw it: its life runs from
// there, on this node's clock.
type held struct {
	protocol.Certificate
	since time.Duration
}

func (h held) holds(now time.Duration) bool { return now-h.since < h.Life }

// hold keeps a certificate whose signature was checked, if its issuer had the
// right to it; true if it is new.
func (r *Room) hold(c protocol.Certificate, now time.Duration) bool {
	old, known := r.rights[c.Subject]
	switch {
	case c.Subject == r.genesis.Founder, c.Serial <= r.lapsed[grant{c.Issuer, c.Subject}]:
		return false
	case known && old.Issuer == c.Issuer && c.Serial <= old.Serial:
		return false
	case known && old.holds(now) && old.Issuer == r.genesis.Founder && c.Issuer != r.genesis.Founder:
		return false // a delegate's word does not replace the founder's
	case known && c.Issuer != r.genesis.Founder && r.stands(old, now) && !later(c, old.Certificate):
		return false // of two delegates', everyone holds the same
	case protocol.CheckChain(r.genesis.Founder, c.Subject, c.Duties, r.chainTo(c, now)) != nil:
		r.drop("certificate without right")
		return false
	case !known && len(r.rights) >= protocol.MaxCertificates && !r.displace(c):
		r.drop("certificates full")
		return false
	}
	r.rights[c.Subject] = held{c, now}
	r.rosterChanged(now)
	return true
}

// displace makes room for the founder's word where a delegate's was enough, or
// where somebody is not here any more.
func (r *Room) displace(c protocol.Certificate) bool {
	if c.Issuer != r.genesis.Founder {
		return false
	}
	var out protocol.PeerID
	for p, h := range r.rights {
		delegates, here := h.Issuer != r.genesis.Founder, r.members[p] != nil || p == r.cfg.Self
		if !here && (delegates || out == "") || delegates && out == "" {
			out = p
		}
	}
	delete(r.rights, out)
	return out != ""
}

// stands says whether a certificate holds, and its issuer's too.
func (r *Room) stands(h held, now time.Duration) bool {
	return h.holds(now) && len(r.chainTo(h.Certificate, now)) > 0
}

// later orders the certificates of one subject the same for all.
func later(c, d protocol.Certificate) bool {
	return c.Serial > d.Serial || c.Serial == d.Serial && c.Issuer > d.Issuer
}

// grant is who certified whom.
type grant struct{ issuer, subject protocol.PeerID }

// maxLapsed bounds the memory of certificates that ran out.
const maxLapsed = 16 * protocol.MaxCertificates

// lapse drops a certificate that ran out, for good: heard again it would begin
// another life.
func (r *Room) lapse(h held, now time.Duration) {
	delete(r.rights, h.Subject)
	if len(r.lapsed) >= maxLapsed {
		for g := range r.lapsed { // any: it takes a thousand to get here
			delete(r.lapsed, g)
			break
		}
	}
	r.lapsed[grant{h.Issuer, h.Subject}] = h.Serial
	r.rosterChanged(now)
}

// chainTo gives the certificates from the founder to c.
func (r *Room) chainTo(c protocol.Certificate, now time.Duration) []protocol.Certificate {
	if c.Issuer == r.genesis.Founder {
		return []protocol.Certificate{c}
	}
	up, ok := r.rights[c.Issuer]
	if !ok || !up.holds(now) || up.Issuer != r.genesis.Founder {
		return nil
	}
	return []protocol.Certificate{up.Certificate, c}
}

// maySpeak says whether p may be on stage now. The log alone lets people on it.
func (r *Room) maySpeak(p protocol.PeerID, now time.Duration) bool {
	return r.genesis != nil && !r.banned(p, now) && (r.lawful.Stage() == protocol.StageOpen || r.placed(p, now))
}

// mayCarry says whether p may relay and announce now, by the log or by a
// certificate.
func (r *Room) mayCarry(p protocol.PeerID, now time.Duration) bool {
	if r.genesis == nil || r.banned(p, now) {
		return false
	}
	if r.lawful.MayCarry(p) {
		return true
	}
	// Certificates know nothing of the log: who was removed needs its word again.
	_, removed := r.lawful.Removed(p)
	h, ok := r.rights[p]
	return ok && !removed && h.Duties&protocol.Carry != 0 && r.stands(h, now)
}

// shut says whether the room takes nobody new.
func (r *Room) shut() bool { return r.lawful.Locked() || r.lawful.Paused() }

// hasDuty says whether p was given anything to do here: it is somebody, however
// many others there are.
func (r *Room) hasDuty(p protocol.PeerID, now time.Duration) bool {
	return r.placed(p, now) || r.mayCarry(p, now)
}

// roster gives the candidates: the founder and those certified to carry, but not
// this node if it hides.
func (r *Room) roster(now time.Duration) election.Roster {
	var out election.Roster
	if !r.hides(r.genesis.Founder) {
		out.Candidates = append(out.Candidates, r.genesis.Founder)
	}
	out.Era = r.lawful.Era()
	add := func(p protocol.PeerID) {
		if r.mayCarry(p, now) && !r.hides(p) && !slices.Contains(out.Candidates, p) {
			out.Candidates = append(out.Candidates, p)
		}
	}
	for p := range r.rights {
		add(p)
	}
	for _, p := range slices.Concat(r.lawful.Moderators(), r.lawful.Speakers(), r.lawful.Carriers()) {
		add(p)
	}
	return out
}

func (r *Room) hides(p protocol.PeerID) bool { return p == r.cfg.Self && r.cfg.RelayOnly }

func (r *Room) rosterChanged(now time.Duration) {
	if r.machine == nil {
		return
	}
	roster := r.roster(now)
	r.carriers.Store(&roster.Candidates)
	r.machine.SetRoster(roster, now)
	r.elect(now)
}

// issue certifies that p may carry the room, and tells everyone; false if there is
// no place for it.
func (r *Room) issue(p protocol.PeerID, now time.Duration) bool {
	c := protocol.Certificate{Subject: p, Duties: protocol.Carry, Life: protocol.CertificateLife, Serial: r.cfg.Sequence()}
	if err := c.Issue(r.cfg.Room, r.cfg.Key); err != nil {
		r.cfg.Log.Error("certify", "peer", p, "err", err)
		return false
	}
	if !r.hold(c, now) {
		return false
	}
	r.say(&protocol.Message{Certificate: c.Wire()})
	return true
}

// certifySpeakers gives those named at opening their place on the stage, before
// they come, and the right to announce: the founder may be gone by then.
func (r *Room) certifySpeakers(now time.Duration) {
	for _, p := range r.cfg.Speakers {
		r.issue(p, now)
		if _, ok := r.lawful.Granted(p, protocol.RoleSpeaker); !ok {
			if err := r.act(protocol.Grant{Peer: p, Role: protocol.RoleSpeaker}, now); err != nil {
				r.cfg.Log.Error("let on stage", "peer", p, "err", err)
			}
		}
	}
}

// certify lets the first dozen who speak or offer carry the room: the founder's
// node does it, and while the founder is away a delegate that relays. A
// certificate past half its life is renewed for who is still here.
func (r *Room) certify(now time.Duration) {
	if now-r.certifiedAt < certifyEach || !r.certifier(now) {
		return
	}
	r.certifiedAt = now
	carriers := 0
	for p := range r.members { // who has left carries nothing
		if p != r.genesis.Founder && r.mayCarry(p, now) {
			carriers++
		}
	}
	for p, m := range r.members {
		if p == r.cfg.Self || p == r.genesis.Founder || m.presence.Door != "" || !(m.presence.Offers || m.presence.Speaking) || !r.reachable(p) {
			continue
		}
		h, known := r.rights[p]
		fresh := known && h.holds(now) && h.Duties&protocol.Carry != 0
		switch {
		case fresh && (now-h.since < h.Life/2 || h.Issuer != r.cfg.Self && !r.hosting()):
		case fresh:
			r.issue(p, now)
		case carriers < protocol.Carriers:
			r.issue(p, now)
			carriers++
		}
	}
}

// introduce says by what right this node is somebody, while it relays and to a new
// parent: the other half of a healed partition, or a founder that has come back,
// may not know and would not hear it. Nor may it if its claim is not heard here.
func (r *Room) introduce(now time.Duration) {
	pause := protocol.PresenceBeat
	if r.newcomer || r.stranger.Load() {
		pause = time.Second
	}
	if !r.newcomer && r.relay != r.cfg.Self || r.genesis == nil || now-r.introduced < pause {
		return
	}
	r.newcomer, r.introduced = false, now
	r.stranger.Store(false)
	chain, _ := r.ownChain(now)
	for _, c := range chain {
		r.say(&protocol.Message{Certificate: c.Wire()})
	}
}

func (r *Room) certifier(now time.Duration) bool {
	if r.hosting() {
		return true
	}
	h, ok := r.rights[r.cfg.Self]
	_, here := r.members[r.genesis.Founder]
	return ok && h.holds(now) && h.Issuer == r.genesis.Founder && h.Duties&protocol.Carry != 0 && r.root && !here
}

// reachable says whether p could be asked for sound: a path to it is up, here or
// at the relay that passed its presence on.
func (r *Room) reachable(p protocol.PeerID) bool {
	return r.paths[p] != nil || !r.root
}
