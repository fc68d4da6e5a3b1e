package room

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// body signs bytes as somebody's RoomBody, as a later version might write them.
func (s *stillness) body(from int, body []byte) []byte {
	s.t.Helper()
	n := s.nodes[from]
	covered := append(append([]byte("earshot-room-message\x00"), s.cfg.Room[:]...), body...)
	signature, err := n.key.Sign(covered)
	if err != nil {
		s.t.Fatal(err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pb.RoomMessage{Signer: keyOf(s.t, n.id), Body: body, Signature: signature})
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// laterField is a field that no message of this version has.
func laterField(b []byte) []byte {
	return protowire.AppendString(protowire.AppendTag(b, 100, protowire.BytesType), "later")
}

// TestWordsOfLaterVersions: what of them this version does not know it leaves aside,
// and holds against nobody.
func TestWordsOfLaterVersions(t *testing.T) {
	s := still(t, protocol.StageOpen, 3, 0)
	other := s.nodes[1]
	s.pathTo(other.id).child = true
	s.pathTo(s.nodes[2].id).child = true
	numbers := &pb.RoomBody{Boot: 1, Sequence: 2}
	kind := laterField(marshal(t, numbers))
	reaction := marshal(t, &pb.RoomBody{Boot: 1, Sequence: 3, What: &pb.RoomBody_Reaction{Reaction: &pb.Reaction{Emoji: "🫠"}}})
	presence := laterField(marshal(t, &pb.RoomBody{Boot: 1, Sequence: 4, What: &pb.RoomBody_Presence{Presence: &pb.Presence{Name: "b"}}}))
	action := &pb.SignedAction{Action: laterField(marshal(t, &pb.Action{Actor: keyOf(t, s.nodes[0].id), Sequence: 1}))}
	forged := s.body(1, kind)
	forged[len(forged)-1] ^= 1
	for _, c := range []struct {
		what   string
		raw    []byte
		want   error
		counts string // when it comes by a link; "": it is taken
		passed bool   // along the links
	}{
		{"another kind", s.body(1, kind), protocol.ErrLater, "of a later version", false},
		{"another kind, forged", forged, protocol.ErrSignature, "of a later version", false},
		{"no kind", s.body(1, marshal(t, numbers)), protocol.ErrMalformed, "malformed", false},
		{"another reaction", s.body(1, reaction), nil, "reactions that are not known", false},
		{"a field more", s.body(1, presence), nil, "", true},
		{"another deed, passed on", s.body(1, marshal(t, &pb.RoomBody{Boot: 1, Sequence: 5, What: &pb.RoomBody_Action{Action: signAction(s, action)}})), nil, "", true},
	} {
		if _, err := s.Check(c.raw); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: gossip's verdict is %v, not %v", c.what, err, c.want)
		}
		before := s.dropped[c.counts]
		s.lastSent = nil
		s.hearRaw(c.raw, other.id, s.clock)
		if c.counts != "" && s.dropped[c.counts] != before+1 {
			t.Errorf("%s: counted %v", c.what, s.dropped)
		}
		if passed := s.lastSent.GetFeed() != nil; passed != c.passed {
			t.Errorf("%s: passed on %v", c.what, passed)
		}
	}
	if s.log.Len() != 1 {
		t.Errorf("the log has %d actions: the other deed is not kept", s.log.Len())
	}
}

// signAction signs an action of the founder's.
func signAction(s *stillness, a *pb.SignedAction) *pb.SignedAction {
	s.t.Helper()
	covered := append(append([]byte("earshot-action\x00"), s.cfg.Room[:]...), a.Action...)
	var err error
	if a.Signature, err = s.nodes[0].key.Sign(covered); err != nil {
		s.t.Fatal(err)
	}
	return a
}
