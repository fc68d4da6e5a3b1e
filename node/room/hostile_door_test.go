package room

import (
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// A ban that was lifted, or a removal of long ago, that an enemy repeats to one who
// comes and has no log yet, keeps nobody out.
func TestOldSentencesRepeated(t *testing.T) {
	for _, test := range []struct {
		deed func(protocol.PeerID) protocol.Deed
		end  error
	}{
		{func(p protocol.PeerID) protocol.Deed { return protocol.Ban{Peer: p} }, ErrBanned},
		{func(p protocol.PeerID) protocol.Deed { return protocol.Remove{Peer: p} }, ErrRemoved},
	} {
		for _, whole := range []bool{false, true} {
			s := still(t, protocol.StageHost, 3, 1)
			host := s.nodes[0].id
			s.says(0, 1, 1, protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 1}}}})
			s.parents[host] = &parent{accepted: true, until: never}
			s.pathTo(host).log.known = whole
			s.settleIn(s.clock)
			s.takeAction(s.deed(0, 1, test.deed(s.nodes[1].id)).Signed(), "", s.clock)
			if whole && !errors.Is(s.end, test.end) {
				t.Errorf("who has the whole log ends with %v, want %v", s.end, test.end)
			}
			if !whole && s.end != nil {
				t.Errorf("who has no log yet ends with %v", s.end)
			}
		}
	}
}

// One liar among those whom a node that hides asks one after the other, does not
// keep it from asking the next.
func TestOneLiarKeepsNobodyOut(t *testing.T) {
	for _, why := range []pb.Refuse_Reason{pb.Refuse_BANNED, pb.Refuse_LOCKED} {
		s := still(t, protocol.StageHost, 4, 3)
		s.cfg.RelayOnly = true
		for _, n := range s.nodes[:3] {
			s.addSeed(peer.AddrInfo{ID: n.id})
		}
		refuses := func(i int) {
			s.seeds[s.nodes[i].id].asked = true
			s.takeRefuse(s.nodes[i].id, &pb.Refuse{Room: s.cfg.Room[:], Reason: why}, s.clock)
			s.steer(s.clock)
		}
		refuses(0)
		if s.end != nil || !s.seeds[s.nodes[1].id].wanted {
			t.Fatalf("%v: the first alone keeps it out: %v", why, s.end)
		}
		s.clock += seedPatience + time.Second // the second does not answer
		s.steer(s.clock)
		if s.end != nil || !s.seeds[s.nodes[2].id].wanted {
			t.Fatalf("%v: the third is not asked: %v", why, s.end)
		}
		refuses(2)
		if s.end != nil || s.unproven == nil {
			t.Errorf("%v: it ends with %v, %v, though nobody shows anything for it", why, s.end, s.unproven)
		}
	}
}

// A guest who is banned is no guest any more: its door's node forgets it, gives its
// place to another, and takes nothing that it says, even while that node relays.
func TestABannedGuestIsForgotten(t *testing.T) {
	s := still(t, protocol.StageHost, 3, 0)
	v := visits(t, s.cfg.Room, s.nodes[0].id)
	if err := s.guestSays(v.here(), s.clock); err != nil || s.doorOf(v.id) == "" {
		t.Fatalf("a guest is not taken: %v", err)
	}
	s.acts(0, protocol.Ban{Peer: v.id})
	if s.guests.Has(v.id) || s.members[v.id] != nil {
		t.Error("it is named still")
	}
	s.clock += time.Minute
	for _, m := range []*protocol.Message{v.here(), v.word(protocol.Message{Hand: &protocol.Hand{Up: true}})} {
		if err := s.guestSays(m, s.clock); !errors.Is(err, ErrBanned) {
			t.Errorf("what it says ends with %v", err)
		}
	}
	if s.guests.Has(v.id) || s.members[v.id] != nil || s.hands[v.id] != nil {
		t.Error("it comes again")
	}
}
