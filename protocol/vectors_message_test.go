package protocol

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// messageFields is a RoomMessage; one of the pointers is set.
type messageFields struct {
	Signer      hexBytes        `json:"signer"`
	Boot        uint64          `json:"boot"`
	Sequence    uint64          `json:"sequence"`
	Claim       *claimFields    `json:"claim,omitempty"`
	Pulse       *pulseFields    `json:"pulse,omitempty"`
	Presence    *presenceFields `json:"presence,omitempty"`
	Certificate *hexBytes       `json:"certificate,omitempty"`
	Action      *hexBytes       `json:"action,omitempty"`
	Voice       *voiceFields    `json:"voice,omitempty"`
	Closed      *bool           `json:"closed,omitempty"`
	Hand        *handFields     `json:"hand,omitempty"`
	Queue       *queueFields    `json:"queue,omitempty"`
	Lowered     *stampFields    `json:"lowered,omitempty"`
	Chat        *chatFields     `json:"chat,omitempty"`
	Hide        *hideFields     `json:"hide,omitempty"`
	Reaction    *string         `json:"reaction,omitempty"`
	Caption     *captionFields  `json:"caption,omitempty"`
	Profile     *profileFields  `json:"profile,omitempty"`
}

type claimFields struct {
	Era              uint32   `json:"era"`
	Term             uint64   `json:"term"`
	Standby          hexBytes `json:"standby,omitempty"`
	Solo             bool     `json:"solo"`
	RelayAddresses   []string `json:"relay_addresses,omitempty"`
	StandbyAddresses []string `json:"standby_addresses,omitempty"`
	Log              uint64   `json:"log,omitempty,string"`
	Chat             uint64   `json:"chat,omitempty,string"`
}

type pulseFields struct {
	Era      uint32   `json:"era"`
	Class    uint8    `json:"class"`
	Term     uint64   `json:"max_term"` // 0: no max
	Relay    hexBytes `json:"max_relay,omitempty"`
	Suspects bool     `json:"suspects"`
	Yields   bool     `json:"yields"`
	Bye      bool     `json:"bye"`
}

type presenceFields struct {
	Name      string     `json:"name"`
	Listening bool       `json:"listening"`
	Speaking  bool       `json:"speaking"`
	Recording bool       `json:"recording"`
	Muted     bool       `json:"muted"`
	Offers    bool       `json:"offers"`
	Leaving   bool       `json:"leaving"`
	Live      hexBytes   `json:"live_parent,omitempty"`
	Warm      hexBytes   `json:"warm_parent,omitempty"`
	Guests    int        `json:"guests,omitempty"`
	Named     []hexBytes `json:"named_guests,omitempty"`
	Door      hexBytes   `json:"door,omitempty"`
}

type voiceFields struct {
	Session hexBytes `json:"session"`
	Ended   bool     `json:"ended"`
}

// body is the RoomBody that is signed.
func (f messageFields) body() message {
	m := message{}.number(1, f.Boot).number(2, f.Sequence)
	switch {
	case f.Claim != nil:
		c := f.Claim
		return m.part(3, message{}.number(1, uint64(c.Era)).number(2, c.Term).bytes(3, c.Standby).flag(4, c.Solo).
			list(5, binaries(c.RelayAddresses...)).list(6, binaries(c.StandbyAddresses...)).number(7, c.Log).number(8, c.Chat))
	case f.Pulse != nil:
		p := f.Pulse
		w := message{}.number(1, uint64(p.Era)).number(2, uint64(p.Class))
		if p.Term > 0 {
			w = w.part(3, message{}.number(1, p.Term).bytes(2, p.Relay))
		}
		return m.part(4, w.flag(4, p.Suspects).flag(5, p.Yields).flag(6, p.Bye))
	case f.Presence != nil:
		p := f.Presence
		return m.part(5, message{}.text(1, p.Name).flag(2, p.Listening).flag(3, p.Speaking).flag(4, p.Recording).
			flag(5, p.Muted).flag(6, p.Offers).flag(7, p.Leaving).bytes(8, p.Live).bytes(9, p.Warm).
			number(10, uint64(p.Guests)).list(11, raws(p.Named)).bytes(12, p.Door))
	case f.Certificate != nil:
		return m.part(6, *f.Certificate)
	case f.Action != nil:
		return m.part(17, *f.Action)
	case f.Voice != nil:
		return m.part(7, message{}.bytes(1, f.Voice.Session).flag(2, f.Voice.Ended))
	case f.Closed != nil:
		return m.part(8, message{}.flag(1, *f.Closed))
	case f.Hand != nil:
		return m.part(9, message{}.flag(1, f.Hand.Up).number(2, f.Hand.Raised))
	case f.Queue != nil:
		return m.part(10, f.Queue.wire())
	case f.Lowered != nil:
		return m.part(11, f.Lowered.wire())
	}
	return f.chatBody(m)
}

func raws(keys []hexBytes) (out [][]byte) {
	for _, k := range keys {
		out = append(out, k)
	}
	return out
}

func (p *person) say(room, body []byte) message {
	return message{}.bytes(1, p.pub).bytes(2, body).bytes(3, p.sign("earshot-room-message", room, body))
}

// words gives the fields of a parsed message.
func words(t testing.TB, m *Message) messageFields {
	t.Helper()
	key := func(p PeerID) hexBytes {
		if p == "" {
			return nil
		}
		b, err := PeerKey(p)
		must(t, err)
		return b
	}
	f := messageFields{Signer: key(m.From), Boot: m.Boot, Sequence: m.Sequence, Closed: m.Closed, Hand: (*handFields)(m.Hand)}
	f.Queue, f.Lowered = handWords(t, m)
	f.chatWords(t, m)
	if c := m.Claim; c != nil {
		f.Claim = &claimFields{c.Era, c.Term, key(c.Standby), c.Solo, texts(c.RelayAddresses), texts(c.StandbyAddresses), c.Log, c.Chat}
		if c.Relay != m.From || c.Claim.Boot != m.Boot || c.Claim.Sequence != m.Sequence {
			t.Errorf("the claim is of %s, %d, %d: not its signer's", c.Relay, c.Claim.Boot, c.Claim.Sequence)
		}
	}
	if p := m.Pulse; p != nil {
		f.Pulse = &pulseFields{p.Era, p.Class, p.Max.Term, key(p.Max.Relay), p.Suspects, p.Yields, p.Bye}
		if p.From != m.From || p.Boot != m.Boot || p.Sequence != m.Sequence {
			t.Errorf("the pulse is of %s, %d, %d: not its signer's", p.From, p.Boot, p.Sequence)
		}
	}
	if p := m.Presence; p != nil {
		f.Presence = &presenceFields{string(p.Name), p.Listening, p.Speaking, p.Recording, p.Muted, p.Offers, p.Leaving, key(p.LiveParent), key(p.WarmParent), p.Guests.Count, nil, key(p.Door)}
		for _, g := range p.Guests.Named {
			if g != "" {
				f.Presence.Named = append(f.Presence.Named, key(g))
			}
		}
	}
	if m.Certificate != nil {
		b := hexBytes(marshal(t, m.Certificate))
		f.Certificate = &b
	}
	if m.Action != nil {
		b := hexBytes(marshal(t, m.Action))
		f.Action = &b
	}
	if v := m.Voice; v != nil {
		f.Voice = &voiceFields{v.Session[:], v.Ended}
	}
	return f
}

// message gives the fields as somebody has them who is about to say them.
func (f messageFields) message(t testing.TB) *Message {
	t.Helper()
	peer := func(key hexBytes) PeerID {
		if len(key) == 0 {
			return ""
		}
		p, err := PeerOf(key)
		must(t, err)
		return p
	}
	m := &Message{Boot: f.Boot, Sequence: f.Sequence, Closed: f.Closed, Hand: (*Hand)(f.Hand)}
	f.hands(t, m)
	f.chat(t, m)
	if c := f.Claim; c != nil {
		m.Claim = &RelayClaim{Claim{Era: c.Era, Key: Key{Term: c.Term}, Standby: peer(c.Standby), Solo: c.Solo},
			addresses(c.RelayAddresses), addresses(c.StandbyAddresses), c.Log, c.Chat}
	}
	if p := f.Pulse; p != nil {
		m.Pulse = &Pulse{Era: p.Era, Class: p.Class, Max: Key{p.Term, peer(p.Relay)}, Suspects: p.Suspects, Yields: p.Yields, Bye: p.Bye}
	}
	if p := f.Presence; p != nil {
		m.Presence = &Presence{Name: Name(p.Name), Listening: p.Listening, Speaking: p.Speaking, Recording: p.Recording, Muted: p.Muted,
			Offers: p.Offers, Leaving: p.Leaving, LiveParent: peer(p.Live), WarmParent: peer(p.Warm), Door: peer(p.Door), Guests: Guests{Count: p.Guests}}
		for i, g := range p.Named {
			m.Presence.Guests.Named[i] = peer(g)
		}
	}
	if f.Certificate != nil {
		m.Certificate = &pb.Certificate{}
		must(t, proto.Unmarshal(*f.Certificate, m.Certificate))
	}
	if f.Action != nil {
		m.Action = &pb.SignedAction{}
		must(t, proto.Unmarshal(*f.Action, m.Action))
	}
	if v := f.Voice; v != nil {
		m.Voice = &Voice{Session(v.Session), v.Ended}
	}
	return m
}

func (c cast) goodMessages(room []byte) (all []accepted[messageFields]) {
	add := func(name string, f messageFields) {
		f.Signer, f.Boot, f.Sequence = c.founder.pub, 1_700_000_000_000, uint64(len(all)+1)
		all = append(all, accepted[messageFields]{Name: name, Room: room, Bytes: hexBytes(c.founder.say(room, f.body())), Fields: f})
	}
	readOnly := func(name string, f messageFields, body message) {
		f.Signer, f.Boot, f.Sequence = c.founder.pub, 1, 2
		all = append(all, accepted[messageFields]{Name: name, Room: room, Bytes: hexBytes(c.founder.say(room, body)), Fields: f, ReadOnly: true})
	}
	yes, no := true, false
	certificate := hexBytes(c.founder.certify(room, c.delegate, Carry|Speak))
	session := bytes.Repeat([]byte{9}, 16)
	add("claim", messageFields{Claim: &claimFields{Era: 1, Term: 258, Standby: c.delegate.pub,
		RelayAddresses: []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip4/192.0.2.1/tcp/4001"}, StandbyAddresses: []string{"/ip6/2001:db8::2/udp/4001/quic-v1"}}})
	add("claim with the log of its relay", messageFields{Claim: &claimFields{Term: 3, Log: 0x0123456789abcdef}})
	add("claim, alone", messageFields{Claim: &claimFields{Term: 1, Solo: true}})
	add("claim of the last term", messageFields{Claim: &claimFields{Era: 1<<32 - 1, Term: 1<<63 - 1}})
	add("pulse", messageFields{Pulse: &pulseFields{Era: 1, Class: 3, Term: 258, Relay: c.delegate.pub}})
	add("pulse that suspects", messageFields{Pulse: &pulseFields{Class: 255, Suspects: true, Yields: true}})
	add("pulse that leaves", messageFields{Pulse: &pulseFields{Bye: true}})
	add("presence", messageFields{Presence: &presenceFields{Name: "ana", Listening: true, Offers: true}})
	add("presence that leaves", messageFields{Presence: &presenceFields{Name: "ána", Speaking: true, Recording: true, Muted: true, Leaving: true}})
	add("presence with parents", messageFields{Presence: &presenceFields{Name: "ana", Listening: true, Live: c.delegate.pub, Warm: c.stranger.pub}})
	add("presence with one parent", messageFields{Presence: &presenceFields{Name: "ana", Live: c.delegate.pub}})
	add("presence of a node with guests", messageFields{Presence: &presenceFields{Name: "ana", Listening: true, Guests: 3, Named: []hexBytes{c.delegate.pub, c.stranger.pub}}})
	add("presence of a guest", messageFields{Presence: &presenceFields{Name: "budi", Listening: true, Door: c.founder.pub}})
	add("voice", messageFields{Voice: &voiceFields{Session: session}})
	add("voice that ended", messageFields{Voice: &voiceFields{Session: session, Ended: true}})
	add("certificate", messageFields{Certificate: &certificate})
	action := hexBytes(actionFields{Actor: c.delegate.pub, Sequence: 1, AtMS: 1_700_000_000_000, Body: hexBytes(message{}.text(15, "Night"))}.signed(room, c.delegate))
	add("action of another, passed on", messageFields{Action: &action})
	add("closed", messageFields{Closed: &yes})
	add("open again", messageFields{Closed: &no})
	add("hand up", messageFields{Hand: &handFields{Up: true, Raised: 300}})
	add("hand down", messageFields{Hand: &handFields{}})
	add("queue without a hand", messageFields{Queue: &queueFields{Parts: 1}})
	add("queue, its second part", messageFields{Queue: &queueFields{Part: 1, Parts: 2, Stamps: []stampFields{
		{Peer: c.stranger.pub, Term: 257, N: 9, Waited: 86400}, {Peer: c.delegate.pub, Term: 258, N: 1}}}})
	add("hand lowered", messageFields{Lowered: &stampFields{Peer: c.stranger.pub, Term: 258, N: 3}})
	add("claim with the chat that its relay shows", messageFields{Claim: &claimFields{Term: 3, Chat: 1<<64 - 2}})
	c.goodChat(add)
	readOnly("fields of a later version", messageFields{Voice: &voiceFields{Session: session}},
		message{}.number(1, 1).number(2, 2).part(7, message{}.bytes(1, session).text(15, "later")).text(15, "later"))
	readOnly("class beyond 255 counts as 255", messageFields{Pulse: &pulseFields{Class: 255}},
		message{}.number(1, 1).number(2, 2).part(4, message{}.number(2, 256)))
	readOnly("two kinds, the last counts", messageFields{Closed: &yes},
		message{}.number(1, 1).number(2, 2).part(7, message{}.bytes(1, session)).part(8, message{}.flag(1, true)))
	readOnly("address of a transport of a later version", messageFields{Claim: &claimFields{Term: 1, RelayAddresses: []string{"/ip4/192.0.2.1/tcp/1"}}},
		message{}.number(1, 1).number(2, 2).part(3, message{}.number(2, 1).part(5, []byte{0xff, 0xff, 0x7f, 1}).list(5, binaries("/ip4/192.0.2.1/tcp/1"))))
	closed := messageFields{Boot: 1, Sequence: 2, Closed: &yes}.body()
	readOnly("768 bytes", messageFields{Closed: &yes}, closed.bytes(15, make([]byte, MaxMessageBytes-len(c.founder.say(room, closed))-4)))
	return all
}

func (c cast) badMessages(room []byte) (all []refused) {
	add := func(name string, b []byte, err string) {
		all = append(all, refused{Name: name, Room: room, Bytes: b, Error: err})
	}
	said := func(name string, f messageFields, err string) { add(name, c.founder.say(room, f.body()), err) }
	yes := true
	body := messageFields{Boot: 1, Sequence: 2, Closed: &yes}.body()
	whole, signature := c.founder.say(room, body), c.founder.sign("earshot-room-message", room, body)
	signed := func(signature []byte) []byte {
		return message{}.bytes(1, c.founder.pub).bytes(2, body).bytes(3, signature)
	}

	add("empty", nil, "ErrPeer")
	add("769 bytes", c.founder.say(room, body.bytes(15, make([]byte, 769-len(whole)-4))), "ErrLarge")
	add("cut short", whole[:len(whole)-1], "ErrMalformed")
	add("bytes after it", append(bytes.Clone(whole), 0), "ErrMalformed")
	add("field around what is signed", whole.text(15, "later"), "ErrMalformed")
	add("length longer than it needs", bytes.Join([][]byte{{0x0a, 0xa0, 0x00}, whole[2:]}, nil), "ErrMalformed")
	add("fields in another order", message{}.bytes(2, body).bytes(1, c.founder.pub).bytes(3, signature), "ErrMalformed")
	add("signer of 31 bytes", message{}.bytes(1, c.founder.pub[:31]).bytes(2, body).bytes(3, signature), "ErrPeer")
	add("body of no kind", c.founder.say(room, message{}.number(1, 1).number(2, 2)), "ErrMalformed")
	add("kind of a later version", c.founder.say(room, message{}.number(1, 1).number(2, 2).part(100, []byte("later"))), "ErrLater")
	add("kind of a later version, not signed", message{}.bytes(1, c.founder.pub).bytes(2, message{}.number(1, 1).part(100, nil)), "ErrSignature")
	add("kind of a later version, with bytes after it", append(c.founder.say(room, message{}.number(1, 1).part(100, nil)), 0), "ErrMalformed")
	add("body cut short", c.founder.say(room, body[:len(body)-1]), "ErrMalformed")
	add("not signed", signed(nil), "ErrSignature")
	add("signed by another", signed(c.stranger.sign("earshot-room-message", room, body)), "ErrSignature")
	add("for another room", c.founder.say(make([]byte, 32), body), "ErrSignature")
	add("signed as a certificate", signed(c.founder.sign("earshot-certificate", room, body)), "ErrSignature")
	add("signature whose S is not reduced", signed(plusOrder(signature)), "ErrSignature")
	add("body changed", bytes.Replace(whole, []byte{8, 1, 16, 2}, []byte{8, 1, 16, 3}, 1), "ErrSignature")

	five := strings.Fields(strings.Repeat("/ip4/192.0.2.1/tcp/1 ", 5))
	said("claim of term 0", messageFields{Claim: &claimFields{Era: 1}}, "ErrMalformed")
	said("claim of term 2^63", messageFields{Claim: &claimFields{Term: 1 << 63}}, "ErrMalformed")
	said("claim with a standby of 31 bytes", messageFields{Claim: &claimFields{Term: 1, Standby: c.delegate.pub[:31]}}, "ErrPeer")
	said("claim with 5 relay addresses", messageFields{Claim: &claimFields{Term: 1, RelayAddresses: five}}, "ErrLarge")
	said("claim with 5 standby addresses", messageFields{Claim: &claimFields{Term: 1, StandbyAddresses: five}}, "ErrLarge")
	said("pulse whose max has no relay", messageFields{Pulse: &pulseFields{Term: 1}}, "ErrPeer")
	said("pulse whose max is of term 2^63", messageFields{Pulse: &pulseFields{Term: 1 << 63, Relay: c.delegate.pub}}, "ErrMalformed")
	add("pulse whose max is of term 0", c.founder.say(room, message{}.part(4, message{}.part(3, message{}.bytes(2, c.delegate.pub)))), "ErrMalformed")
	for _, n := range []struct{ name, text string }{{"no name", ""}, {"name of 49 bytes", strings.Repeat("x", 49)},
		{"name turned around (bidi override)", "a\u202eb"}, {"name not in NFC", "e\u0301lan"}, {"name with a space after it", "ana "},
		{"name that can't be seen", "\u200d"}} {
		said("presence: "+n.name, messageFields{Presence: &presenceFields{Name: n.text}}, "ErrName")
	}
	said("presence: parent of 31 bytes", messageFields{Presence: &presenceFields{Name: "ana", Live: c.delegate.pub[:31]}}, "ErrPeer")
	said("presence: warm parent of 33 bytes", messageFields{Presence: &presenceFields{Name: "ana", Warm: append(bytes.Clone(c.delegate.pub), 1)}}, "ErrPeer")
	said("presence: door of 33 bytes", messageFields{Presence: &presenceFields{Name: "ana", Door: append(bytes.Clone(c.delegate.pub), 1)}}, "ErrPeer")
	said("presence: guest of 31 bytes", messageFields{Presence: &presenceFields{Name: "ana", Named: []hexBytes{c.delegate.pub[:31]}}}, "ErrPeer")
	said("presence: a guest twice", messageFields{Presence: &presenceFields{Name: "ana", Named: []hexBytes{c.delegate.pub, c.delegate.pub}}}, "ErrMalformed")
	said("presence: nine guests", messageFields{Presence: &presenceFields{Name: "ana", Named: slices.Repeat([]hexBytes{c.delegate.pub}, 9)}}, "ErrLarge")
	said("presence: name not UTF-8", messageFields{Presence: &presenceFields{Name: "a\xff"}}, "ErrMalformed")
	c.badHands(said)
	c.badChat(said)
	said("voice without session", messageFields{Voice: &voiceFields{}}, "ErrMalformed")
	said("voice with a session of 17 bytes", messageFields{Voice: &voiceFields{Session: make([]byte, 17)}}, "ErrMalformed")
	return all
}

func TestVectorsMessages(t *testing.T) {
	c := people()
	room := c.tea().Room
	v := hold(t, "messages.json", vectors[messageFields]{About: "A RoomMessage (bytes) of a room", Seeds: c.seeds(),
		Accepted: c.goodMessages(room), Refused: c.badMessages(room)})
	for _, a := range v.Accepted {
		got, err := parseAndVerify(RoomID(a.Room), a.Bytes)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		same(t, a.Name, words(t, got), a.Fields)
		same(t, a.Name, hexBytes(got.Raw), a.Bytes)
		made := a.Fields.message(t)
		must(t, made.Seal(RoomID(a.Room), c.founder.key))
		a.sameBytes(t, made.Raw)
	}
	for _, r := range v.Refused {
		_, err := parseAndVerify(RoomID(r.Room), r.Bytes)
		r.is(t, err)
	}
}

func parseAndVerify(room RoomID, b []byte) (*Message, error) {
	m, err := ParseMessage(b)
	if err == ErrLater {
		return nil, cmp.Or(m.Verify(room), err)
	}
	if err != nil {
		return nil, err
	}
	return m, m.Verify(room)
}
