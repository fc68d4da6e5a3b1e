package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

type actionFields struct {
	Actor    hexBytes   `json:"actor"`
	Sequence uint32     `json:"sequence"`
	Parents  []hexBytes `json:"parents,omitempty"`
	AtMS     uint64     `json:"at_ms"`
	Deed     string     `json:"deed"` // the name of its field, "" if unknown
	Body     hexBytes   `json:"body"` // the deed as field of the Action
	Hash     hexBytes   `json:"hash"`
}

func (f actionFields) wire() message {
	m := message{}.bytes(1, f.Actor).number(2, uint64(f.Sequence))
	for _, p := range f.Parents {
		m = m.part(3, p)
	}
	return append(m.number(4, f.AtMS), f.Body...)
}

func signedAction(body, signature []byte) []byte { return message{}.bytes(1, body).bytes(2, signature) }

func (f actionFields) signed(room []byte, p *person) []byte {
	return signedAction(f.wire(), p.sign("earshot-action", room, f.wire()))
}

// present is a number of a oneof: zero is written too.
func present(field int, v uint64) message {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field)<<3), v)
}

// deeds is each kind of deed, by the name of its field, with its bytes.
func (c cast) deeds() []struct {
	name, field string
	deed        Deed
	body        message
} {
	d, a := c.delegate, c.announcer
	return []struct {
		name, field string
		deed        Deed
		body        message
	}{
		{"appoint a moderator", "grant", Grant{d.id, RoleModerator, 64}, message{}.part(5, message{}.bytes(1, d.pub).number(2, 3).number(3, 64))},
		{"let somebody speak", "grant", Grant{a.id, RoleSpeaker, 0}, message{}.part(5, message{}.bytes(1, a.pub).number(2, 2))},
		{"let somebody carry", "grant", Grant{a.id, RoleCarrier, 0}, message{}.part(5, message{}.bytes(1, a.pub).number(2, 1))},
		{"take the word", "revoke", Revoke{a.id, RoleSpeaker}, message{}.part(6, message{}.bytes(1, a.pub).number(2, 2))},
		{"remove", "remove", Remove{a.id}, message{}.part(7, message{}.bytes(1, a.pub))},
		{"ban", "ban", Ban{a.id, 0}, message{}.part(8, message{}.bytes(1, a.pub))},
		{"ban for an hour", "ban", Ban{a.id, time.Hour}, message{}.part(8, message{}.bytes(1, a.pub).number(2, 3600))},
		{"unban", "unban", Unban{a.id}, message{}.part(9, message{}.bytes(1, a.pub))},
		{"mute", "mute", Mute{a.id, true}, message{}.part(10, message{}.bytes(1, a.pub).number(2, 1))},
		{"mute all", "mute", Mute{}, message{}.part(10, nil)},
		{"unmute", "unmute", Unmute{a.id}, message{}.part(11, message{}.bytes(1, a.pub))},
		{"unmute all", "unmute", Unmute{}, message{}.part(11, nil)},
		{"lock", "lock", Lock(true), present(12, 1)},
		{"unlock", "lock", Lock(false), present(12, 0)},
		{"pause", "pause", Pause(true), present(13, 1)},
		{"close", "close", Close(true), present(14, 1)},
		{"title", "title", Title("Why the night is dark"), message{}.text(15, "Why the night is dark")},
		{"topics", "topics", Topics{"stars", "night"}, message{}.part(16, message{}.text(1, "stars").text(1, "night"))},
		{"language", "language", Language("vi"), message{}.part(17, []byte("vi"))},
		{"stage for moderators alone", "stage", StageModerators, present(18, 2)},
		{"stage for those let on", "stage", StageHost, present(18, 0)},
		{"pin", "pin", Pin("https://example.org/"), message{}.part(19, []byte("https://example.org/"))},
		{"pin nothing", "pin", Pin(""), message{}.part(19, nil)},
		{"next time", "next_ms", Next{time.UnixMilli(1_700_000_000_000)}, message{}.number(20, 1_700_000_000_000)},
	}
}

// parent gives the hash of no action that is in the vectors.
func parent(n byte) hexBytes { return bytes.Repeat([]byte{n}, 32) }

func (c cast) badActions(room []byte) (all []refused) {
	good := actionFields{Actor: c.founder.pub, Sequence: 2, Parents: []hexBytes{parent(1), parent(2)}, AtMS: 1_700_000_000_000, Body: hexBytes(present(12, 1))}
	signature := c.founder.sign("earshot-action", room, good.wire())
	with := func(change func(f *actionFields)) []byte {
		f := good
		change(&f)
		return f.signed(room, c.founder)
	}
	deed := func(m message) []byte { return with(func(f *actionFields) { f.Body = hexBytes(m) }) }
	peer := message{}.bytes(1, c.delegate.pub)
	for _, r := range []struct {
		name string
		b    []byte
		err  string
	}{
		{"empty", nil, "ErrLarge"},
		{"too large", with(func(f *actionFields) { f.Body = append(f.Body, message{}.part(99, make([]byte, 400))...) }), "ErrLarge"},
		{"cut short", signedAction(good.wire()[:50], signature), "ErrMalformed"},
		{"sequence 0", with(func(f *actionFields) { f.Sequence = 0 }), "ErrMalformed"},
		{"sequence beyond the log", with(func(f *actionFields) { f.Sequence = 4097 }), "ErrMalformed"},
		{"five parents", with(func(f *actionFields) { f.Parents = []hexBytes{parent(1), parent(2), parent(3), parent(4), parent(5)} }), "ErrMalformed"},
		{"parents out of order", with(func(f *actionFields) { f.Parents = []hexBytes{parent(2), parent(1)} }), "ErrMalformed"},
		{"a parent twice", with(func(f *actionFields) { f.Parents = []hexBytes{parent(1), parent(1)} }), "ErrMalformed"},
		{"parent of 31 bytes", with(func(f *actionFields) { f.Parents = []hexBytes{parent(1)[:31]} }), "ErrMalformed"},
		{"no actor", with(func(f *actionFields) { f.Actor = nil }), "ErrPeer"},
		{"grant to nobody", deed(message{}.part(5, message{}.number(2, 2))), "ErrPeer"},
		{"grant of nothing", deed(message{}.part(5, peer)), "ErrMalformed"},
		{"grant of the host's place", deed(message{}.part(5, peer.number(2, 4))), "ErrMalformed"},
		{"moderator without a share", deed(message{}.part(5, peer.number(2, 3))), "ErrMalformed"},
		{"speaker with a share", deed(message{}.part(5, peer.number(2, 2).number(3, 1))), "ErrMalformed"},
		{"more than all shares", deed(message{}.part(5, peer.number(2, 3).number(3, 3073))), "ErrMalformed"},
		{"revoke of nothing", deed(message{}.part(6, peer)), "ErrMalformed"},
		{"ban of everybody", deed(message{}.part(8, nil)), "ErrPeer"},
		{"ban beyond a year", deed(message{}.part(8, peer.number(2, 366*24*3600+1))), "ErrMalformed"},
		{"no title", deed(message{}.part(15, nil)), "ErrText"},
		{"title turned", deed(message{}.text(15, "a\u202eb")), "ErrText"},
		{"title too long", deed(message{}.text(15, strings.Repeat("x", 121))), "ErrText"},
		{"four topics", deed(message{}.part(16, message{}.text(1, "a").text(1, "b").text(1, "c").text(1, "d"))), "ErrText"},
		{"a topic without a word", deed(message{}.part(16, message{}.part(1, nil))), "ErrText"},
		{"language too long", deed(message{}.part(17, bytes.Repeat([]byte("x"), 13))), "ErrText"},
		{"no such stage", deed(present(18, 3)), "ErrMalformed"},
		{"pin too long", deed(message{}.part(19, bytes.Repeat([]byte("x"), 201))), "ErrText"},
		{"next time beyond what is a date", deed(message{}.number(20, 1<<47)), "ErrMalformed"},
		{"not signed", signedAction(good.wire(), nil), "ErrSignature"},
		{"signed by another", good.signed(room, c.delegate), "ErrSignature"},
		{"for another room", good.signed(make([]byte, 32), c.founder), "ErrSignature"},
		{"signed as a room message", signedAction(good.wire(), c.founder.sign("earshot-room-message", room, good.wire())), "ErrSignature"},
		{"signature whose S is not reduced", signedAction(good.wire(), plusOrder(signature)), "ErrSignature"},
	} {
		all = append(all, refused{Name: r.name, Room: room, Bytes: r.b, Error: r.err})
	}
	return all
}

func openAction(room RoomID, b []byte) (*Action, error) {
	var s pb.SignedAction
	if proto.Unmarshal(b, &s) != nil {
		return nil, ErrMalformed
	}
	a, err := ParseAction(room, &s)
	if err != nil {
		return nil, err
	}
	return a, a.Verify()
}

func TestVectorsAction(t *testing.T) {
	c := people()
	room := c.tea().Room
	v := vectors[actionFields]{About: "A SignedAction (bytes) of a room", Seeds: c.seeds(), Refused: c.badActions(room)}
	add := func(name, field string, body message, parents ...hexBytes) {
		f := actionFields{Actor: c.founder.pub, Sequence: uint32(1 + len(parents)), Parents: parents, AtMS: 1_700_000_000_000, Deed: field, Body: hexBytes(body)}
		sum := sha256.Sum256(bytes.Join([][]byte{[]byte("earshot-action"), {0}, room, f.wire()}, nil))
		f.Hash = sum[:]
		v.Accepted = append(v.Accepted, accepted[actionFields]{Name: name, Room: room, Bytes: f.signed(room, c.founder), Fields: f})
	}
	deeds := map[string]Deed{}
	for i, d := range c.deeds() {
		deeds[d.name] = d.deed
		add(d.name, d.field, d.body, []hexBytes{parent(1), parent(2), parent(3), parent(4)}[:i%5]...)
	}
	add("deed of a later version", "", message{}.part(99, []byte("later")))
	v.Accepted[len(v.Accepted)-1].ReadOnly = true

	v = hold(t, "action.json", v)
	for _, a := range v.Accepted {
		got, err := openAction(RoomID(a.Room), a.Bytes)
		if err != nil {
			t.Fatalf("%s: %v", a.Name, err)
		}
		same(t, a.Name, hexBytes(got.Hash[:]), a.Fields.Hash)
		same(t, a.Name, got.Deed, deeds[a.Name])
		if a.ReadOnly {
			continue
		}
		made := Action{Room: got.Room, Sequence: a.Fields.Sequence, Parents: got.Parents, At: time.UnixMilli(int64(a.Fields.AtMS)), Deed: deeds[a.Name]}
		must(t, made.Seal(c.founder.key))
		a.sameBytes(t, marshal(t, made.Signed()))
		same(t, a.Name, made.Hash, got.Hash)
	}
	for _, r := range v.Refused {
		_, err := openAction(RoomID(r.Room), r.Bytes)
		r.is(t, err)
	}
}

// TestLargestActionFits: whatever may be said fits beside four parents.
func TestLargestActionFits(t *testing.T) {
	c := people()
	a := Action{Room: RoomID(c.tea().Room), Sequence: MaxActions, At: time.UnixMilli(maxCreatedMS), Deed: Pin(strings.Repeat("x", MaxPinBytes))}
	for n := byte(1); n <= MaxParents; n++ {
		a.Parents = append(a.Parents, ActionHash(parent(n)))
	}
	must(t, a.Seal(c.founder.key))
	if size := len(marshal(t, a.Signed())); size > MaxActionBytes {
		t.Errorf("%d bytes", size)
	}
}

// FuzzActionBody signs what it is given, to come past the signature: what is
// taken is taken again when it is sealed again.
func FuzzActionBody(f *testing.F) {
	c := people()
	room := RoomID(c.tea().Room)
	seed(f, "action.json", func(b []byte, _ string) {
		var s pb.SignedAction
		if proto.Unmarshal(b, &s) == nil {
			f.Add(s.Action)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := ParseAction(room, &pb.SignedAction{Action: body, Signature: c.founder.sign("earshot-action", room[:], body)})
		if err != nil {
			return
		}
		if a.Sequence == 0 || len(a.Parents) > MaxParents || len(body) > MaxActionBytes {
			t.Errorf("taken: %+v", a)
		}
		if a.Deed == nil {
			return
		}
		again := Action{Room: room, Sequence: a.Sequence, Parents: slices.Clone(a.Parents), At: a.At, Deed: a.Deed}
		must(t, again.Seal(c.founder.key))
		read, err := openAction(room, marshal(t, again.Signed()))
		must(t, err)
		same(t, "sealed again", read.Deed, a.Deed)
	})
}
