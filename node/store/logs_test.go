package store

import (
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/earshot-audio/earshot/protocol"
)

// A home holds its rooms' logs when it is opened again: small ones, which lie
// within their bucket's page, and large ones, which have pages of their own.
func TestLogsSurviveReopening(t *testing.T) {
	for _, count := range []int{1, 500} {
		home := t.TempDir()
		var actions [][]byte
		for n := range count {
			actions = append(actions, slices.Repeat([]byte{byte(n)}, 200))
		}
		rooms := []protocol.RoomID{{1}, {2}}
		s := mustOpen(t, home)
		for _, room := range rooms {
			if err := s.SaveActions(room, actions); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		s = mustOpen(t, home)
		for _, room := range rooms {
			kept, err := s.Actions(room)
			if err != nil || !slices.EqualFunc(kept, actions, slices.Equal) {
				t.Errorf("%d of %d actions are kept: %v", len(kept), count, err)
			}
		}
		s.Close()
	}
}

func TestHomesFromBeforeLogs(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	if err := s.update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(logBucket)) }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, home)
	defer s.Close()
	if kept, err := s.Actions(protocol.RoomID{1}); err != nil || len(kept) > 0 {
		t.Errorf("%d actions: %v", len(kept), err)
	}
	if err := s.SaveActions(protocol.RoomID{1}, [][]byte{{1}}); err != nil {
		t.Error(err)
	}
}

// What is kept of lives, or a genesis, is the newest, of each room apart, also in a home
// made before.
func TestKeptOfRooms(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer s.Close()
	for _, kept := range []struct {
		bucket string
		save   func(protocol.RoomID, []byte) error
		get    func(protocol.RoomID) ([]byte, error)
	}{{livesBucket, s.SaveLives, s.Lives}, {genesisBucket, s.SaveGenesis, s.Genesis}} {
		if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(kept.bucket)) }); err != nil {
			t.Fatal(err)
		}
		if value, err := kept.get(protocol.RoomID{1}); value != nil || err != nil {
			t.Errorf("%s of nothing: %s, %v", kept.bucket, value, err)
		}
		for _, value := range []string{"old", "new"} {
			if err := kept.save(protocol.RoomID{1}, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		if value, err := kept.get(protocol.RoomID{1}); string(value) != "new" || err != nil {
			t.Errorf("%s: %s, %v", kept.bucket, value, err)
		}
		if value, err := kept.get(protocol.RoomID{2}); value != nil || err != nil {
			t.Errorf("%s of another room: %s, %v", kept.bucket, value, err)
		}
	}
}
