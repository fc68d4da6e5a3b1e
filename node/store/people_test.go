package store

import (
	"errors"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/earshot-audio/earshot/protocol"
)

func TestNotesSurviveReopening(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	kept, gone := newPeer(t), newPeer(t)
	for _, p := range []func() error{
		func() error { return s.SaveNote(kept, []byte("a friend")) },
		func() error { return s.SaveNote(gone, []byte("nobody")) },
		func() error { return s.SaveNote(gone, nil) },
		func() error { return s.SaveMet(map[protocol.PeerID][]byte{kept: []byte("long"), gone: []byte("once")}) },
		func() error { return s.SaveMet(map[protocol.PeerID][]byte{gone: nil}) },
		func() error { return s.SaveFollowed(protocol.RoomID{1}, []byte("a room")) },
		func() error { return s.SaveFollowed(protocol.RoomID{2}, []byte("another")) },
		func() error { return s.SaveFollowed(protocol.RoomID{2}, nil) },
	} {
		if err := p(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveProfile([]byte("a line")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, home)
	defer s.Close()
	if p, err := s.Profile(); string(p) != "a line" || err != nil {
		t.Errorf("%q, %v", p, err)
	}
	if rooms, err := s.Followed(); err != nil || len(rooms) != 1 || string(rooms[protocol.RoomID{1}]) != "a room" {
		t.Errorf("%q, %v", rooms, err)
	}
	if met, err := s.Met(); err != nil || len(met) != 1 || string(met[kept]) != "long" {
		t.Errorf("%q, %v", met, err)
	}
	if notes, err := s.Notes(); err != nil || len(notes) != 1 || string(notes[kept]) != "a friend" {
		t.Errorf("%q, %v", notes, err)
	}
}

func TestHomesFromBeforeNotes(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	if err := s.update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.DeleteBucket([]byte(peopleBucket)), tx.DeleteBucket([]byte(followedBucket)), tx.DeleteBucket([]byte(metBucket)))
	}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, home)
	defer s.Close()
	if notes, err := s.Notes(); err != nil || len(notes) > 0 {
		t.Errorf("%q, %v", notes, err)
	}
	if rooms, err := s.Followed(); err != nil || len(rooms) > 0 {
		t.Errorf("%q, %v", rooms, err)
	}
	if met, err := s.Met(); err != nil || len(met) > 0 {
		t.Errorf("%q, %v", met, err)
	}
	if err := errors.Join(s.SaveNote(newPeer(t), []byte("a friend")), s.SaveFollowed(protocol.RoomID{1}, []byte("a room"))); err != nil {
		t.Error(err)
	}
}
