package protocol

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

type genesisFields struct {
	Room      hexBytes `json:"room"`
	Founder   hexBytes `json:"founder"`
	Salt      hexBytes `json:"salt"`
	Title     string   `json:"title"`
	Language  string   `json:"language"`
	Topics    []string `json:"topics,omitempty"`
	Stage     Stage    `json:"stage"`
	Unlisted  bool     `json:"unlisted"`
	CreatedMS uint64   `json:"created_ms"`
	Network   string   `json:"network"`
}

// wire gives the genesis that hashes to the room.
func (f genesisFields) wire() message {
	m := message{}.bytes(1, f.Founder).bytes(2, f.Salt).text(3, f.Title).text(4, f.Language)
	for _, t := range f.Topics {
		m = m.part(5, []byte(t))
	}
	return m.number(6, uint64(f.Stage)).flag(7, f.Unlisted).number(8, f.CreatedMS).text(9, f.Network)
}

// signedGenesis is a genesis as it travels.
func signedGenesis(genesis []byte, p *person) message {
	return message{}.bytes(1, genesis).bytes(2, p.sign("earshot-genesis", nil, genesis))
}

func (f genesisFields) genesis() *Genesis {
	return &Genesis{Salt: [16]byte(f.Salt), Title: f.Title, Language: f.Language, Topics: f.Topics, Stage: f.Stage,
		Unlisted: f.Unlisted, Created: time.UnixMilli(int64(f.CreatedMS)), Network: f.Network}
}

func fieldsOf(g *Genesis) genesisFields {
	key, _ := PeerKey(g.Founder)
	return genesisFields{g.Room[:], key, g.Salt[:], g.Title, g.Language, g.Topics, g.Stage, g.Unlisted, uint64(g.Created.UnixMilli()), g.Network}
}

// tea is the room of most vectors.
func (c cast) tea() genesisFields {
	f := genesisFields{Founder: c.founder.pub, Salt: bytes.Repeat([]byte{0x5a}, 16), Title: "Why the sky is dark", Language: "en",
		Topics: []string{"stars", "night"}, Stage: StageOpen, CreatedMS: 1_700_000_000_000}
	room := hash(f.wire())
	f.Room = room[:]
	return f
}

// largest fills every field.
func (c cast) largest() genesisFields {
	f := genesisFields{Founder: c.founder.pub, Salt: bytes.Repeat([]byte{0xff}, 16), Title: strings.Repeat("星", 40),
		Language: "zh-Hant-CN-x", Topics: []string{strings.Repeat("a", 20), strings.Repeat("b", 20), strings.Repeat("c", 20)},
		Stage: StageOpen, CreatedMS: maxCreatedMS, Network: strings.Repeat("n", 20)}
	room := hash(f.wire())
	f.Room = room[:]
	return f
}

func (c cast) goodGeneses() (all []accepted[genesisFields]) {
	add := func(name string, f genesisFields, b []byte, readOnly bool) {
		room := hash(b)
		f.Room = room[:]
		all = append(all, accepted[genesisFields]{Name: name, Bytes: hexBytes(signedGenesis(b, c.founder)), Fields: f, ReadOnly: readOnly})
	}
	tea := c.tea()
	add("a room", tea, tea.wire(), false)
	add("the least", genesisFields{Founder: tea.Founder, Salt: make([]byte, 16), Title: "x"},
		message{}.bytes(1, tea.Founder).part(2, make([]byte, 16)).text(3, "x"), false)
	add("the largest", c.largest(), c.largest().wire(), false)
	unlisted := tea
	unlisted.Unlisted, unlisted.Stage = true, StageHost
	add("unlisted, host's stage", unlisted, unlisted.wire(), false)

	add("320 bytes: another room", tea, tea.wire().bytes(15, make([]byte, MaxGenesisBytes-len(tea.wire())-3)), true)
	add("field of a later version: another room", tea, tea.wire().text(15, "later"), true)
	add("number longer than it needs: another room", tea, append(tea.wire(), 0x38, 0x80, 0x00), true)
	add("field twice, the last counts: another room", tea, append(message{}.text(3, "Before"), tea.wire()...), true)
	late := tea
	late.CreatedMS = maxCreatedMS
	add("created later than dates go", late, message{}.bytes(1, tea.Founder).bytes(2, tea.Salt).text(3, tea.Title).text(4, tea.Language).
		text(5, "stars").text(5, "night").number(6, 1).number(8, 1<<64-1), true)
	return all
}

func (c cast) badGeneses() (all []refused) {
	tea := c.tea()
	add := func(name string, b []byte, err string) {
		all = append(all, refused{Name: name, Bytes: hexBytes(signedGenesis(b, c.founder)), Error: err})
	}
	with := func(change func(f *genesisFields)) []byte {
		f := c.tea()
		change(&f)
		return f.wire()
	}
	titled := func(s string) []byte { return with(func(f *genesisFields) { f.Title = s }) }
	add("empty", nil, "ErrLarge")
	add("321 bytes", tea.wire().bytes(15, make([]byte, 321-len(tea.wire())-3)), "ErrLarge")
	add("cut short", tea.wire()[:80], "ErrMalformed")
	add("salt of 15 bytes", with(func(f *genesisFields) { f.Salt = f.Salt[:15] }), "ErrMalformed")
	add("stage of a later version", with(func(f *genesisFields) { f.Stage = 2 }), "ErrLater")
	add("founder of 31 bytes", with(func(f *genesisFields) { f.Founder = f.Founder[:31] }), "ErrPeer")
	add("no title", titled(""), "ErrText")
	add("title of 121 bytes", titled(strings.Repeat("x", 121)), "ErrText")
	add("title not UTF-8", titled("a\xff"), "ErrMalformed")
	add("title not in NFC", titled("e\u0301lan"), "ErrText")
	add("title with a space before it", titled(" a"), "ErrText")
	add("title turned around (bidi override)", titled("a\u202eb"), "ErrText")
	add("title that can't be seen", titled("\u200d"), "ErrText")
	add("language of 13 bytes", with(func(f *genesisFields) { f.Language = "en-GB-oxendic" }), "ErrText")
	add("network of 21 bytes", with(func(f *genesisFields) { f.Network = strings.Repeat("n", 21) }), "ErrText")
	add("4 topics", with(func(f *genesisFields) { f.Topics = []string{"a", "b", "c", "d"} }), "ErrText")
	add("empty topic", with(func(f *genesisFields) { f.Topics = []string{""} }), "ErrText")
	add("topic of 21 bytes", with(func(f *genesisFields) { f.Topics = []string{strings.Repeat("t", 21)} }), "ErrText")

	signature := c.founder.sign("earshot-genesis", nil, tea.wire())
	for _, s := range []struct {
		name      string
		signature []byte
	}{
		{"not signed", nil},
		{"signed by another", c.stranger.sign("earshot-genesis", nil, tea.wire())},
		{"signed as a room message", c.founder.sign("earshot-room-message", nil, tea.wire())},
		{"signature one byte short", signature[:63]},
		{"signature and a byte", append(bytes.Clone(signature), 0)},
		{"signature whose S is not reduced", plusOrder(signature)},
	} {
		all = append(all, refused{Name: s.name, Bytes: hexBytes(message{}.bytes(1, tea.wire()).bytes(2, s.signature)), Error: "ErrSignature"})
	}
	return all
}

func TestVectorsGenesis(t *testing.T) {
	c := people()
	v := hold(t, "genesis.json", vectors[genesisFields]{About: "A SignedGenesis (bytes); room is the SHA-256 of the Genesis in it",
		Seeds: c.seeds(), Accepted: c.goodGeneses(), Refused: c.badGeneses()})
	for _, a := range v.Accepted {
		g, err := open(a.Bytes)
		if err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		same(t, a.Name, fieldsOf(g), a.Fields)
		made := a.Fields.genesis()
		must(t, made.Seal(c.founder.key))
		a.sameBytes(t, marshal(t, made.Signed()))
		if !bytes.Equal(marshal(t, g.Signed()), a.Bytes) {
			t.Errorf("%s is passed on as something else", a.Name)
		}
	}
	for _, r := range v.Refused {
		_, err := open(r.Bytes)
		r.is(t, err)
	}
}

func open(b []byte) (*Genesis, error) {
	var s pb.SignedGenesis
	if proto.Unmarshal(b, &s) != nil {
		return nil, ErrMalformed
	}
	return OpenGenesis(&s)
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	must(t, err)
	return b
}
