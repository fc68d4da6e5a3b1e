package store

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/earshot-audio/earshot/protocol"
)

// TestCheckTakesWhatBboltMakes: a check that refused a good database would keep
// a person from their own rooms. So: a database that grows, shrinks to nothing
// and grows again, in bigger and smaller transactions, looked at after each.
func TestCheckTakesWhatBboltMakes(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, file)
	s := mustOpen(t, home)
	s.db.NoSync = true
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	most := 0
	for round := range 300 {
		growing := round/60%2 == 0
		err := s.update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(roomBucket))
			for range r.IntN(40) {
				id := protocol.RoomID{byte(r.UintN(256)), byte(r.UintN(8))}
				var err error
				if growing == (r.IntN(10) > 0) {
					err = b.Put(id[:], []byte(strings.Repeat("x", r.IntN(9000)/(1+r.IntN(20)))))
				} else {
					err = b.Delete(id[:])
				}
				if err != nil {
					return err
				}
			}
			if !growing && round%60 == 59 { // the last ones too
				tx.DeleteBucket([]byte(roomBucket))
				_, err := tx.CreateBucket([]byte(roomBucket))
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(content))
		if err := check(content, s.db.Info().PageSize); err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
	}
	if most < 1<<20 {
		t.Errorf("only %d bytes: no branches of branches", most)
	}
}

// TestCheckAfterACrash: a commit that stopped before its meta page was written
// leaves the one before it whole.
func TestCheckAfterACrash(t *testing.T) {
	home := t.TempDir()
	fill(t, home)
	path := filepath.Join(home, file)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, home)
	if err := s.SaveRoom(Room{Title: strings.Repeat("y", 5000)}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	crashed := append(append([]byte{}, before[:2*page]...), after[2*page:]...) // new pages, old meta
	if err := os.WriteFile(path, crashed, 0o600); err != nil {
		t.Fatal(err)
	}
	rooms, err := mustOpen(t, home).Rooms()
	if err != nil || len(rooms) != 40 || rooms[0].Title == strings.Repeat("y", 5000) {
		t.Errorf("%d rooms, %v", len(rooms), err)
	}
}
