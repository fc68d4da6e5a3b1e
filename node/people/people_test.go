package people

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/protocol"
)

// shelf keeps notes in memory, as long as it has no fault.
type shelf struct {
	notes map[protocol.PeerID][]byte
	fault error
}

func (s *shelf) SaveNote(p protocol.PeerID, note []byte) error {
	if s.fault == nil {
		s.notes[p] = note
		if note == nil {
			delete(s.notes, p)
		}
	}
	return s.fault
}

func (s *shelf) Notes() (map[protocol.PeerID][]byte, error) { return s.notes, s.fault }

func someone(t testing.TB) protocol.PeerID {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open gives a book whose time is in the variable returned with it.
func open(t testing.TB, s *shelf) (*Book, *time.Time) {
	t.Helper()
	now := time.UnixMilli(1_800_000_000_000)
	b, err := Open(s, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return b, &now
}

func change(t testing.TB, b *Book, p protocol.PeerID, alter func(*Note)) {
	t.Helper()
	if _, err := b.Change(p, alter); err != nil {
		t.Fatal(err)
	}
}

func TestBlocksEnd(t *testing.T) {
	s := &shelf{notes: map[protocol.PeerID][]byte{}}
	b, now := open(t, s)
	forGood, forAnHour, nobody := someone(t), someone(t), someone(t)
	change(t, b, forGood, func(n *Note) { n.Blocked = true })
	change(t, b, forAnHour, func(n *Note) { n.Blocked, n.Until = true, now.Add(time.Hour) })
	if !b.Blocked(forGood) || !b.Blocked(forAnHour) || b.Blocked(nobody) || len(b.Notes()) != 2 {
		t.Errorf("%+v", b.Notes())
	}
	*now = now.Add(time.Hour)
	if !b.Blocked(forGood) || b.Blocked(forAnHour) || b.Of(forAnHour).Blocked || len(b.Notes()) != 1 {
		t.Errorf("after an hour: %+v", b.Notes())
	}
	change(t, b, forGood, func(n *Note) { n.Blocked = false })
	if b.Blocked(forGood) || len(s.notes) != 1 {
		t.Errorf("of a note that says nothing the shelf keeps %d", len(s.notes))
	}
}

func TestBookSurvives(t *testing.T) {
	s := &shelf{notes: map[protocol.PeerID][]byte{}}
	b, now := open(t, s)
	p, malformed := someone(t), someone(t)
	want := Note{Peer: p, Petname: "Citra", Followed: true, Blocked: true, Until: now.Add(time.Minute)}
	change(t, b, p, func(n *Note) { *n = want })
	s.notes[malformed] = []byte(`{"petname":"\u202eevil"}`)
	again, _ := open(t, s)
	got := again.Of(p)
	if !got.Until.Equal(want.Until) {
		t.Error(got.Until)
	}
	if got.Until = want.Until; got != want || len(again.Notes()) != 1 {
		t.Errorf("%+v", again.Notes())
	}
	if found := again.Called("citra"); !slices.Equal(found, []protocol.PeerID{p}) {
		t.Error(found)
	}
}

// What can't be kept is not believed to be.
func TestFaultOfTheShelf(t *testing.T) {
	s := &shelf{notes: map[protocol.PeerID][]byte{}}
	b, _ := open(t, s)
	s.fault = errors.New("the disk is full")
	p := someone(t)
	if _, err := b.Change(p, func(n *Note) { n.Blocked = true }); !errors.Is(err, s.fault) || b.Blocked(p) || b.Edition() != 0 {
		t.Error(err, b.Of(p))
	}
}

func TestBookIsBounded(t *testing.T) {
	s := &shelf{notes: map[protocol.PeerID][]byte{}}
	for i := range MaxNotes {
		s.notes[protocol.PeerID(fmt.Sprint(i))] = []byte(`{"followed":true}`)
	}
	b, _ := open(t, s)
	if _, err := b.Change(someone(t), func(n *Note) { n.Followed = true }); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	change(t, b, "7", func(n *Note) { n.Followed = false })
	change(t, b, someone(t), func(n *Note) { n.Followed = true })
}

func TestSkeleton(t *testing.T) {
	for _, same := range [][]protocol.Name{
		{"Budi", "budi", "BUDI", "Вudi", "bud1", "budı", "b\u0324udi\u0331", "Bu di", "ｂｕｄｉ", "bu-di", "𝐛𝐮𝐝𝐢"},
		{"Carol", "Сarol", "cаrol", "car0l", "Caro1"},
		{"Milo", "rnilo", "Mɩlo"},
		{"小明", "小 明"},
		{"Sari", "Ꮪari", "ꓢari", "ѕаri", "𝕊ari", "ꜱᴀʀɪ"},
		{"Thom", "тhoм", "Τhom", "Thorn"},
		{"ニコ", "二コ"},
	} {
		for _, n := range same {
			if Skeleton(n) != Skeleton(same[0]) {
				t.Errorf("%q looks as %q, %q as %q", same[0], Skeleton(same[0]), n, Skeleton(n))
			}
		}
	}
	for _, differ := range [][2]protocol.Name{{"Budi", "Budiman"}, {"ana", "eva"}, {"小明", "小红"}, {"quiet-heron", "quiet-finch"},
		{"Hùng", "Hưng"}, {"Lan", "Lân"}, {"राम", "रमा"}, {"มานี", "มาน"}} {
		if Skeleton(differ[0]) == Skeleton(differ[1]) {
			t.Errorf("%q and %q look alike: %q", differ[0], differ[1], Skeleton(differ[0]))
		}
	}
}

// What UTS #39 says is looked up, so it has to stand in order; and there is none for
// what a name can't hold.
func TestConfusables(t *testing.T) {
	for i, c := range confusables {
		if i > 0 && confusables[i-1].from >= c.from {
			t.Errorf("%U stands after %U", c.from, confusables[i-1].from)
		}
		if _, err := protocol.ParseName("x" + string(c.from)); err != nil || prototype(c.from) != c.to {
			t.Errorf("%U: %v, looks as %q, not %q", c.from, err, prototype(c.from), c.to)
		}
	}
	if prototype('а') != "a" || prototype('a') != "" {
		t.Errorf("%q, %q", prototype('а'), prototype('a'))
	}
}

func TestAlike(t *testing.T) {
	got := Alike([]Named{{"a", "Budi"}, {"b", "Вudi"}, {"c", "Citra"}, {"a", "Вudi"}, {"d", "…"}, {"e", "—"}})
	if len(got) != 2 || !slices.Equal(got["a"], []protocol.PeerID{"b"}) || !slices.Equal(got["b"], []protocol.PeerID{"a"}) {
		t.Errorf("%v", got)
	}
}

func FuzzSkeleton(f *testing.F) {
	for _, s := range []string{"Budi", "\u202eidub", "ｂｕｄｉ", "\xff", "vvv", "rnrn"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := protocol.ParseName(s)
		if err != nil {
			return
		}
		if len(Skeleton(name)) > 20*protocol.MaxNameBytes {
			t.Errorf("a name of %d bytes looks as %d", len(name), len(Skeleton(name)))
		}
	})
}

func FuzzNote(f *testing.F) {
	for _, s := range []string{`{}`, `{"petname":"Citra","followed":true}`, `{"blocked":true,"until":"2026-01-02T03:04:05Z"}`, `[]`, `{"petname":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := parse(raw)
		if err != nil || n.Petname == "" {
			return
		}
		if _, err := protocol.ParseName(string(n.Petname)); err != nil {
			t.Errorf("%q is taken for a name", n.Petname)
		}
	})
}

// BenchmarkSkeleton is what a view of a room costs for each name in it.
func BenchmarkSkeleton(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Skeleton("quiet-heron Вudi")
	}
}

// BenchmarkBlocked is what each frame that is heard here costs.
func BenchmarkBlocked(b *testing.B) {
	s := &shelf{notes: map[protocol.PeerID][]byte{}}
	book, _ := open(b, s)
	p := someone(b)
	change(b, book, p, func(n *Note) { n.Blocked = true })
	other := someone(b)
	b.ReportAllocs()
	for b.Loop() {
		if !book.Blocked(p) || book.Blocked(other) {
			b.Fatal("wrong")
		}
	}
}
