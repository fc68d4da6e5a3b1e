package protocol

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

func key(t testing.TB) (crypto.PrivKey, PeerID) {
	t.Helper()
	k, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := peer.IDFromPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return k, p
}

func genesis(t testing.TB, k crypto.PrivKey) *Genesis {
	t.Helper()
	g := &Genesis{Title: "Why the sky is dark", Language: "en", Topics: []string{"stars"}, Created: time.UnixMilli(1), Stage: StageOpen}
	if err := g.Seal(k); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAnnouncementByADelegatesDelegate(t *testing.T) {
	founderKey, _ := key(t)
	delegateKey, delegate := key(t)
	thirdKey, third := key(t)
	g := genesis(t, founderKey)
	first := Certificate{Subject: delegate, Duties: Carry | Speak, Life: time.Hour, Serial: 1}
	second := Certificate{Subject: third, Duties: Carry | Speak, Life: time.Hour, Serial: 1}
	if err := errors.Join(first.Issue(g.Room, founderKey), second.Issue(g.Room, delegateKey)); err != nil {
		t.Fatal(err)
	}
	addr := multiaddr.StringCast("/ip4/192.0.2.1/udp/4001/quic-v1/p2p/" + third.String())
	a := &Announcement{Genesis: g, Chain: []Certificate{first, second}, Sequence: 7, Life: time.Minute, Listeners: 3}
	for range 12 {
		a.Addresses = append(a.Addresses, addr)
	}
	env, err := a.Seal(thirdKey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenAnnouncement(env)
	if err != nil {
		t.Fatal(err)
	}
	if b.Announcer != third || b.Room != g.Room || b.Genesis.Title != g.Title || b.Sequence != 7 || len(b.Addresses) == 0 ||
		b.Addresses[0].String() != "/ip4/192.0.2.1/udp/4001/quic-v1" {
		t.Errorf("came back as %+v", b)
	}
	room, announcer, seq, err := PeekAnnouncement(env)
	if err != nil || room != g.Room || announcer != third || seq != 7 {
		t.Errorf("peek: %v %v %v %v", room, announcer, seq, err)
	}
	for i := range env { // every single byte is covered, or the form
		bad := append([]byte(nil), env...)
		bad[i] ^= 1
		if c, err := OpenAnnouncement(bad); err == nil {
			t.Fatalf("byte %d of %d can be changed: %+v", i, len(env), c)
		}
	}
	// A chain without its middle has no right.
	a.Chain = []Certificate{second}
	if env, err = a.Seal(thirdKey); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAnnouncement(env); !errors.Is(err, ErrNoRight) {
		t.Errorf("broken chain: %v", err)
	}
}

func TestLargestAnnouncementFits(t *testing.T) {
	founderKey, _ := key(t)
	delegateKey, delegate := key(t)
	thirdKey, third := key(t)
	g := &Genesis{Title: strings.Repeat("星", 40), Language: "zh-Hans-CN-x", Topics: []string{strings.Repeat("a", 20), strings.Repeat("b", 20), strings.Repeat("c", 20)},
		Network: strings.Repeat("n", 20), Created: time.Now()}
	if err := g.Seal(founderKey); err != nil {
		t.Fatal(err)
	}
	first := Certificate{Subject: delegate, Duties: Carry, Life: MaxCertificate, Serial: 1 << 62}
	second := Certificate{Subject: third, Duties: Carry, Life: MaxCertificate, Serial: 1 << 62}
	if err := errors.Join(first.Issue(g.Room, founderKey), second.Issue(g.Room, delegateKey)); err != nil {
		t.Fatal(err)
	}
	a := &Announcement{Genesis: g, Chain: []Certificate{first, second}, Sequence: 1 << 62, Life: MaxLife, Speakers: 1 << 31, Listeners: 1 << 31}
	for range 8 {
		a.Addresses = append(a.Addresses, multiaddr.StringCast("/ip6/2001:db8::1/udp/4001/quic-v1"))
	}
	env, err := a.Seal(thirdKey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenAnnouncement(env)
	if err != nil || len(b.Addresses) < 3 {
		t.Errorf("%d bytes, %d addresses, %v", len(env), len(b.Addresses), err)
	}
}

func TestLinkSurvivesAndTellsDamage(t *testing.T) {
	k, p := key(t)
	g := genesis(t, k)
	l := Link{Room: g.Room, Network: "garden", Peers: []peer.AddrInfo{{ID: p, Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/4001")}}}}
	s := l.String()
	m, err := ParseLink(s)
	if err != nil || m.Room != l.Room || m.Network != "garden" || m.Peers[0].ID != p || len(m.Peers[0].Addrs) != 1 {
		t.Fatalf("%+v %v", m, err)
	}
	if _, err := ParseLink(strings.Replace(s, "earshot:", "https://example.org/r#", 1)); err != nil {
		t.Errorf("for browsers: %v", err)
	}
	for i := len(linkPrefix); i < len(s); i++ {
		if _, err := ParseLink(s[:i]); !errors.Is(err, ErrLinkCut) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		c := byte('a')
		if s[i] == c {
			c = 'b'
		}
		if _, err := ParseLink(s[:i] + string(c) + s[i+1:]); !errors.Is(err, ErrLinkCut) {
			t.Fatalf("mistyped at %d: %v", i, err)
		}
	}
	if _, err := ParseLink("https://example.org/"); !errors.Is(err, ErrLinkForm) {
		t.Errorf("no link: %v", err)
	}
}

func TestMessageRoundTripAndTamper(t *testing.T) {
	k, p := key(t)
	g := genesis(t, k)
	yes := true
	for name, m := range map[string]*Message{
		"claim":    {Claim: &RelayClaim{Claim: Claim{Era: 1, Key: Key{Term: 3}, Standby: p, Solo: true}, RelayAddresses: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/1")}}},
		"pulse":    {Pulse: &Pulse{Era: 1, Class: 2, Max: Key{3, p}, Suspects: true}},
		"presence": {Presence: &Presence{Name: "ana", Listening: true, Recording: true}},
		"voice":    {Voice: &Voice{Session: Session{1, 2, 3}}},
		"closed":   {Closed: &yes},
	} {
		m.Boot, m.Sequence = 5, 6
		if err := m.Seal(g.Room, k); err != nil {
			t.Fatal(name, err)
		}
		n, err := ParseMessage(m.Raw)
		if err != nil || n.From != p || n.Boot != 5 || n.Sequence != 6 {
			t.Fatal(name, n, err)
		}
		if err := n.Verify(g.Room); err != nil {
			t.Error(name, err)
		}
		if err := n.Verify(RoomID{1}); !errors.Is(err, ErrSignature) {
			t.Errorf("%s taken for another room: %v", name, err)
		}
		if name == "claim" && (n.Claim.Relay != p || n.Claim.Standby != p || len(n.Claim.RelayAddresses) != 1 || n.Claim.Sequence != 6) {
			t.Errorf("claim: %+v", n.Claim)
		}
	}
}

func TestNamesAndTitlesThatHide(t *testing.T) {
	for _, s := range []string{"", " ", "a\u202eb", "a\nb", "a\x00", "\xff", strings.Repeat("x", 49)} {
		if n, err := ParseName(s); err == nil {
			t.Errorf("%q taken as %q", s, n)
		}
	}
	if n, err := ParseName(" e\u0301lan "); err != nil || n != "élan" {
		t.Errorf("%q %v", n, err)
	}
}
