package store

import (
	"slices"

	"go.etcd.io/bbolt"

	"github.com/earshot-audio/earshot/protocol"
)

// SaveActions adds actions to what is kept of a room's log, in their order.
func (s *Store) SaveActions(room protocol.RoomID, actions [][]byte) error {
	return s.update(func(tx *bbolt.Tx) error {
		logs, err := tx.CreateBucketIfNotExists([]byte(logBucket)) // homes were made before there were logs
		if err != nil {
			return err
		}
		b, err := logs.CreateBucketIfNotExists(room[:])
		if err != nil {
			return err
		}
		for _, a := range actions {
			n, err := b.NextSequence()
			if err != nil {
				return err
			}
			if err := b.Put(bytesOf(n), a); err != nil {
				return err
			}
		}
		return nil
	})
}

// Actions gives what is kept of a room's log, the oldest first.
func (s *Store) Actions(room protocol.RoomID) (all [][]byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		logs := tx.Bucket([]byte(logBucket))
		if logs == nil {
			return nil
		}
		b := logs.Bucket(room[:])
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, a []byte) error {
			all = append(all, slices.Clone(a))
			return nil
		})
	})
	return all, err
}

// SaveGenesis keeps the SignedGenesis of a room whose log is kept: without it, nothing
// there says who may do what.
func (s *Store) SaveGenesis(room protocol.RoomID, genesis []byte) error {
	return s.keep(genesisBucket, room[:], genesis)
}

// Genesis gives what SaveGenesis kept; nil: nothing.
func (s *Store) Genesis(room protocol.RoomID) ([]byte, error) { return s.ofRoom(genesisBucket, room) }

// SaveLives keeps what has passed of lives in a room's log, in place of what it kept
// before.
func (s *Store) SaveLives(room protocol.RoomID, lives []byte) error {
	return s.keep(livesBucket, room[:], lives)
}

// Lives gives what SaveLives kept; nil: nothing.
func (s *Store) Lives(room protocol.RoomID) ([]byte, error) { return s.ofRoom(livesBucket, room) }

// ofRoom gives what a bucket, which a home may not have yet, holds of a room.
func (s *Store) ofRoom(bucket string, room protocol.RoomID) (value []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(bucket)); b != nil {
			value = slices.Clone(b.Get(room[:]))
		}
		return nil
	})
	return value, err
}
