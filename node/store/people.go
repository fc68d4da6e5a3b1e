package store

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/earshot-audio/earshot/protocol"
)

// SaveProfile keeps what this node's person says of themselves.
func (s *Store) SaveProfile(profile []byte) error {
	return s.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(nodeBucket)).Put([]byte(profileKey), profile) })
}

// Profile gives what SaveProfile kept; nil: nothing.
func (s *Store) Profile() ([]byte, error) { return s.get(profileKey) }

// SaveNote keeps what this node's person notes about somebody; nil forgets it.
func (s *Store) SaveNote(p protocol.PeerID, note []byte) error {
	return s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(peopleBucket)) // homes were made before there were notes
		if err != nil {
			return err
		}
		if note == nil {
			return b.Delete([]byte(p))
		}
		return b.Put([]byte(p), note)
	})
}

// Notes gives what SaveNote kept.
func (s *Store) Notes() (map[protocol.PeerID][]byte, error) {
	notes := map[protocol.PeerID][]byte{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(peopleBucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(p, note []byte) error {
			notes[protocol.PeerID(p)] = bytes.Clone(note)
			return nil
		})
	})
	return notes, err
}
