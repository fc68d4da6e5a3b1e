package protocol

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestKeysAreInOneOrder: reflexive, antisymmetric, transitive, and total.
func TestKeysAreInOneOrder(t *testing.T) {
	room := RoomID{7}
	var keys []Key
	for _, term := range []uint64{0, 1, 2, 1<<63 - 1} {
		for n := range byte(6) {
			keys = append(keys, Key{term, someone(n).id})
		}
	}
	keys = append(keys, Key{}, Key{Term: 1}) // without a relay
	for _, a := range keys {
		for _, b := range keys {
			ab := a.Compare(b, room)
			if (ab == 0) != (a == b) || ab != -b.Compare(a, room) || a.Term < b.Term && ab != -1 {
				t.Fatalf("%v against %v: %d, %d", a, b, ab, b.Compare(a, room))
			}
			for _, c := range keys {
				if bc := b.Compare(c, room); ab == bc && ab != 0 && a.Compare(c, room) != ab {
					t.Fatalf("%v, %v, %v go round", a, b, c)
				}
			}
		}
	}
	sorted := slices.SortedFunc(slices.Values(keys), func(a, b Key) int { return a.Compare(b, room) })
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		if again := slices.SortedFunc(slices.Values(keys), func(a, b Key) int { return a.Compare(b, room) }); !slices.Equal(again, sorted) {
			t.Fatal("another order from another beginning")
		}
	}
}

// TestNobodyIsAlwaysFirst: who wins a tie changes with room and term.
func TestNobodyIsAlwaysFirst(t *testing.T) {
	a, b := someone(1).id, someone(2).id
	wins := 0
	for n := range 64 {
		wins += Key{uint64(n), a}.Compare(Key{uint64(n), b}, RoomID{1})
		wins += Key{1, a}.Compare(Key{1, b}, RoomID{2, byte(n)})
	}
	if wins < -60 || wins > 60 {
		t.Errorf("of 128 ties one side won %+d", wins)
	}
}
