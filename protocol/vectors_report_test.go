package protocol

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"math/big"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// This file seals by RFC 9180 as it is written there, with a fixed ephemeral key,
// so that the standard library's HPKE is held to it.

const (
	suiteKEM = "KEM\x00\x20"                  // DHKEM(X25519, HKDF-SHA256)
	suite    = "HPKE\x00\x20\x00\x01\x00\x03" // with HKDF-SHA256 and ChaCha20-Poly1305
)

func labeledExtract(t testing.TB, suite string, salt []byte, label string, ikm []byte) []byte {
	b, err := hkdf.Extract(sha256.New, slices.Concat([]byte("HPKE-v1"+suite+label), ikm), salt)
	must(t, err)
	return b
}

func labeledExpand(t testing.TB, suite string, prk []byte, label string, info []byte, length int) []byte {
	all := binary.BigEndian.AppendUint16(nil, uint16(length))
	b, err := hkdf.Expand(sha256.New, prk, string(slices.Concat(all, []byte("HPKE-v1"+suite+label), info)), length)
	must(t, err)
	return b
}

// x25519 gives the key of the same point as the person's Ed25519 key: from its
// secret, where the package goes by the public one.
func (p *person) x25519(t testing.TB) *ecdh.PrivateKey {
	h := sha512.Sum512(p.seed)
	key, err := ecdh.X25519().NewPrivateKey(h[:32])
	must(t, err)
	return key
}

// seal seals for to, and gives what its receipt is to hold.
func (p *person) seal(t testing.TB, room []byte, to *person, plain []byte) (sealed, proof []byte) {
	ephemeral, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	enc, recipient := ephemeral.PublicKey().Bytes(), to.x25519(t).PublicKey()
	dh, err := ephemeral.ECDH(recipient)
	must(t, err)
	shared := labeledExpand(t, suiteKEM, labeledExtract(t, suiteKEM, nil, "eae_prk", dh), "shared_secret", slices.Concat(enc, recipient.Bytes()), 32)
	info := slices.Concat([]byte("earshot-sealed-report\x00"), room, to.pub)
	schedule := slices.Concat([]byte{0}, labeledExtract(t, suite, nil, "psk_id_hash", nil), labeledExtract(t, suite, nil, "info_hash", info))
	secret := labeledExtract(t, suite, shared, "secret", nil)
	aead, err := chacha20poly1305.New(labeledExpand(t, suite, secret, "key", schedule, 32))
	must(t, err)
	nonce := labeledExpand(t, suite, secret, "base_nonce", schedule, 12)
	exporter := labeledExpand(t, suite, secret, "exp", schedule, 32)
	proof = labeledExpand(t, suite, exporter, "sec", []byte("earshot-report-receipt"), 32)
	return aead.Seal(enc, nonce, plain, nil), proof
}

type reportFields struct {
	Reporter hexBytes        `json:"reporter"`
	Of       hexBytes        `json:"of"`
	MadeMS   uint64          `json:"made_ms"`
	Why      string          `json:"why,omitempty"`
	Name     string          `json:"name,omitempty"`
	Role     string          `json:"role"`
	Muted    bool            `json:"muted,omitempty"`
	Hand     bool            `json:"hand,omitempty"`
	Spoke    []spurtFields   `json:"spoke,omitempty"`
	Said     []sayingFields  `json:"said,omitempty"`
	Reacted  []reactedFields `json:"reacted,omitempty"`
	Proof    hexBytes        `json:"proof"` // of the receipt
}

type spurtFields struct {
	AgoMS    int64 `json:"ago_ms"`
	LastedMS int64 `json:"lasted_ms"`
}

type sayingFields struct {
	AgoMS   int64    `json:"ago_ms"`
	Message hexBytes `json:"message"`
}

type reactedFields struct {
	AgoMS int64  `json:"ago_ms"`
	Emoji string `json:"emoji"`
}

var roleNumbers = map[string]uint64{"carrier": 1, "speaker": 2, "moderator": 3, "host": 4}

func (f reportFields) wire() message {
	m := message{}.bytes(1, f.Of).number(2, f.MadeMS).text(3, f.Why).text(4, f.Name).number(5, roleNumbers[f.Role]).flag(6, f.Muted).flag(7, f.Hand)
	for _, s := range f.Spoke {
		m = m.part(8, message{}.number(1, uint64(s.AgoMS)).number(2, uint64(s.LastedMS)))
	}
	for _, s := range f.Said {
		m = m.part(9, message{}.number(1, uint64(s.AgoMS)).bytes(2, s.Message))
	}
	for _, s := range f.Reacted {
		m = m.part(10, message{}.number(1, uint64(s.AgoMS)).text(2, s.Emoji))
	}
	return m
}

func (p *person) reports(room, report []byte) message {
	return message{}.bytes(1, p.pub).bytes(2, report).bytes(3, p.sign("earshot-report", room, report))
}

// told gives the fields of an opened report.
func told(t testing.TB, r *Report, proof ReportProof) reportFields {
	t.Helper()
	f := reportFields{Reporter: keyOf(t, r.Reporter), Of: keyOf(t, r.Of), MadeMS: uint64(r.Made.UnixMilli()), Why: r.Why, Name: string(r.Name), Role: r.Role.String(), Muted: r.Muted, Hand: r.Hand, Proof: proof[:]}
	for _, s := range r.Spoke {
		f.Spoke = append(f.Spoke, spurtFields{s.Ago.Milliseconds(), s.Lasted.Milliseconds()})
	}
	for _, s := range r.Said {
		f.Said = append(f.Said, sayingFields{s.Ago.Milliseconds(), s.Message.Raw})
	}
	for _, s := range r.Reacted {
		f.Reacted = append(f.Reacted, reactedFields{s.Ago.Milliseconds(), s.Emoji})
	}
	return f
}

// sayings are a chat message and a caption of the stranger's.
func (c cast) sayings(room []byte) (chat, caption hexBytes) {
	chat = hexBytes(c.stranger.say(room, message{}.number(1, 5).number(2, 9).part(12, message{}.number(1, 3).text(2, "eko").text(3, "you idiots").number(4, 1_700_000_000_000))))
	caption = hexBytes(c.stranger.say(room, message{}.number(1, 5).number(2, 10).part(16, message{}.number(1, 1).text(3, "go home").flag(4, true))))
	return chat, caption
}

func (c cast) goodReports(t testing.TB, room []byte) (all []accepted[reportFields]) {
	chat, caption := c.sayings(room)
	add := func(name string, f reportFields, body message) {
		f.Reporter, f.Of, f.MadeMS = c.announcer.pub, c.stranger.pub, 1_700_000_000_000
		if body == nil {
			body = f.wire()
		}
		sealed, proof := c.announcer.seal(t, room, c.delegate, c.announcer.reports(room, body))
		f.Proof = proof
		all = append(all, accepted[reportFields]{Name: name, Room: room, Bytes: sealed, Fields: f, ReadOnly: true})
	}
	add("whole", reportFields{Why: "shouts at people", Name: "eko", Role: "speaker", Muted: true, Hand: true,
		Spoke: []spurtFields{{2500, 2500}, {60_000, 3000}}, Said: []sayingFields{{1000, chat}, {0, caption}}, Reacted: []reactedFields{{700, "👎"}}}, nil)
	add("nothing but whom", reportFields{Role: "listener"}, nil)
	f := reportFields{Of: c.stranger.pub, MadeMS: 1_700_000_000_000, Name: "eko"}
	add("fields and a role of a later version", reportFields{Name: "eko", Role: "listener"}, f.wire().number(5, 9).text(15, "later"))
	return all
}

func (c cast) badReports(t testing.TB, room []byte) (all []refused) {
	chat, _ := c.sayings(room)
	good := reportFields{Of: c.stranger.pub, MadeMS: 1, Name: "eko"}
	plain := func(name string, b []byte, err string) {
		sealed, _ := c.announcer.seal(t, room, c.delegate, b)
		all = append(all, refused{Name: name, Room: room, Bytes: sealed, Error: err})
	}
	said := func(name string, err string, change func(*reportFields)) {
		f := good
		change(&f)
		plain(name, c.announcer.reports(room, f.wire()), err)
	}
	raw := func(name string, b []byte, err string) { all = append(all, refused{name, room, b, "", err}) }

	whole, _ := c.announcer.seal(t, room, c.delegate, c.announcer.reports(room, good.wire()))
	other, _ := c.announcer.seal(t, room, c.stranger, c.announcer.reports(room, good.wire()))
	elsewhere, _ := c.announcer.seal(t, make([]byte, 32), c.delegate, c.announcer.reports(room, good.wire()))
	changed := slices.Clone(whole)
	changed[40] ^= 1
	raw("empty", nil, "ErrLarge")
	raw("a key and a tag alone", whole[:48], "ErrLarge")
	raw("4,145 bytes", make([]byte, MaxSealedBytes+1), "ErrLarge")
	raw("for another", other, "ErrMalformed")
	raw("of another room", elsewhere, "ErrMalformed")
	raw("changed on its way", changed, "ErrMalformed")
	raw("encapsulated key of low order", slices.Concat(make([]byte, 32), whole[32:]), "ErrMalformed")

	plain("no report", []byte{0xff}, "ErrMalformed")
	plain("not signed", message{}.bytes(1, c.announcer.pub).bytes(2, good.wire()), "ErrSignature")
	plain("signed for another room", message{}.bytes(1, c.announcer.pub).bytes(2, good.wire()).bytes(3, c.announcer.sign("earshot-report", make([]byte, 32), good.wire())), "ErrSignature")
	plain("signed by another", message{}.bytes(1, c.announcer.pub).bytes(2, good.wire()).bytes(3, c.stranger.sign("earshot-report", room, good.wire())), "ErrSignature")
	plain("reporter of 31 bytes", message{}.bytes(1, c.announcer.pub[:31]).bytes(2, good.wire()), "ErrPeer")
	said("of nobody", "ErrPeer", func(f *reportFields) { f.Of = nil })
	said("reason of two lines", "ErrText", func(f *reportFields) { f.Why = "a\nb" })
	said("reason of 301 bytes", "ErrText", func(f *reportFields) { f.Why = strings.Repeat("x", 301) })
	said("name that turns text around", "ErrName", func(f *reportFields) { f.Name = "a\u202eb" })
	said("spoke more than a minute ago", "ErrMalformed", func(f *reportFields) { f.Spoke = []spurtFields{{60_001, 1}} })
	said("spoke for longer than since", "ErrMalformed", func(f *reportFields) { f.Spoke = []spurtFields{{1000, 1001}} })
	said("33 talkspurts", "ErrLarge", func(f *reportFields) { f.Spoke = slices.Repeat([]spurtFields{{1, 1}}, 33) })
	said("reaction that is no text", "ErrMalformed", func(f *reportFields) { f.Reacted = []reactedFields{{1, "\u202e"}} })
	said("said by another", "ErrMalformed", func(f *reportFields) { f.Of, f.Said = c.founder.pub, []sayingFields{{1, chat}} })
	elsewhereSaid, _ := c.sayings(make([]byte, 32))
	said("said in another room", "ErrSignature", func(f *reportFields) { f.Said = []sayingFields{{1, elsewhereSaid}} })
	said("said, but neither chat nor caption", "ErrMalformed", func(f *reportFields) {
		f.Said = []sayingFields{{1, hexBytes(c.stranger.say(room, message{}.number(1, 5).number(2, 9).part(14, message{}.text(1, "👎"))))}}
	})
	said("said, but never by them", "ErrSignature", func(f *reportFields) {
		body := message{}.number(1, 5).number(2, 9).part(12, message{}.number(1, 3).text(2, "eko").text(3, "an invention"))
		f.Said = []sayingFields{{1, hexBytes(message{}.bytes(1, c.stranger.pub).bytes(2, body).bytes(3, c.announcer.sign("earshot-room-message", room, body)))}}
	})
	return all
}

func TestVectorsReports(t *testing.T) {
	c := people()
	room := c.tea().Room
	v := hold(t, "report.json", vectors[reportFields]{About: "A SealedReport's sealed bytes, for the delegate", Seeds: c.seeds(),
		Accepted: c.goodReports(t, room), Refused: c.badReports(t, room)})
	for _, a := range v.Accepted {
		got, proof, err := OpenReport(RoomID(a.Room), c.delegate.key, a.Bytes)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		same(t, a.Name, told(t, got, proof), a.Fields)
	}
	for _, r := range v.Refused {
		_, _, err := OpenReport(RoomID(r.Room), c.delegate.key, r.Bytes)
		r.is(t, err)
	}
}

// TestMontgomery holds the way by the public key to that by the secret one.
func TestMontgomery(t *testing.T) {
	for n := range byte(200) {
		p := someone(n)
		u, err := montgomery(p.pub)
		if err != nil || !bytes.Equal(u, p.x25519(t).PublicKey().Bytes()) {
			t.Fatalf("%d: %x, %v", n, u, err)
		}
	}
	identity := make([]byte, 32)
	identity[0] = 1
	if _, err := montgomery(identity); err != ErrPeer {
		t.Errorf("the neutral point: %v", err)
	}
	b := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(18)).FillBytes(make([]byte, 32))
	slices.Reverse(b)
	if _, err := montgomery(b); err != ErrPeer { // 1, written as p + 1
		t.Errorf("the neutral point in another form: %v", err)
	}
}
