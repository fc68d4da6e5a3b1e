package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/discovery/gossip"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// deafDirectory takes nothing in and knows nothing.
type deafDirectory struct{}

func (deafDirectory) Offer([]byte, time.Duration) discovery.Verdict { return discovery.Accept }
func (deafDirectory) Entries(int) []discovery.DirectoryEntry        { return nil }

// gossips joins the room's topic beside the nodes.
func (h *enemy) gossips(s *stage) *gossip.RoomTopic {
	h.t.Helper()
	g, err := gossip.New(gossip.Config{Host: h.host, Directory: deafDirectory{}})
	must(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	h.t.Cleanup(func() { cancel(); <-done })
	topic, err := g.Join(s.id, func(peer.ID, []byte) discovery.Verdict { return discovery.Accept }, func([]byte) bool { return true })
	must(h.t, err)
	for _, v := range s.nodes {
		must(h.t, h.host.Connect(s.ctx, peer.AddrInfo{ID: v.self, Addrs: tcpOf(v)}))
	}
	h.eventually("the nodes in the topic", func() bool { return len(topic.Peers()) == len(s.nodes) })
	return topic
}

// names gives who is in the room, as a node sees it.
func (s *stage) names(v *running) (out []string) {
	for _, m := range v.view(s.room).Members {
		out = append(out, m.Peer)
	}
	slices.Sort(out)
	return out
}

// TestWrongWordsChangeNothing says each on the topic and on links.
func TestWrongWordsChangeNothing(t *testing.T) {
	s := newStage(t, "host")
	h := newEnemy(t)
	topic := h.gossips(s)
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_LIVE)
	}
	other, otherID := newKey(t)
	presence := func() *protocol.Message {
		return &protocol.Message{Presence: &protocol.Presence{Name: "eve", Listening: true}}
	}
	good := h.sign(s.id, presence())
	forged := slices.Clone(good)
	forged[len(forged)-9] ^= 1
	closed := true
	huge := &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 1<<63 - 1}, Standby: otherID}}
	bad := [][]byte{
		nil, good[:len(good)/2], append(slices.Clone(good), 0x20, 1), forged, make([]byte, protocol.MaxMessageBytes),
		signed(t, other, protocol.RoomID{1}, presence()), // of another room
		signed(t, other, s.id, &protocol.Message{Closed: &closed}),
		signed(t, other, s.id, &protocol.Message{Claim: huge}),
		signed(t, other, s.id, &protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 7}}}}),
		signed(t, other, s.id, &protocol.Message{Pulse: &protocol.Pulse{Max: protocol.Key{Term: 1 << 40, Relay: otherID}, Suspects: true}}),
		signed(t, other, s.id, &protocol.Message{Boot: 1<<64 - 1, Sequence: 1<<64 - 1, Claim: huge}),
		signed(t, other, s.id, &protocol.Message{Certificate: &pb.Certificate{Issuer: []byte("nobody")}}),
	}
	raw, _ := voice(t, other, s.id)
	bad = append(bad, raw, ofLaterVersion(t, other, s.id))
	before := s.ana().view(s.room)
	members := s.names(s.ana())
	for _, b := range bad {
		for _, v := range s.nodes {
			h.feed(v, s.id, b)
		}
	}
	// What is ignored first: once the scores are counted after some that are
	// rejected, nothing more of hers is looked at.
	for _, b := range slices.Backward(bad) {
		if len(b) > 0 {
			must(t, topic.Publish(b))
		}
	}
	for _, v := range s.nodes {
		h.feed(v, s.id, make([]byte, protocol.MaxMessageBytes+1))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("malformed", s.dropped("malformed"), "wrongly signed", s.dropped("wrongly signed"), "without right", s.dropped("without right"),
				"gossip", s.dropped("gossip that nobody could take"), s.dropped("gossip of signers without right"))
		}
	})
	s.ana().eventually("what was wrong is counted", func() bool {
		return s.dropped("malformed") >= 3*4 && s.dropped("wrongly signed") >= 3*2 && s.dropped("without right") >= 3*6 &&
			s.dropped("gossip that nobody could take") >= 3 && s.dropped("gossip of signers without right") >= 3*3 &&
			s.dropped("gossip of a later version") >= 3 && s.dropped("of a later version") >= 3
	})
	for _, v := range s.nodes {
		s.unmoved(v, before, "wrong words moved it")
		if got := s.names(v); !slices.Equal(got, members) {
			t.Errorf("%s sees %v, not %v", v.name, got, members)
		}
	}
	s.unhurt()
}

// ofLaterVersion signs a message of a kind that this version does not know.
func ofLaterVersion(t testing.TB, key crypto.PrivKey, room protocol.RoomID) []byte {
	t.Helper()
	signer, err := key.GetPublic().Raw()
	must(t, err)
	body := protowire.AppendString(protowire.AppendTag([]byte{8, 1, 16, 1}, 100, protowire.BytesType), "later")
	signature, err := key.Sign(slices.Concat([]byte("earshot-room-message\x00"), room[:], body))
	must(t, err)
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pb.RoomMessage{Signer: signer, Body: body, Signature: signature})
	must(t, err)
	return raw
}

// TestTheGoneStayGone repeats all that a member said, after it left.
func TestTheGoneStayGone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "open")
	h := newEnemy(t)
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_WARM)
	}
	dewi := start(t, "dewi", s.ana())
	e := dewi.listen(s.ctx, s.link)
	must(t, dewi.talk(s.ctx, s.room, 'a', 10))
	said := func() (out [][]byte) {
		for _, f := range told(h, s.ana(), (*pb.LinkMessage).GetFeed) {
			if m, err := protocol.ParseMessage(f.Message); err == nil && m.From == dewi.self {
				out = append(out, f.Message)
			}
		}
		for _, b := range told(h, s.ana(), (*pb.LinkMessage).GetBind) {
			if m, err := protocol.ParseMessage(b.Voice); err == nil && m.From == dewi.self {
				out = append(out, b.Voice)
			}
		}
		return out
	}
	h.eventually("dewi's words", func() bool { return len(said()) >= 3 })
	e.stop(t)
	dewi.stop()
	is := func(v *running) bool { return slices.Contains(s.names(v), dewi.self.String()) }
	for _, v := range s.nodes {
		v.eventually("dewi is gone", func() bool { return !is(v) })
	}
	topic := h.gossips(s)
	for _, raw := range said() {
		for _, v := range s.nodes {
			h.feed(v, s.id, raw)
		}
		must(t, topic.Publish(raw))
	}
	time.Sleep(300 * time.Millisecond)
	for _, v := range s.nodes {
		if is(v) {
			t.Errorf("%s sees dewi again", v.name)
		}
	}
	s.unhurt()
}

// TestOldVoicesAreInNobodysWay repeats the Voice messages of voices that ended.
func TestOldVoicesAreInNobodysWay(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	h := newEnemy(t)
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_WARM)
	}
	ana := s.ana()
	for range 4 {
		must(t, ana.talk(s.ctx, s.room, 'a', 2))
	}
	time.Sleep(1500 * time.Millisecond) // they are forgotten
	topic := h.gossips(s)
	old := told(h, ana, (*pb.LinkMessage).GetBind)
	for _, b := range old {
		if len(b.Voice) == 0 {
			continue
		}
		for _, v := range s.nodes {
			h.feed(v, s.id, b.Voice)
		}
		must(t, topic.Publish(b.Voice))
	}
	time.Sleep(200 * time.Millisecond)
	spoken := make(chan error, 1)
	before := len(s.ears[0].sources())
	go func() { spoken <- ana.talk(s.ctx, s.room, 'a', 25) }()
	for i, n := range s.nodes[1:] {
		n.eventually("ana's next voice is heard", func() bool { return len(s.ears[i].sources()) > before })
	}
	must(t, <-spoken)
	s.unhurt()
}

// sources gives what was heard.
func (e *ear) sources() (out []uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.packets {
		out = append(out, s)
	}
	return out
}

// crowd is many keys of one enemy.
func crowd(t testing.TB, n int) (keys []crypto.PrivKey) {
	for range n {
		k, _ := newKey(t)
		keys = append(keys, k)
	}
	return keys
}

// TestACrowdKeepsNobodyOut floods the room with presences: thousands of one key,
// then of 1,000 keys, who stay.
func TestACrowdKeepsNobodyOut(t *testing.T) {
	s := newStage(t, "host")
	h := newEnemy(t)
	ana := s.ana()
	topic := h.gossips(s)
	h.at(ana)
	h.child(ana, s.id, pb.Attach_WARM)
	before := ana.view(s.room)
	say := func(raw []byte) {
		for topic.Publish(raw) != nil {
			time.Sleep(time.Millisecond)
		}
	}
	words, names := 3000, 1000
	if raceEnabled {
		words, names = 1000, protocol.MaxMembers+50
	}
	for range words {
		say(h.sign(s.id, &protocol.Message{Presence: &protocol.Presence{Name: "eve"}}))
	}
	for i, k := range crowd(t, names) {
		raw := signed(t, k, s.id, &protocol.Message{Presence: &protocol.Presence{Name: "one of many", Listening: true}})
		if say(raw); i%8 == 0 {
			h.feed(ana, s.id, raw)
		}
		if i%50 == 49 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	ana.eventually("the flood is counted", func() bool {
		return s.dropped("messages too often")+s.dropped("gossip flooding") > int64(words)/2 && s.dropped("more presences of newcomers without a link than a room takes") > 0
	})
	for _, v := range s.nodes {
		s.unmoved(v, before, "the flood delayed the claims")
		if n := len(s.names(v)); n > protocol.MaxMembers+3 {
			t.Errorf("%s has %d members", v.name, n)
		}
	}
	dewi := start(t, "dewi")
	e := dewi.listen(s.ctx, s.link)
	dewi.eventually("who comes later hears", func() bool { return e.count('a') > 20 })
	_, err := dewi.Write(s.ctx, s.room, "hello")
	must(t, err)
	for _, v := range s.nodes {
		v.eventually("who comes later is shown, and read", func() bool {
			return slices.Contains(s.names(v), dewi.self.String()) && len(s.chat(v)) == 1
		})
	}
	e.stop(t)
	s.unhurt()
}

// TestVoicesOfACrowd opens as many voices as a room may have, on an open stage:
// by gossip, and on as many links as that takes.
func TestVoicesOfACrowd(t *testing.T) {
	s := newStage(t, "open")
	h := newEnemy(t)
	topic := h.gossips(s)
	for _, k := range crowd(t, 30) {
		for range 3 {
			raw, _ := voice(t, k, s.id)
			must(t, topic.Publish(raw))
		}
	}
	ana, budi := s.ana(), s.nodes[1]
	for i := range 22 {
		x := newEnemy(t)
		x.at(ana)
		x.child(ana, s.id, pb.Attach_WARM)
		for range 4 {
			raw, source := voice(t, x.key, s.id)
			x.bind(ana, s.id, raw, source)
		}
		ana.eventually("it has its share of voices", func() bool {
			return len(ana.view(s.room).Sources) >= min(1+3*(i+1), protocol.MaxSources)
		})
	}
	for _, v := range s.nodes {
		if n := len(v.view(s.room).Sources); n > protocol.MaxSources {
			t.Errorf("%s has %d voices", v.name, n)
		}
	}
	spoken := make(chan error, 1)
	go func() { spoken <- budi.talk(s.ctx, s.room, 'a', 50) }()
	ear, before := s.ears[1], len(s.ears[1].sources())
	s.nodes[2].eventually("budi is heard", func() bool { return len(ear.sources()) > before })
	must(t, <-spoken)
	s.unhurt()
}
