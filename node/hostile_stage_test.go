package node

import (
	"net/netip"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// TestNobodyOffTheStageIsHeard attaches to relay, standby and listeners, and
// tries each false right to speak.
func TestNobodyOffTheStageIsHeard(t *testing.T) {
	s := newStage(t, "host")
	h := newEnemy(t)
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_LIVE)
	}
	other, otherID := newKey(t)
	forged := certificate(t, s.id, s.ana().key, h.id, protocol.Speak, time.Hour)
	forged.Signature[5] ^= 1
	claimed := certificate(t, s.id, h.key, h.id, protocol.Speak, time.Hour)
	claimed.Issuer = s.ana().self
	for _, x := range []struct {
		name  string
		certs []protocol.Certificate
	}{
		{"nothing", nil},
		{"certified to speak: the log lets people on stage", []protocol.Certificate{certificate(t, s.id, s.ana().key, h.id, protocol.Speak, time.Hour)}},
		{"forged", []protocol.Certificate{forged}},
		{"in the founder's name", []protocol.Certificate{claimed}},
		{"self-signed", []protocol.Certificate{certificate(t, s.id, h.key, h.id, protocol.Speak|protocol.Carry, time.Hour)}},
		{"of another room", []protocol.Certificate{certificate(t, protocol.RoomID{1}, s.ana().key, h.id, protocol.Speak, time.Hour)}},
		{"by a delegate who may not speak", []protocol.Certificate{
			certificate(t, s.id, s.ana().key, otherID, protocol.Carry, time.Hour), certificate(t, s.id, other, h.id, protocol.Speak, time.Hour)}},
		{"to carry only", []protocol.Certificate{certificate(t, s.id, s.ana().key, h.id, protocol.Carry, time.Hour)}},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, v := range s.nodes {
				for _, c := range x.certs {
					h.feedCertificate(v, s.id, c)
				}
				raw, source := voice(t, h.key, s.id)
				m := h.bind(v, s.id, raw, source)
				if !m.answered() {
					t.Errorf("%s lets the voice in", v.name)
				}
				m.say('x', 20)
			}
		})
	}
	for _, v := range s.nodes { // handles that mean something on other links
		_, source := voice(t, h.key, s.id)
		for guess := range protocol.Handle(40) {
			out := h.paths[v.self].Outlet(guess)
			out.Bind(source, guess)
			out.Send(&protocol.Frame{Source: source, Packet: packetOf('x', 0)})
		}
	}
	s.ana().eventually("frames are counted", func() bool { return s.dropped("packets of unnamed sources") >= 3*7*20 })
	if n := s.dropped("not on the stage"); n < 3*7 {
		t.Errorf("%d Binds counted", n)
	}
	s.unhurt()
}

// TestNobodyOffTheStageIsHeardByStream does so where packets go by the link's
// streams: with a voice of its own, and by guessed handles.
func TestNobodyOffTheStageIsHeardByStream(t *testing.T) {
	t.Parallel()
	s := newStage(t, "host")
	h := newEnemy(t)
	h.byStream = true
	const packets = 20
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_LIVE)
		raw, source := voice(t, h.key, s.id)
		m := h.bind(v, s.id, raw, source)
		if !m.answered() {
			t.Errorf("%s lets the voice in", v.name)
		}
		m.say('x', packets)
		for guess := range protocol.Handle(40) {
			out := h.paths[v.self].Outlet(guess)
			out.Bind(source, guess)
			out.Send(&protocol.Frame{Source: source, Packet: packetOf('x', 0)})
		}
		h.eventually("packets by stream", func() bool {
			state, _ := h.links.Peer(v.self)
			return state.Frames.Sent >= packets
		})
	}
	s.ana().eventually("frames are counted", func() bool { return s.dropped("packets of unnamed sources") >= 3*packets })
	s.unhurt()
}

// TestNobodySpeaksForAnother replays a speaker's own Voice message.
func TestNobodySpeaksForAnother(t *testing.T) {
	s := newStage(t, "open")
	h := newEnemy(t)
	var raw []byte
	var source protocol.Source
	for _, v := range s.nodes {
		h.at(v)
		h.child(v, s.id, pb.Attach_LIVE)
	}
	h.eventually("ana's voice is bound to the enemy", func() bool {
		for _, b := range told(h, s.ana(), (*pb.LinkMessage).GetBind) {
			if len(b.Voice) > 0 {
				raw = b.Voice
			}
		}
		return raw != nil
	})
	m, err := protocol.ParseMessage(raw)
	must(t, err)
	if m.From != s.ana().self {
		t.Fatalf("a voice of %s", m.From)
	}
	source = protocol.SourceOf(s.id, m.From, m.Voice.Session)
	// It says that it relays, so that it might bring what others say.
	claim := h.sign(s.id, &protocol.Message{Claim: &protocol.RelayClaim{Claim: protocol.Claim{Key: protocol.Key{Term: 1000}, Standby: s.nodes[1].self}}})
	before := s.ana().view(s.room)
	for _, v := range s.nodes {
		h.feed(v, s.id, claim)
		x := h.bind(v, s.id, raw, source)
		x.n = 1 << 20
		x.say('x', 50)
	}
	s.ana().eventually("frames are counted", func() bool { return s.dropped("packets of unnamed sources") >= 3*50 })
	if n := s.dropped("brought by a stranger"); n < 3 {
		t.Errorf("%d Binds counted", n)
	}
	if n := s.dropped("without right"); n < 3 {
		t.Errorf("%d claims counted", n)
	}
	for _, v := range s.nodes {
		s.unmoved(v, before, "it follows a claim without right")
	}
	s.unhurt()
}

// TestARightToSpeakEnds takes it in mid-sentence; the word that gave it, said
// again, does not give it back.
func TestARightToSpeakEnds(t *testing.T) {
	s := newStage(t, "host")
	h := newEnemy(t)
	ana := s.ana()
	h.at(ana)
	h.child(ana, s.id, pb.Attach_WARM)
	grant := s.does(protocol.Grant{Peer: h.id, Role: protocol.RoleSpeaker})
	raw, source := voice(t, h.key, s.id)
	m := h.bind(ana, s.id, raw, source)
	if m.answered() {
		t.Fatal("a speaker is refused")
	}
	frames := func() (n uint64) {
		for _, l := range ana.view(s.room).Sources {
			if l.Source == uint32(source) {
				n = l.Frames
			}
		}
		return n
	}
	m.say('a', 1)
	ana.eventually("its frames pass", func() bool { return frames() == 1 })
	s.does(protocol.Revoke{Peer: h.id, Role: protocol.RoleSpeaker})
	h.feed(ana, s.id, h.sign(s.id, &protocol.Message{Action: grant}))
	m.say('a', 10)
	again := h.bind(ana, s.id, raw, source)
	if !again.answered() {
		t.Error("the voice is let in again")
	}
	time.Sleep(100 * time.Millisecond)
	if n := frames(); n > 1 {
		t.Errorf("%d frames passed", n)
	}
}
