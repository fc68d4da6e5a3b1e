package protocol

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

type announcementFields struct {
	Announcer hexBytes   `json:"announcer"`
	Genesis   hexBytes   `json:"genesis"`         // SignedGenesis
	Chain     []hexBytes `json:"chain,omitempty"` // Certificates
	Sequence  uint64     `json:"sequence"`
	LifeS     uint32     `json:"life_s"`
	Addresses []string   `json:"addresses,omitempty"`
	Speakers  uint32     `json:"speakers"`
	Listeners uint32     `json:"listeners"`
	Closed    bool       `json:"closed"`
	Listing   *listing   `json:"listing,omitempty"`
}

// listing is what an announcement says beside its genesis: what is left out is the
// genesis'.
type listing struct {
	Title    string    `json:"title,omitempty"`
	Topics   *[]string `json:"topics,omitempty"`
	Language *string   `json:"language,omitempty"`
	Locked   bool      `json:"locked,omitempty"`
	NextMS   uint64    `json:"next_ms,omitempty"`
}

func (l *listing) wire() message {
	m := message{}.text(1, l.Title)
	if l.Topics != nil {
		topics := message{}
		for _, t := range *l.Topics {
			topics = topics.text(1, t)
		}
		m = m.part(2, topics)
	}
	if l.Language != nil {
		m = m.part(3, []byte(*l.Language))
	}
	return m.flag(4, l.Locked).number(5, l.NextMS)
}

func (f announcementFields) wire() message {
	m := message{}.part(1, f.Genesis)
	for _, c := range f.Chain {
		m = m.part(2, c)
	}
	m = m.number(3, f.Sequence).number(4, uint64(f.LifeS)).list(5, binaries(f.Addresses...)).
		number(6, uint64(f.Speakers)).number(7, uint64(f.Listeners)).flag(8, f.Closed)
	if f.Listing != nil {
		m = m.part(9, f.Listing.wire())
	}
	return m
}

func (p *person) announce(payload []byte) message {
	return p.envelope("earshot-room-announcement", "/earshot/room-announcement", payload)
}

// teatime is an announcement of the tea room by its founder.
func (c cast) teatime() announcementFields {
	return announcementFields{Announcer: c.founder.pub, Genesis: hexBytes(signedGenesis(c.tea().wire(), c.founder)),
		Sequence: 1_700_000_000_001, LifeS: 60, Addresses: []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip6/2001:db8::1/tcp/4001"},
		Speakers: 2, Listeners: 300}
}

func (c cast) goodAnnouncements() (all []accepted[announcementFields]) {
	add := func(name string, p *person, f announcementFields) {
		f.Announcer = p.pub
		all = append(all, accepted[announcementFields]{Name: name, Bytes: hexBytes(p.announce(f.wire())), Fields: f})
	}
	room, f := c.tea().Room, c.teatime()
	add("by the founder", c.founder, f)
	closed := f
	closed.Closed = true
	add("closed by the founder", c.founder, closed)
	changed := f
	changed.Listing = &listing{Title: "Stars, and what is between them", Topics: &[]string{"dust"}, Language: new("de"), Locked: true, NextMS: 1_800_000_000_000}
	add("with another title, topics and language, locked, and its next time", c.founder, changed)
	coming := closed
	coming.Listing = &listing{NextMS: maxCreatedMS}
	add("closed until the last time that there is", c.founder, coming)
	bare := f
	bare.Listing = &listing{Topics: &[]string{}, Language: new("")}
	add("without topics and language any more", c.founder, bare)
	delegated := f
	delegated.Chain = []hexBytes{c.founder.certify(room, c.delegate, Carry)}
	add("by a delegate", c.delegate, delegated)
	delegated.Chain = []hexBytes{c.founder.certify(room, c.delegate, Carry|Speak), c.delegate.certify(room, c.announcer, Carry)}
	add("by a delegate's delegate", c.announcer, delegated)
	add("the least", c.founder, announcementFields{Genesis: f.Genesis, Sequence: 1, LifeS: 1})

	largest := announcementFields{Genesis: hexBytes(signedGenesis(c.largest().wire(), c.founder)), Sequence: 1<<63 - 1, LifeS: 600,
		Speakers: 1<<32 - 1, Listeners: 1<<32 - 1}
	for i, pair := range [][2]*person{{c.founder, c.delegate}, {c.delegate, c.announcer}} {
		largest.Chain = append(largest.Chain, hexBytes(certificateFields{pair[0].pub, pair[1].pub, uint32(Carry), 7 * 24 * 3600, 1<<64 - 1}.
			signed(c.largest().Room, pair[0])))
		largest.Addresses = append(largest.Addresses, []string{"/ip6/2001:db8::1/udp/41641/quic-v1", "/ip4/192.0.2.1/udp/41641/quic-v1"}[i])
	}
	add("everything at its largest", c.announcer, largest)

	plain := c.founder.announce(f.wire())
	all = append(all, accepted[announcementFields]{Name: "1024 bytes", Fields: f, ReadOnly: true,
		Bytes: hexBytes(c.founder.announce(f.wire().bytes(15, make([]byte, MaxAnnouncementBytes-len(plain)-3))))})
	all = append(all, accepted[announcementFields]{Name: "a listing as the genesis is", Fields: f, ReadOnly: true,
		Bytes: hexBytes(c.founder.announce(f.wire().part(9, message{}.text(1, c.tea().Title).part(3, []byte(c.tea().Language)))))})
	newer := f
	newer.Addresses = f.Addresses[1:]
	payload := message{}.part(1, f.Genesis).number(3, f.Sequence).number(4, 60).part(5, []byte{0xff, 0xff, 0x7f, 1}).
		list(5, binaries(f.Addresses[1])).number(6, 2).number(7, 300).text(15, "later")
	all = append(all, accepted[announcementFields]{Name: "fields and transports of a later version", Bytes: hexBytes(c.founder.announce(payload)),
		Fields: newer, ReadOnly: true})
	return all
}

func (c cast) badAnnouncements() (all []refused) {
	room, good := c.tea().Room, c.teatime()
	add := func(name string, b []byte, err string) { all = append(all, refused{Name: name, Bytes: b, Error: err}) }
	by := func(p *person, change func(f *announcementFields)) []byte {
		f := good
		change(&f)
		return p.announce(f.wire())
	}
	chained := func(p *person, chain ...hexBytes) []byte {
		return by(p, func(f *announcementFields) { f.Chain = chain })
	}
	whole := c.founder.announce(good.wire())

	add("empty", nil, "ErrMalformed")
	add("1025 bytes", whole.bytes(15, make([]byte, 1025-len(whole)-3)), "ErrLarge")
	add("cut short", whole[:len(whole)-1], "ErrMalformed")
	add("bytes after it", append(bytes.Clone(whole), 0), "ErrMalformed")
	add("field around what is signed", bytes.Clone(whole.text(15, "later")), "ErrMalformed")
	add("envelope in another order", reordered(c.founder, good.wire()), "ErrMalformed")
	add("other payload type", c.founder.envelope("earshot-room-announcement", "/libp2p/peer-record", good.wire()), "ErrMalformed")
	add("other domain", c.founder.envelope("libp2p-peer-record", "/earshot/room-announcement", good.wire()), "ErrSignature")
	add("RSA key", bytes.Replace(whole, []byte{8, 1, 18, 32}, []byte{8, 0, 18, 32}, 1), "ErrMalformed")
	add("key of another", bytes.Replace(whole, c.founder.pub, c.stranger.pub, 1), "ErrSignature")
	add("signature whose S is not reduced", append(bytes.Clone(whole[:len(whole)-64]), plusOrder(whole[len(whole)-64:])...), "ErrSignature")

	add("no genesis", c.founder.announce(good.wire()[2+len(good.Genesis)+1:]), "ErrLarge")
	add("genesis signed by another", by(c.founder, func(f *announcementFields) { f.Genesis = hexBytes(signedGenesis(c.tea().wire(), c.stranger)) }), "ErrSignature")
	add("sequence 0", by(c.founder, func(f *announcementFields) { f.Sequence = 0 }), "ErrMalformed")
	add("sequence 2^63", by(c.founder, func(f *announcementFields) { f.Sequence = 1 << 63 }), "ErrMalformed")
	add("no life", by(c.founder, func(f *announcementFields) { f.LifeS = 0 }), "ErrMalformed")
	add("life of 601 s", by(c.founder, func(f *announcementFields) { f.LifeS = 601 }), "ErrMalformed")
	add("9 addresses", c.founder.announce(good.wire().list(5, binaries("/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/2", "/ip4/192.0.2.1/tcp/3",
		"/ip4/192.0.2.1/tcp/4", "/ip4/192.0.2.1/tcp/5", "/ip4/192.0.2.1/tcp/6", "/ip4/192.0.2.1/tcp/7"))), "ErrLarge")
	add("address of 129 bytes", c.founder.announce(good.wire().part(5, make([]byte, 129))), "ErrLarge")
	add("addresses of 401 bytes", c.founder.announce(message{}.part(1, good.Genesis).number(3, 1).number(4, 1).
		list(5, [][]byte{make([]byte, 128), make([]byte, 128), make([]byte, 128), make([]byte, 17)})), "ErrLarge")

	listed := func(name string, l listing, err string) {
		add(name, by(c.founder, func(f *announcementFields) { f.Listing = &l }), err)
	}
	listed("title of 121 bytes", listing{Title: strings.Repeat("x", 121)}, "ErrLater")
	listed("title that begins with a space", listing{Title: " Tea"}, "ErrText")
	listed("title with an override of its direction", listing{Title: "Tea\u202e"}, "ErrText")
	listed("four topics", listing{Topics: &[]string{"a", "b", "c", "d"}}, "ErrLater")
	listed("topic of 21 bytes", listing{Topics: &[]string{strings.Repeat("x", 21)}}, "ErrLater")
	listed("language of 13 bytes", listing{Language: new(strings.Repeat("x", 13))}, "ErrLater")
	listed("title of 121 bytes that begins with a space", listing{Title: " " + strings.Repeat("x", 120)}, "ErrText")
	listed("next time later than dates go", listing{NextMS: maxCreatedMS + 1}, "ErrMalformed")
	listed("next time of 64 bits", listing{NextMS: 1<<64 - 1}, "ErrMalformed")
	add("topic without a letter", c.founder.announce(good.wire().part(9, message{}.part(2, message{}.part(1, nil)))), "ErrText")
	add("listing beyond its bounds, by a stranger", by(c.stranger, func(f *announcementFields) { f.Listing = &listing{Title: strings.Repeat("x", 121)} }), "ErrNoRight")
	add("listing cut short", c.founder.announce(good.wire().part(9, []byte{0x0a, 9, 'T'})), "ErrMalformed")

	unlisted := c.tea()
	unlisted.Unlisted = true
	add("unlisted room", by(c.founder, func(f *announcementFields) { f.Genesis = hexBytes(signedGenesis(unlisted.wire(), c.founder)) }), "ErrNoRight")
	add("by a stranger", by(c.stranger, func(*announcementFields) {}), "ErrNoRight")
	add("closed by a delegate", by(c.delegate, func(f *announcementFields) {
		f.Closed, f.Chain = true, []hexBytes{c.founder.certify(room, c.delegate, Carry)}
	}), "ErrNoRight")
	add("by one certified to speak", chained(c.delegate, c.founder.certify(room, c.delegate, Speak)), "ErrNoRight")
	add("chain to another", chained(c.stranger, c.founder.certify(room, c.delegate, Carry)), "ErrNoRight")
	add("chain without its beginning", chained(c.announcer, c.delegate.certify(room, c.announcer, Carry)), "ErrNoRight")
	add("chain in the wrong order", chained(c.announcer, c.delegate.certify(room, c.announcer, Carry), c.founder.certify(room, c.delegate, Carry)), "ErrNoRight")
	add("chain through one certified to speak", chained(c.announcer, c.founder.certify(room, c.delegate, Speak), c.delegate.certify(room, c.announcer, Carry)), "ErrNoRight")
	add("delegate gives what it has not", chained(c.announcer, c.founder.certify(room, c.delegate, Carry), c.delegate.certify(room, c.announcer, Carry|Speak)), "ErrNoRight")
	add("chain of three", chained(c.stranger, c.founder.certify(room, c.delegate, Carry), c.delegate.certify(room, c.announcer, Carry),
		c.announcer.certify(room, c.stranger, Carry)), "ErrMalformed")
	add("certificate of another room", chained(c.delegate, c.founder.certify(make([]byte, 32), c.delegate, Carry)), "ErrSignature")
	return all
}

// reordered is an announcement whose signature comes first.
func reordered(p *person, payload []byte) []byte {
	b := p.announce(payload)
	at := len(b) - 66
	return append(bytes.Clone(b[at:]), b[:at]...)
}

func TestVectorsAnnouncement(t *testing.T) {
	c := people()
	v := hold(t, "announcement.json", vectors[announcementFields]{About: "An Envelope (bytes) around a RoomAnnouncement", Seeds: c.seeds(),
		Accepted: c.goodAnnouncements(), Refused: c.badAnnouncements()})
	by := map[string]*person{string(c.founder.pub): c.founder, string(c.delegate.pub): c.delegate, string(c.announcer.pub): c.announcer}
	for _, a := range v.Accepted {
		got, err := OpenAnnouncement(a.Bytes)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		same(t, a.Name, announced(t, got), a.Fields)
		made, err := got.Seal(by[string(a.Fields.Announcer)].key)
		must(t, err)
		a.sameBytes(t, made)
		room, announcer, sequence, err := PeekAnnouncement(a.Bytes)
		if err != nil || room != got.Room || announcer != got.Announcer || sequence != got.Sequence {
			t.Errorf("%s: peek: %v %v %d %v", a.Name, room, announcer, sequence, err)
		}
	}
	for _, r := range v.Refused {
		_, err := OpenAnnouncement(r.Bytes)
		r.is(t, err)
	}
}

func announced(t testing.TB, a *Announcement) announcementFields {
	key, err := PeerKey(a.Announcer)
	must(t, err)
	f := announcementFields{Announcer: key, Genesis: marshal(t, a.Genesis.Signed()), Sequence: a.Sequence, LifeS: uint32(a.Life / time.Second),
		Addresses: texts(a.Addresses), Speakers: a.Speakers, Listeners: a.Listeners, Closed: a.Closed}
	for _, c := range a.Chain {
		f.Chain = append(f.Chain, marshal(t, c.Wire()))
	}
	f.Listing = shown(a.Listing, a.Genesis)
	return f
}

// shown gives what is not as the genesis says; nil if all is.
func shown(l Listing, g *Genesis) *listing {
	out := listing{Locked: l.Locked}
	if l.Title != g.Title {
		out.Title = l.Title
	}
	if !slices.Equal(l.Topics, g.Topics) {
		topics := append([]string{}, l.Topics...)
		out.Topics = &topics
	}
	if l.Language != g.Language {
		out.Language = &l.Language
	}
	if !l.Next.IsZero() {
		out.NextMS = uint64(l.Next.UnixMilli())
	}
	if out == (listing{}) {
		return nil
	}
	return &out
}
