package protocol

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

type peerFields struct {
	Key  hexBytes `json:"key"`
	Text string   `json:"text"`
}

func TestVectorsPeers(t *testing.T) {
	c := people()
	v := vectors[peerFields]{About: "A peer's ID (bytes) and its text, and the Ed25519 key of the seed; refused are keys", Seeds: c.seeds()}
	for _, p := range []struct {
		name string
		*person
		text string
	}{
		{"founder", c.founder, "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"},
		{"delegate", c.delegate, "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"},
		{"announcer", c.announcer, "12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba"},
		{"stranger", c.stranger, "12D3KooWPT98FXMfDQYavZm66EeVjTqP9Nnehn1gyaydqV8L8BQw"},
	} {
		id := append([]byte{0, 36, 8, 1, 18, 32}, p.pub...) // identity multihash of libp2p's public key
		v.Accepted = append(v.Accepted, accepted[peerFields]{Name: p.name, Bytes: id, Fields: peerFields{p.pub, p.text}})
	}
	v.Refused = []refused{
		{Name: "no key", Error: "ErrPeer"},
		{Name: "31 bytes", Bytes: c.founder.pub[:31], Error: "ErrPeer"},
		{Name: "33 bytes", Bytes: append(bytes.Clone(c.founder.pub), 0), Error: "ErrPeer"},
	}
	v = hold(t, "peers.json", v)
	for _, a := range v.Accepted {
		p, err := PeerOf(a.Fields.Key)
		must(t, err)
		a.sameBytes(t, []byte(p))
		same(t, a.Name, p.String(), a.Fields.Text)
		key, err := PeerKey(peer.ID(a.Bytes))
		must(t, err)
		same(t, a.Name, hexBytes(key), a.Fields.Key)
	}
	for _, r := range v.Refused {
		_, err := PeerOf(r.Bytes)
		r.is(t, err)
	}
}

type roomFields struct {
	Letters string `json:"letters"`
}

func TestVectorsRooms(t *testing.T) {
	counting := make([]byte, 32)
	for i := range counting {
		counting[i] = byte(i)
	}
	letters := "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"
	v := vectors[roomFields]{About: "A room's ID (bytes) in letters; letters are read in either case, written in lower"}
	v.Accepted = []accepted[roomFields]{
		{Name: "zeros", Bytes: make([]byte, 32), Text: strings.Repeat("a", 52), Fields: roomFields{strings.Repeat("a", 52)}},
		{Name: "counting", Bytes: counting, Text: letters, Fields: roomFields{letters}},
		{Name: "shouted", Bytes: counting, Text: strings.ToUpper(letters), Fields: roomFields{letters}},
	}
	v.Refused = []refused{
		{Name: "nothing", Text: "", Error: "ErrRoomID"},
		{Name: "51 letters", Text: letters[:51], Error: "ErrRoomID"},
		{Name: "53 letters", Text: letters + "a", Error: "ErrRoomID"},
		{Name: "a 1", Text: "1" + letters[1:], Error: "ErrRoomID"},
		{Name: "padding", Text: letters[:51] + "=", Error: "ErrRoomID"},
		{Name: "last bits set", Text: letters[:51] + "r", Error: "ErrRoomID"},
		{Name: "line break inside", Text: letters[:26] + "\n" + letters[27:], Error: "ErrRoomID"},
		{Name: "52 bytes but 50 letters: a Kelvin sign", Text: strings.Repeat("a", 48) + "\u212aa", Error: "ErrRoomID"},
	}
	v = hold(t, "rooms.json", v)
	for _, a := range v.Accepted {
		id, err := ParseRoomID(a.Text)
		must(t, err)
		same(t, a.Name, hexBytes(id[:]), a.Bytes)
		same(t, a.Name, id.String(), a.Fields.Letters)
	}
	for _, r := range v.Refused {
		_, err := ParseRoomID(r.Text)
		r.is(t, err)
	}
}

type nameFields struct {
	Name string `json:"name"`
}

func TestVectorsNames(t *testing.T) {
	v := vectors[nameFields]{About: "What a person types as a name (bytes) and the name that travels; bytes that don't equal their name are refused on the wire"}
	for _, n := range []struct{ name, typed, taken string }{
		{"plain", "ana", "ana"},
		{"spaces around and inside", " \tAna María\u3000", "Ana María"},
		{"composed", "e\u0301lan", "élan"},
		{"letters that NFC takes for others", "\u212bngstro\u0308m", "Ångström"},
		{"48 bytes", strings.Repeat("x", 48), strings.Repeat("x", 48)},
		{"48 bytes once composed", strings.Repeat("e\u0301", 24), strings.Repeat("é", 24)},
		{"joined emoji", "👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
		{"non-joiner", "نمی\u200cدانم", "نمی\u200cدانم"},
		{"variation selector", "♥\ufe0f", "♥\ufe0f"},
		{"emoji of Unicode 16", "\U0001FAE9", "\U0001FAE9"},
	} {
		v.Accepted = append(v.Accepted, accepted[nameFields]{Name: n.name, Bytes: hexBytes(n.typed), Fields: nameFields{n.taken}})
	}
	for _, n := range []struct{ name, typed string }{
		{"nothing", ""}, {"only spaces", " \u3000 "}, {"49 bytes", strings.Repeat("x", 49)},
		{"not UTF-8", "\xff"}, {"half a surrogate pair", "a\xed\xa0\x80"}, {"zero byte", "a\x00"}, {"line break", "a\nb"},
		{"escape sequence", "a\x1b[2J"}, {"line separator", "a\u2028b"}, {"other space inside", "a\u00a0b"},
		{"turned around (bidi override)", "a\u202eb"}, {"bidi isolate", "a\u2066b"}, {"right-to-left mark", "a\u200fb"},
		{"zero-width space", "a\u200bb"}, {"byte order mark", "a\ufeffb"}, {"soft hyphen", "a\u00adb"}, {"tag letters", "a\U000E0061"},
		{"private use", "a\ue000"}, {"noncharacter", "a\uffff"}, {"Hangul filler", "\u3164"}, {"only a joiner", "\u200d"},
		{"only a Braille blank", "\u2800"}, {"begins with a mark", "\u0301a"},
	} {
		v.Refused = append(v.Refused, refused{Name: n.name, Bytes: hexBytes(n.typed), Error: "ErrName"})
	}
	v = hold(t, "names.json", v)
	for _, a := range v.Accepted {
		n, err := ParseName(string(a.Bytes))
		must(t, err)
		same(t, a.Name, n, a.Fields.Name)
	}
	for _, r := range v.Refused {
		_, err := ParseName(string(r.Bytes))
		r.is(t, err)
	}
}

type sourceFields struct {
	Peer    hexBytes `json:"peer"`
	Session hexBytes `json:"session"`
	Source  Source   `json:"source"`
}

func TestVectorsSources(t *testing.T) {
	c := people()
	v := vectors[sourceFields]{About: "The number of a source: bytes is the SHA-256 of which it is the beginning"}
	for _, s := range []struct {
		name string
		room byte
		*person
		session byte
	}{
		{"one", 7, c.founder, 9},
		{"another session", 7, c.founder, 10},
		{"another room", 8, c.founder, 9},
		{"another peer", 7, c.delegate, 9},
	} {
		room, session := bytes.Repeat([]byte{s.room}, 32), bytes.Repeat([]byte{s.session}, 16)
		sum := hash(bytes.Join([][]byte{[]byte("earshot-source"), room, {0, 36, 8, 1, 18, 32}, s.pub, session}, nil))
		number := Source(sum[0])<<24 | Source(sum[1])<<16 | Source(sum[2])<<8 | Source(sum[3])
		v.Accepted = append(v.Accepted, accepted[sourceFields]{Name: s.name, Room: room, Bytes: sum[:],
			Fields: sourceFields{s.pub, session, number}})
	}
	v = hold(t, "sources.json", v)
	for _, a := range v.Accepted {
		p, err := PeerOf(a.Fields.Peer)
		must(t, err)
		same(t, a.Name, SourceOf(RoomID(a.Room), p, Session(a.Fields.Session)), a.Fields.Source)
	}
}

type rankFields struct {
	Term uint64   `json:"term"`
	Peer hexBytes `json:"peer"`
}

func TestVectorsRanks(t *testing.T) {
	c := people()
	room := RoomID(bytes.Repeat([]byte{7}, 32))
	v := vectors[rankFields]{About: "The hash that breaks ties between claims of one term, lowest key first"}
	for _, k := range []struct {
		name string
		term uint64
		*person
	}{
		{"founder in term 1", 1, c.founder}, {"delegate in term 1", 1, c.delegate}, {"announcer in term 1", 1, c.announcer},
		{"founder in term 258", 258, c.founder}, {"delegate in term 258", 258, c.delegate}, {"announcer in term 258", 258, c.announcer},
		{"founder in the last term", 1<<63 - 1, c.founder},
	} {
		term := make([]byte, 8)
		for i := range term {
			term[i] = byte(k.term >> (56 - 8*i))
		}
		sum := hash(bytes.Join([][]byte{[]byte("earshot-rank"), room[:], term, {0, 36, 8, 1, 18, 32}, k.pub}, nil))
		v.Accepted = append(v.Accepted, accepted[rankFields]{Name: k.name, Room: room[:], Bytes: sum[:], Fields: rankFields{k.term, k.pub}})
	}
	slices.SortFunc(v.Accepted, func(a, b accepted[rankFields]) int {
		return cmp.Or(cmp.Compare(a.Fields.Term, b.Fields.Term), bytes.Compare(a.Bytes, b.Bytes))
	})
	v = hold(t, "ranks.json", v)
	var last Key
	for _, a := range v.Accepted {
		p, err := PeerOf(a.Fields.Peer)
		must(t, err)
		sum := Rank(RoomID(a.Room), a.Fields.Term, p)
		a.sameBytes(t, sum[:])
		k := Key{a.Fields.Term, p}
		if k.Compare(last, room) != 1 || last.Compare(k, room) != -1 {
			t.Errorf("%s is not above the one before it", a.Name)
		}
		last = k
	}
}
