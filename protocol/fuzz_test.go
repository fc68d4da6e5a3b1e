package protocol

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// seed adds a file's vectors to a fuzz target's corpus.
func seed(f *testing.F, file string, add func(b []byte, text string)) {
	b, err := os.ReadFile(filepath.Join(vectorsDir, file))
	must(f, err)
	var v vectors[json.RawMessage]
	must(f, json.Unmarshal(b, &v))
	for _, a := range v.Accepted {
		add(a.Bytes, a.Text)
	}
	for _, r := range v.Refused {
		add(r.Bytes, r.Text)
	}
}

func FuzzOpenAnnouncement(f *testing.F) {
	seed(f, "announcement.json", func(b []byte, _ string) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		room, announcer, sequence, peeked := PeekAnnouncement(b)
		a, err := OpenAnnouncement(b)
		switch {
		case err == nil && (peeked != nil || room != a.Room || announcer != a.Announcer || sequence != a.Sequence):
			t.Errorf("peek: %v %v %d %v", room, announcer, sequence, peeked)
		case err == nil && len(b) > MaxAnnouncementBytes:
			t.Errorf("%d bytes taken", len(b))
		}
	})
}

// FuzzAnnouncementPayload signs what it is given, to come past the signature.
func FuzzAnnouncementPayload(f *testing.F) {
	c := people()
	seed(f, "announcement.json", func(b []byte, _ string) {
		if _, m, err := parseAnnouncement(b); err == nil {
			f.Add(marshal(f, m))
		}
	})
	f.Fuzz(func(t *testing.T, payload []byte) {
		a, err := OpenAnnouncement(c.founder.announce(payload))
		if err != nil {
			return
		}
		if a.Life <= 0 || a.Life > MaxLife || len(a.Chain) > MaxChain || len(a.Addresses) > MaxAddresses || a.Announcer != c.founder.id {
			t.Errorf("taken: %+v", a)
		}
		b, err := a.Seal(c.founder.key)
		must(t, err)
		again, err := OpenAnnouncement(b)
		must(t, err)
		same(t, "sealed again", announced(t, again), announced(t, a))
	})
}

func FuzzParseMessage(f *testing.F) {
	room := RoomID(people().tea().Room)
	seed(f, "messages.json", func(b []byte, _ string) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		if len(b) > MaxMessageBytes || !bytes.Equal(b, wireMessage(keyOf(t, m.From), m.body, m.signature)) {
			t.Errorf("taken, but not the one form: %x", b)
		}
		_ = m.Verify(room)
	})
}

func keyOf(t testing.TB, p PeerID) []byte {
	t.Helper()
	key, err := PeerKey(p)
	must(t, err)
	return key
}

// FuzzMessageBody signs what it is given, to come past the signature.
func FuzzMessageBody(f *testing.F) {
	c := people()
	room := RoomID(c.tea().Room)
	seed(f, "messages.json", func(b []byte, _ string) {
		var w pb.RoomMessage
		if proto.Unmarshal(b, &w) == nil {
			f.Add(w.Body)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseAndVerify(room, c.founder.say(room[:], body))
		if err != nil {
			return
		}
		if m.Verify(RoomID{1}) == nil {
			t.Error("taken for another room")
		}
		said := words(t, m)
		again := said.message(t)
		if err := again.Seal(room, c.founder.key); err != nil {
			t.Fatalf("%+v: %v", said, err)
		}
		read, err := parseAndVerify(room, again.Raw)
		must(t, err)
		same(t, "sealed again", words(t, read), said)
	})
}

// FuzzOpenGenesis signs what it is given, to come past the signature.
func FuzzOpenGenesis(f *testing.F) {
	c := people()
	seed(f, "genesis.json", func(b []byte, _ string) {
		var s pb.SignedGenesis
		must(f, proto.Unmarshal(b, &s))
		f.Add(s.Genesis)
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := open(signedGenesis(b, c.founder))
		if err != nil {
			return
		}
		if g.Room != hash(b) || g.Founder != c.founder.id {
			t.Errorf("room %v of %v", g.Room, g.Founder)
		}
		if _, err := json.Marshal(g.Created); err != nil {
			t.Error(err)
		}
		was := fieldsOf(g)
		again := was.genesis()
		if err := again.Seal(c.founder.key); err != nil {
			t.Fatalf("%+v: %v", was, err)
		}
		was.Room = again.Room[:]
		same(t, "sealed again", fieldsOf(again), was)
	})
}

// FuzzOpenCertificate signs what it is given, to come past the signature.
func FuzzOpenCertificate(f *testing.F) {
	c := people()
	room := RoomID(c.tea().Room)
	seed(f, "certificate.json", func(b []byte, _ string) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = openCertificate(room, b)
		var w pb.Certificate
		if proto.Unmarshal(b, &w) != nil {
			return
		}
		fields := certificateFields{c.founder.pub, w.Subject, w.Duties, w.LifeS, w.Serial}
		got, err := openCertificate(room, fields.signed(room[:], c.founder))
		if err != nil {
			return
		}
		if got.Life <= 0 || got.Life > MaxCertificate || got.Duties == 0 || got.Duties > Speak|Carry {
			t.Errorf("taken: %+v", got)
		}
		if again, err := OpenCertificate(room, got.Wire()); err != nil || again.Subject != got.Subject || again.Serial != got.Serial {
			t.Errorf("passed on as %+v: %v", again, err)
		}
		if _, err := OpenCertificate(RoomID{1}, got.Wire()); err == nil {
			t.Error("taken for another room")
		}
	})
}

func FuzzParseLink(f *testing.F) {
	seed(f, "links.json", func(_ []byte, text string) { f.Add(text) })
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLink(s)
		if err == nil && len(s) > maxLinkBytes {
			t.Errorf("%d bytes taken", len(s))
		}
		if err == nil {
			heldLink(t, l)
		}
	})
}

// FuzzLinkHints sums what it is given, to come past the checksum.
func FuzzLinkHints(f *testing.F) {
	room := RoomID(people().tea().Room)
	seed(f, "links.json", func(b []byte, _ string) {
		if len(b) > checksumBytes {
			f.Add(b[:len(b)-checksumBytes])
		}
	})
	f.Fuzz(func(t *testing.T, hints []byte) {
		if l, err := ParseLink(linkText(room, hints)); err == nil {
			heldLink(t, l)
		}
	})
}

// heldLink holds a link that was taken to its bounds and to what it writes.
func heldLink(t *testing.T, l Link) {
	t.Helper()
	if len(l.Peers) > MaxHints || len(l.Network) > MaxNetworkBytes {
		t.Errorf("taken: %+v", l)
	}
	s := l.String()
	again, err := ParseLink(s)
	if err != nil || again.String() != s || len(s) > maxLinkBytes {
		t.Errorf("%d bytes, %v: %q", len(s), err, s)
	}
	same(t, "written again", linked(t, again), linked(t, l))
}

func FuzzParseRoomID(f *testing.F) {
	seed(f, "rooms.json", func(_ []byte, text string) { f.Add(text) })
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseRoomID(s); err == nil && id.String() != strings.ToLower(s) {
			t.Errorf("%q taken as %s", s, id)
		}
	})
}

func FuzzParseName(f *testing.F) {
	seed(f, "names.json", func(b []byte, _ string) { f.Add(string(b)) })
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			return
		}
		if n == "" || len(n) > MaxNameBytes || !utf8.ValidString(string(n)) || strings.ContainsAny(string(n), "\n\x1b\u202e\u2066") {
			t.Errorf("%q taken as %q", s, n)
		}
		if again, err := ParseName(string(n)); err != nil || again != n {
			t.Errorf("%q, taken as %q, is %q the second time: %v", s, n, again, err)
		}
	})
}

func FuzzOpenAddress(f *testing.F) {
	seed(f, "addresses.json", func(b []byte, _ string) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		var w pb.Address
		if proto.Unmarshal(b, &w) != nil {
			return
		}
		info, err := OpenAddress(&w)
		if err != nil {
			return
		}
		made, err := WireAddress(info, MaxAddresses)
		must(t, err)
		rest := w.Addresses
		for _, a := range made.Addresses { // some of those read, as they were
			for len(rest) > 0 && !bytes.Equal(rest[0], a) {
				rest = rest[1:]
			}
			if len(rest) == 0 {
				t.Fatalf("%x read as %x", w.Addresses, made.Addresses)
			}
			rest = rest[1:]
		}
		if len(made.Addresses) != len(info.Addrs) {
			t.Errorf("%v taken, %x told", info.Addrs, made.Addresses)
		}
	})
}

func FuzzTakeExtension(f *testing.F) {
	seed(f, "frames.json", func(b []byte, _ string) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again Frame
		if a.TakeExtension(b) != nil {
			return
		}
		var w [FrameExtensionBytes]byte
		a.PutExtension(w[:])
		if err := again.TakeExtension(w[:]); err != nil || again.Counter != a.Counter || again.Marks != a.Marks || !bytes.Equal(w[:2], b[:2]) {
			t.Errorf("%x read as %x: %v", b, w, err)
		}
	})
}

func FuzzParseStage(f *testing.F) {
	f.Add("open")
	f.Add("host")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if stage, err := ParseStage(s); err == nil && s != "" && stage.String() != s {
			t.Errorf("%q taken as %v", s, stage)
		}
	})
}
