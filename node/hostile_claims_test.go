package node

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// TestALyingCarrierClosesNothingAndCallsNobody certifies an enemy to carry, who
// then claims ever higher terms with standbys that are not there, at a victim's
// address, sends everyone nowhere and says that the room is closed. While it
// lasts, nobody hears anything: there is no veto yet. After it, all is well.
func TestALyingCarrierClosesNothingAndCallsNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	h, victim := newEnemy(t), newTrap(t)
	ana := s.ana()
	c := certificate(t, s.id, ana.key, h.id, protocol.Carry, time.Hour)
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_WARM)
		h.feedCertificate(v, s.id, c)
	}
	closed := true
	lie := func(term uint64) {
		_, nobody := newKey(t)
		raw := h.sign(s.id, &protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: term}, Standby: nobody},
			RelayAddresses: h.host.Addrs(), StandbyAddresses: []multiaddr.Multiaddr{victim.addr}}})
		a, err := protocol.WireAddress(peer.AddrInfo{ID: nobody, Addrs: []multiaddr.Multiaddr{victim.addr}}, 8)
		must(t, err)
		for _, v := range s.nodes {
			h.feed(v, s.id, raw)
			h.redirect(v, s.id, a)
			h.refuse(v, s.id, pb.Refuse_CLOSED)
			h.feed(v, s.id, h.sign(s.id, &protocol.Message{Closed: &closed}))
		}
	}
	dials := func() (n uint64) {
		for _, v := range s.nodes {
			n += v.links.Counts().Dials
		}
		return n
	}
	before, term := dials(), ana.view(s.room).Term
	lie(term + 1<<20 + 1) // beyond what a term may leap
	time.Sleep(300 * time.Millisecond)
	for _, v := range s.nodes {
		if now := v.view(s.room); now.Term > term+1<<20 {
			t.Errorf("%s follows a leap to term %d", v.name, now.Term)
		}
	}
	const lies = 25
	for i := range lies {
		lie(term + 1 + uint64(i)*1000)
		time.Sleep(75 * time.Millisecond)
	}
	if n := dials() - before; n > 3*20 {
		t.Errorf("%d dials for %d claims to 3 nodes", n, lies)
	}
	if n := victim.calls.Load(); n > 3*20 {
		t.Errorf("the victim was called %d times", n)
	}
	for _, v := range s.nodes {
		if v.room(s.id) == nil {
			t.Fatalf("%s: the room is closed", v.name)
		}
		h.links.Release(v.self)
	}
	h.host.Close()
	for _, v := range s.nodes { // which of the last lies were within their rate is open
		v.eventually("one relay, one standby again", settled(s.room, term, s.nodes...))
		v.eventually("attached", v.attached(s.room))
	}
	for i, n := range s.nodes[1:] {
		heard := s.ears[i].count('a')
		n.eventually("ana is heard again", func() bool { return s.ears[i].count('a') > heard+25 })
	}
	s.stop()
	<-s.spoken
}

// TestADelegateFillsNoRoom has a certified carrier certify more than a room
// holds: newcomers have to get in, and those whom the founder names.
func TestADelegateFillsNoRoom(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	h := newEnemy(t)
	ana := s.ana()
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_WARM)
		h.feedCertificate(v, s.id, certificate(t, s.id, ana.key, h.id, protocol.Carry, time.Hour))
	}
	for range protocol.MaxCertificates + 10 {
		_, nobody := newKey(t)
		c := certificate(t, s.id, h.key, nobody, protocol.Carry, time.Hour)
		for _, v := range s.nodes {
			h.feedCertificate(v, s.id, c)
		}
		time.Sleep(35 * time.Millisecond) // within the enemy's rate
	}
	ana.eventually("the room is full of certificates", func() bool {
		v, err := ana.room(s.id).room.View(s.ctx)
		return err == nil && len(v.Certificates) >= protocol.MaxCertificates-1
	})
	dewi := start(t, "dewi")
	e := dewi.listen(s.ctx, s.link)
	dewi.eventually("who comes later hears", func() bool { return e.count('a') > 20 })
	dewi.eventually("and may carry", s.shownAsCarrier(dewi))
	e.stop(t)
	s.unhurt()
}

// shownAsCarrier says whether the founder sees that a node may carry the room.
func (s *stage) shownAsCarrier(v *running) func() bool {
	return func() bool {
		return slices.ContainsFunc(s.ana().view(s.room).Members, func(m web.Member) bool { return m.Peer == v.self.String() && m.Role == "carrier" })
	}
}

// TestThoseWhoLeftLeaveTheirPlaces has more people offer to carry than the
// founder certifies, a dozen of whom leave.
func TestThoseWhoLeftLeaveTheirPlaces(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	ana := s.ana()
	var all sync.WaitGroup
	for range protocol.Carriers {
		all.Go(func() {
			h := newEnemy(t)
			h.at(ana)
			h.child(ana, s.id, pb.Attach_WARM)
			h.feed(ana, s.id, h.sign(s.id, &protocol.Message{Presence: &protocol.Presence{Name: "eve", Offers: true}}))
			ana.eventually("it is certified, or the dozen is full", func() bool {
				v, err := ana.room(s.id).room.View(s.ctx)
				if err != nil {
					return false
				}
				for _, c := range v.Certificates {
					if c.Subject == h.id {
						return true
					}
				}
				return len(v.Certificates) >= protocol.Carriers
			})
			h.feed(ana, s.id, h.sign(s.id, &protocol.Message{Presence: &protocol.Presence{Name: "eve", Leaving: true}}))
		})
	}
	all.Wait()
	dewi := start(t, "dewi", ana)
	e := dewi.listen(s.ctx, s.link)
	dewi.eventually("who comes later may carry", s.shownAsCarrier(dewi))
	e.stop(t)
	s.unhurt()
}

// TestAnnouncementsWithoutRightAreNotListed announces, at one node, what the
// announcer has no right to.
func TestAnnouncementsWithoutRightAreNotListed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	o := ana.open(ctx, "Why the sky is dark", "host")
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	id, err := protocol.ParseRoomID(o.Room)
	must(t, err)
	entry, _ := budi.directory.Room(id)
	founder, _ := newKey(t)
	delegate, delegateID := newKey(t)
	stranger, _ := newKey(t)
	hidden := &protocol.Genesis{Title: "Unlisted", Unlisted: true, Created: time.Now()}
	must(t, hidden.Seal(founder))
	chain := []protocol.Certificate{certificate(t, id, ana.key, delegateID, protocol.Carry, time.Hour)}
	speaker := []protocol.Certificate{certificate(t, id, ana.key, delegateID, protocol.Speak, time.Hour)}
	before := budi.directory.Counters()
	offer := func(a *protocol.Announcement, by int) []byte {
		a.Sequence, a.Life = uint64(time.Now().UnixMilli())+uint64(by), time.Minute
		key := founder
		switch by {
		case 1:
			key = delegate
		case 2:
			key = stranger
		}
		b, err := a.Seal(key)
		must(t, err)
		return b
	}
	for name, b := range map[string][]byte{
		"an unlisted room, by its founder": offer(&protocol.Announcement{Genesis: hidden}, 0),
		"an unlisted room, by a stranger":  offer(&protocol.Announcement{Genesis: hidden}, 2),
		"by a stranger":                    offer(&protocol.Announcement{Genesis: entry.Genesis}, 2),
		"with another's chain":             offer(&protocol.Announcement{Genesis: entry.Genesis, Chain: chain}, 2),
		"by who may only speak":            offer(&protocol.Announcement{Genesis: entry.Genesis, Chain: speaker}, 1),
		"closed by a delegate":             offer(&protocol.Announcement{Genesis: entry.Genesis, Chain: chain, Closed: true}, 1),
	} {
		if v := budi.directory.Offer(b, 0); v.String() != "reject" {
			t.Errorf("%s: %v", name, v)
		}
		if v := budi.directory.Offer(b, time.Minute); v.String() != "reject" {
			t.Errorf("%s, by directory sync: %v", name, v)
		}
	}
	if now := budi.directory.Counters(); now.NoRight-before.NoRight != 12 || now.Rooms != before.Rooms {
		t.Errorf("counted %+v", now)
	}
	if st, err := budi.Status(ctx); err != nil || st.Dropped["announcements without right"] != 12 {
		t.Errorf("status says %v, %v", st.Dropped, err)
	}
	if lines, err := budi.Rooms(ctx); err != nil || len(lines) != 1 || lines[0].Closed {
		t.Errorf("rooms are %+v, %v", lines, err)
	}
}
