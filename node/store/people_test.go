package store

import (
	"testing"

	"go.etcd.io/bbolt"
)

func TestNotesSurviveReopening(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	kept, gone := newPeer(t), newPeer(t)
	for _, p := range []func() error{
		func() error { return s.SaveNote(kept, []byte("a friend")) },
		func() error { return s.SaveNote(gone, []byte("nobody")) },
		func() error { return s.SaveNote(gone, nil) },
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
	if notes, err := s.Notes(); err != nil || len(notes) != 1 || string(notes[kept]) != "a friend" {
		t.Errorf("%q, %v", notes, err)
	}
}

func TestHomesFromBeforeNotes(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	if err := s.update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(peopleBucket)) }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, home)
	defer s.Close()
	if notes, err := s.Notes(); err != nil || len(notes) > 0 {
		t.Errorf("%q, %v", notes, err)
	}
	if err := s.SaveNote(newPeer(t), []byte("a friend")); err != nil {
		t.Error(err)
	}
}
