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
	return s.keep(peopleBucket, []byte(p), note)
}

// Notes gives what SaveNote kept.
func (s *Store) Notes() (map[protocol.PeerID][]byte, error) {
	notes := map[protocol.PeerID][]byte{}
	return notes, s.kept(peopleBucket, func(p, note []byte) { notes[protocol.PeerID(p)] = note })
}

// SaveFollowed keeps what is noted of a room that this node's person follows; nil
// forgets it.
func (s *Store) SaveFollowed(room protocol.RoomID, note []byte) error {
	return s.keep(followedBucket, room[:], note)
}

// Followed gives what SaveFollowed kept.
func (s *Store) Followed() (map[protocol.RoomID][]byte, error) {
	notes := map[protocol.RoomID][]byte{}
	return notes, s.kept(followedBucket, func(room, note []byte) {
		if len(room) == len(protocol.RoomID{}) {
			notes[protocol.RoomID(room)] = note
		}
	})
}

// SaveMet keeps for how long this node has heard of some, in one transaction; nil
// forgets one.
func (s *Store) SaveMet(changes map[protocol.PeerID][]byte) error {
	return s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(metBucket))
		if err != nil {
			return err
		}
		for p, value := range changes {
			if value == nil {
				err = b.Delete([]byte(p))
			} else {
				err = b.Put([]byte(p), value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Met gives what SaveMet kept.
func (s *Store) Met() (map[protocol.PeerID][]byte, error) {
	met := map[protocol.PeerID][]byte{}
	return met, s.kept(metBucket, func(p, value []byte) { met[protocol.PeerID(p)] = value })
}

// keep stores a value in a bucket that homes were made without once; nil forgets it.
func (s *Store) keep(bucket string, key, value []byte) error {
	return s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		if value == nil {
			return b.Delete(key)
		}
		return b.Put(key, value)
	})
}

// kept goes through what keep stored.
func (s *Store) kept(bucket string, each func(key, value []byte)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(key, value []byte) error {
			each(bytes.Clone(key), bytes.Clone(value))
			return nil
		})
	})
}
