package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

type linkFields struct {
	Room    hexBytes     `json:"room"`
	Network string       `json:"network"`
	Peers   []hintFields `json:"peers,omitempty"`
}

type hintFields struct {
	Peer      hexBytes `json:"peer"`
	Addresses []string `json:"addresses,omitempty"`
}

func (f linkFields) hints() message {
	var m message
	for _, p := range f.Peers {
		m = m.part(1, message{}.bytes(1, p.Peer).list(2, binaries(p.Addresses...)))
	}
	return m.text(2, f.Network)
}

// linkText writes a link around hints.
func linkText(room RoomID, hints []byte) string {
	sum := sha256.Sum256(bytes.Join([][]byte{[]byte("earshot-link"), room[:], hints}, nil))
	return "earshot:room/" + room.String() + "/" + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(hints), sum[:4]...))
}

func linked(t testing.TB, l Link) linkFields {
	f := linkFields{Room: l.Room[:], Network: l.Network}
	for _, p := range l.Peers {
		key, err := PeerKey(p.ID)
		must(t, err)
		f.Peers = append(f.Peers, hintFields{key, texts(p.Addrs)})
	}
	return f
}

func (f linkFields) link(t testing.TB) Link {
	l := Link{Room: RoomID(f.Room), Network: f.Network}
	for _, h := range f.Peers {
		p, err := PeerOf(h.Peer)
		must(t, err)
		l.Peers = append(l.Peers, peer.AddrInfo{ID: p, Addrs: addresses(h.Addresses)})
	}
	return l
}

func TestVectorsLinks(t *testing.T) {
	c := people()
	room := RoomID(c.tea().Room)
	whole := linkFields{Room: room[:], Network: "garden", Peers: []hintFields{
		{c.founder.pub, []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip6/2001:db8::1/tcp/4001"}}, {Peer: c.delegate.pub}}}
	bare := linkFields{Room: room[:]}
	text := linkText(room, whole.hints())
	v := vectors[linkFields]{About: "A link (text); the bytes are its hints and their checksum, as read from base64url", Seeds: c.seeds()}
	for _, l := range []struct {
		name, text string
		linkFields
		readOnly bool
	}{
		{"with hints", text, whole, false},
		{"without", linkText(room, nil), bare, false},
		{"for browsers", "https://example.org/r#" + text[len("earshot:"):], whole, true},
		{"the room's letters in capitals", strings.Replace(text, room.String(), strings.ToUpper(room.String()), 1), whole, true},
		{"hints that a mail broke into two lines", text[:len(text)-9] + "\r\n" + text[len(text)-9:], whole, true},
		{"fields of a later version", linkText(room, whole.hints().text(15, "later")), whole, true},
	} {
		b, err := base64.RawURLEncoding.DecodeString(l.text[strings.LastIndex(l.text, "/")+1:])
		must(t, err)
		v.Accepted = append(v.Accepted, accepted[linkFields]{Name: l.name, Text: l.text, Bytes: b, Fields: l.linkFields, ReadOnly: l.readOnly})
	}
	other := whole
	other.Network = "other\x1b[2Jnetwork"
	long := whole
	long.Network = strings.Repeat("n", MaxNetworkBytes+1)
	five, short, many := whole, whole, whole
	five.Peers = []hintFields{whole.Peers[0], whole.Peers[0], whole.Peers[0], whole.Peers[0], whole.Peers[0]}
	short.Peers = []hintFields{{Peer: c.founder.pub[:31]}}
	many.Peers = []hintFields{{c.founder.pub, strings.Fields(strings.Repeat("/ip4/192.0.2.1/tcp/1 ", MaxAddresses+1))}}
	v.Refused = []refused{
		{Name: "nothing", Error: "ErrLinkForm"},
		{Name: "a page", Text: "https://example.org/", Error: "ErrLinkForm"},
		{Name: "longer than 4096 bytes", Text: linkText(room, make([]byte, 3100)), Error: "ErrLinkForm"},
		{Name: "only its beginning", Text: "earshot:room/", Error: "ErrLinkCut"},
		{Name: "without hints", Text: text[:len("earshot:room/")+52], Error: "ErrLinkCut"},
		{Name: "last letter gone", Text: text[:len(text)-1], Error: "ErrLinkCut"},
		{Name: "letter in the room mistyped", Text: "earshot:room/" + swap(room.String()[0]) + text[len("earshot:room/")+1:], Error: "ErrLinkCut"},
		{Name: "letter in the hints mistyped", Text: text[:len(text)-9] + swap(text[len(text)-9]) + text[len(text)-8:], Error: "ErrLinkCut"},
		{Name: "padded", Text: text + "=", Error: "ErrLinkCut"},
		{Name: "words after it", Text: text + " join us", Error: "ErrLinkCut"},
		{Name: "hints that are none", Text: linkText(room, []byte{0xff}), Error: "ErrLinkForm"},
		{Name: "5 peers", Text: linkText(room, five.hints()), Error: "ErrLinkForm"},
		{Name: "peer of 31 bytes", Text: linkText(room, short.hints()), Error: "ErrLinkForm"},
		{Name: "peer with 9 addresses", Text: linkText(room, many.hints()), Error: "ErrLinkForm"},
		{Name: "network that commands the terminal", Text: linkText(room, other.hints()), Error: "ErrLinkForm"},
		{Name: "network of 21 bytes", Text: linkText(room, long.hints()), Error: "ErrLinkForm"},
	}
	v = hold(t, "links.json", v)
	for _, a := range v.Accepted {
		l, err := ParseLink(a.Text)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		same(t, a.Name, linked(t, l), a.Fields)
		if s := a.Fields.link(t).String(); !a.ReadOnly && s != a.Text {
			t.Errorf("%s: wrote %s, not %s", a.Name, s, a.Text)
		}
	}
	for _, r := range v.Refused {
		_, err := ParseLink(r.Text)
		r.is(t, err)
	}
}

// swap gives another letter.
func swap(b byte) string {
	if b == 'a' {
		return "b"
	}
	return "a"
}
