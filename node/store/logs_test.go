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

// What is kept of lives is the newest, of each room apart, also in a home made before.
func TestLives(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	defer s.Close()
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(livesBucket)) }); err != nil {
		t.Fatal(err)
	}
	if lives, err := s.Lives(protocol.RoomID{1}); lives != nil || err != nil {
		t.Errorf("of nothing: %s, %v", lives, err)
	}
	for _, lives := range []string{"old", "new"} {
		if err := s.SaveLives(protocol.RoomID{1}, []byte(lives)); err != nil {
			t.Fatal(err)
		}
	}
	if lives, err := s.Lives(protocol.RoomID{1}); string(lives) != "new" || err != nil {
		t.Errorf("%s, %v", lives, err)
	}
	if lives, err := s.Lives(protocol.RoomID{2}); lives != nil || err != nil {
		t.Errorf("another room's: %s, %v", lives, err)
	}
}
