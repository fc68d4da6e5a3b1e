package protocol

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// TestEveryBitOfAnAnnouncementCounts: none can be changed and the announcement
// still be taken.
func TestEveryBitOfAnAnnouncementCounts(t *testing.T) {
	for _, a := range people().goodAnnouncements() {
		for i := range a.Bytes {
			bad := append([]byte(nil), a.Bytes...)
			bad[i] ^= 1 << (i % 8)
			if b, err := OpenAnnouncement(bad); err == nil {
				t.Fatalf("%s: byte %d of %d can be changed: %+v", a.Name, i, len(a.Bytes), b)
			}
		}
	}
}

// TestLargestListingFits: beside the longest of everything a listing's title and
// time still fit, and its topics are the first to go. They are not shown as the
// genesis has them then: none are.
func TestLargestListingFits(t *testing.T) {
	c := people()
	g := c.largest().genesis()
	must(t, g.Seal(c.founder.key))
	first := Certificate{Subject: c.delegate.id, Duties: Carry | Speak, Life: MaxCertificate, Serial: 1<<64 - 1}
	second := Certificate{Subject: c.announcer.id, Duties: Carry | Speak, Life: MaxCertificate, Serial: 1<<64 - 1}
	must(t, errors.Join(first.Issue(g.Room, c.founder.key), second.Issue(g.Room, c.delegate.key)))
	listing := Listing{Title: strings.Repeat("月", 40), Language: "zh-Hans-CN-x", Locked: true, Next: time.UnixMilli(maxCreatedMS),
		Topics: []string{strings.Repeat("d", 20), strings.Repeat("e", 20), strings.Repeat("f", 20)}}
	without := listing
	without.Topics = nil
	for _, f := range []struct {
		name      string
		chain     []Certificate
		key       crypto.PrivKey
		addresses int
		kept      int
		listing   Listing
	}{
		{"by a delegate's delegate", []Certificate{first, second}, c.announcer.key, 8, 3, without},
		{"without addresses", []Certificate{first, second}, c.announcer.key, 0, 0, without},
		{"by a delegate", []Certificate{first}, c.delegate.key, 1, 1, listing},
		{"by the founder", nil, c.founder.key, 8, 8, listing},
	} {
		a := &Announcement{Genesis: g, Chain: f.chain, Sequence: 1<<63 - 1, Life: MaxLife, Speakers: 1<<32 - 1, Listeners: 1<<32 - 1, Listing: listing}
		for range f.addresses {
			a.Addresses = append(a.Addresses, addresses([]string{"/ip4/192.0.2.1/udp/41641/quic-v1"})...)
		}
		b, err := a.Seal(f.key)
		must(t, err)
		got, err := OpenAnnouncement(b)
		must(t, err)
		if len(b) > MaxAnnouncementBytes || len(got.Addresses) != f.kept || !got.Listing.Equal(f.listing) {
			t.Errorf("%s: %d bytes, %d addresses, %+v", f.name, len(b), len(got.Addresses), got.Listing)
		}
	}
}

func TestSealChecksTheListing(t *testing.T) {
	c := people()
	g := c.tea().genesis()
	must(t, g.Seal(c.founder.key))
	for _, l := range []Listing{{Title: " x"}, {Title: "x", Topics: []string{""}}, {Title: "x", Next: time.UnixMilli(-1)}} {
		a := &Announcement{Genesis: g, Sequence: 1, Life: time.Minute, Listing: l}
		if _, err := a.Seal(c.founder.key); err == nil {
			t.Errorf("%+v is announced", l)
		}
	}
}

// TestLargestAnnouncementFits: the largest genesis, the longest chain, the
// largest numbers and eight common addresses; longer ones go, last first.
func TestLargestAnnouncementFits(t *testing.T) {
	c := people()
	g := c.largest().genesis()
	must(t, g.Seal(c.founder.key))
	first := Certificate{Subject: c.delegate.id, Duties: Carry | Speak, Life: MaxCertificate, Serial: 1<<64 - 1}
	second := Certificate{Subject: c.announcer.id, Duties: Carry | Speak, Life: MaxCertificate, Serial: 1<<64 - 1}
	must(t, errors.Join(first.Issue(g.Room, c.founder.key), second.Issue(g.Room, c.delegate.key)))
	long := "/dns4/" + strings.Repeat("a", 95) + "/tcp/1" // 100 bytes
	for _, f := range []struct {
		name, address string
		many, kept    int
	}{
		{"IPv4 and QUIC", "/ip4/192.0.2.1/udp/41641/quic-v1", 8, 8},
		{"IPv6 and QUIC", "/ip6/2001:db8::1/udp/41641/quic-v1", 8, 7},
		{"long names", long, 8, 1},
		{"none", long, 0, 0},
	} {
		a := &Announcement{Genesis: g, Chain: []Certificate{first, second}, Sequence: 1<<63 - 1, Life: MaxLife, Speakers: 1<<32 - 1, Listeners: 1<<32 - 1}
		for range f.many {
			a.Addresses = append(a.Addresses, addresses([]string{f.address})...)
		}
		b, err := a.Seal(c.announcer.key)
		must(t, err)
		got, err := OpenAnnouncement(b)
		if err != nil || len(b) > MaxAnnouncementBytes || len(got.Addresses) != f.kept || got.Sequence != a.Sequence || len(a.Addresses) != f.many {
			t.Errorf("%s: %d bytes, %d addresses, %v", f.name, len(b), len(got.Addresses), err)
		}
	}
}

func TestSealRefusesWhatDoesNotFit(t *testing.T) {
	c := people()
	g := c.largest().genesis()
	must(t, g.Seal(c.founder.key))
	a := &Announcement{Genesis: g, Sequence: 1, Life: time.Minute}
	for range 6 {
		a.Chain = append(a.Chain, Certificate{Issuer: c.founder.id, Subject: c.founder.id, Signature: make([]byte, 64), Duties: Carry, Life: time.Hour, Serial: 1})
	}
	if _, err := a.Seal(c.founder.key); !errors.Is(err, ErrLarge) {
		t.Errorf("six certificates: %v", err)
	}
}

// TestOtherKindsOfKeys: libp2p knows several; Earshot takes Ed25519 alone.
func TestOtherKindsOfKeys(t *testing.T) {
	c := people()
	for _, kind := range []int{crypto.RSA, crypto.Secp256k1, crypto.ECDSA} {
		k, _, err := crypto.GenerateKeyPair(kind, 2048)
		must(t, err)
		g := c.tea().genesis()
		if err := g.Seal(k); !errors.Is(err, ErrPeer) {
			t.Errorf("%v: genesis: %v", k.Type(), err)
		}
		cert := Certificate{Subject: c.delegate.id, Duties: Carry, Life: time.Hour}
		if err := cert.Issue(RoomID{}, k); !errors.Is(err, ErrPeer) {
			t.Errorf("%v: certificate: %v", k.Type(), err)
		}
		must(t, g.Seal(c.founder.key))
		a := &Announcement{Genesis: g, Sequence: 1, Life: time.Minute}
		b, err := a.Seal(k)
		if err != nil {
			continue // it doesn't even fit
		}
		if _, err := OpenAnnouncement(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v: announcement: %v", k.Type(), err)
		}
		if _, _, _, err := PeekAnnouncement(b); err == nil {
			t.Errorf("%v: peeked at", k.Type())
		}
	}
}
