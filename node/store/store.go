// Package store keeps what outlives a node's run in its home directory: keys,
// rooms, contacts and the terms it has claimed, in one embedded database
// (earshot.db, bbolt), and beside it the address of the running node's API
// (api.json).
//
// What a method has stored is on the disk when it returns. Errors that a person
// can mend are *protocol.Problem.
package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/earshot-audio/earshot/protocol"
)

// Version of the database's layout; a store refuses those above its own.
const Version = 1

const (
	file     = "earshot.db"
	lockWait = 200 * time.Millisecond
)

// Buckets and the keys of the first.
const (
	nodeBucket     = "node"
	sequenceBucket = "sequences" // name -> uint64
	peerBucket     = "peers"     // peer ID -> contact
	termBucket     = "terms"     // room ID -> era, term, relay
	roomBucket     = "rooms"     // room ID -> Room
	logBucket      = "logs"      // room ID -> a bucket: number -> SignedAction
	genesisBucket  = "geneses"   // room ID -> SignedGenesis, of those that have a log
	livesBucket    = "lives"     // room ID -> what has passed of bans and grants
	peopleBucket   = "people"    // peer ID -> what this node's person notes about them
	followedBucket = "followed"  // room ID -> what they note about it
	metBucket      = "met"       // peer ID -> for how long this node has heard of them

	versionKey  = "version"
	identityKey = "identity"
	nameKey     = "name"
	tokenKey    = "token"
	bootKey     = "boot"
	profileKey  = "profile"
)

func buckets() []string {
	return append([]string{nodeBucket, sequenceBucket, peerBucket, termBucket, roomBucket}, laterBuckets()...)
}

// laterBuckets are those without which homes were made once.
func laterBuckets() []string {
	return []string{logBucket, genesisBucket, livesBucket, peopleBucket, followedBucket, metBucket}
}

// Store is an open home. Its methods may be called from any goroutine.
type Store struct {
	home string
	db   *bbolt.DB
}

// Open opens the database of a home, and makes both where they are missing. One
// process can have a home open at a time. A database that does not read, or is
// of a newer version, is left as it is.
func Open(home string) (*Store, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, unwritable(home, err)
	}
	s := &Store{home: home}
	path := filepath.Join(home, file)
	version, err := inspect(path)
	if err == nil && version <= Version {
		s.db, err = open(path, false)
	}
	if err := obstacle(home, path, version, err); err != nil {
		return nil, err
	}
	if version == 0 {
		if err := s.create(); err != nil {
			s.db.Close()
			return nil, err
		}
	}
	return s, nil
}

// Examine gives the error that Open would, but for what only writing shows, and
// makes and changes nothing. there is false where no node has lived yet.
func Examine(home string) (there bool, err error) {
	path := filepath.Join(home, file)
	version, err := inspect(path)
	return version > 0, obstacle(home, path, version, err)
}

// obstacle says why a home can't be used: err is of its database, which is of
// that version.
func obstacle(home, path string, version uint64, err error) error {
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return &protocol.Problem{
			Code:    protocol.CodeHomeInUse,
			Message: fmt.Sprintf("another node is using %s", home),
			Hint:    "stop it, or take another home with --home DIR", Cause: err,
		}
	case errors.Is(err, errDamaged):
		return &protocol.Problem{
			Code:    protocol.CodeHomeDamaged,
			Message: fmt.Sprintf("%s is damaged", path),
			Hint:    "put a copy back, or move it away to start with a new identity; it was left as it is", Cause: err,
		}
	case err != nil:
		return unwritable(home, err)
	case version > Version:
		return &protocol.Problem{
			Code:    protocol.CodeHomeNewer,
			Message: fmt.Sprintf("%s was written by a newer Earshot", home),
			Hint:    "update this one, or take another home with --home DIR",
		}
	}
	return nil
}

var errDamaged = errors.New("not a database of this program, or a damaged one")

// inspect gives the version of a database, 0 if there is none yet. It opens it
// without the right to write.
func inspect(path string) (version uint64, err error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("%s is not a file", file)
	case info.Size() == 0:
		return 0, nil
	}
	db, err := open(path, true)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	content, err := os.ReadFile(path) // a few MB at most; nobody writes while db is open
	if err != nil {
		return 0, err
	}
	if err := check(content, db.Info().PageSize); err != nil {
		return 0, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if first, _ := tx.Cursor().First(); first == nil {
			return nil // made, but never written
		}
		version, err = versionOf(tx)
		return err
	})
	return version, err
}

// versionOf gives a database's version, if it has all that it takes.
func versionOf(tx *bbolt.Tx) (uint64, error) {
	node := tx.Bucket([]byte(nodeBucket))
	if node == nil {
		return 0, errDamaged
	}
	version, ok := number(node.Get([]byte(versionKey)))
	if !ok || version == 0 {
		return 0, errDamaged
	}
	if version > Version {
		return version, nil // what it takes is not for this version to say
	}
	for _, name := range buckets() {
		if !slices.Contains(laterBuckets(), name) && tx.Bucket([]byte(name)) == nil {
			return 0, errDamaged
		}
	}
	return version, nil
}

// open opens the database. What is not the system's fault is the file's.
func open(path string, readOnly bool) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, ReadOnly: readOnly, FreelistType: bbolt.FreelistMapType,
	})
	var system syscall.Errno
	if err != nil && !errors.As(err, &system) && !errors.Is(err, bbolterrors.ErrTimeout) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return db, err
}

// create lays out a new database.
func (s *Store) create() error {
	return s.update(func(tx *bbolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(nodeBucket)).Put([]byte(versionKey), bytesOf(Version))
	})
}

// Close lets go of the home; later calls of any method fail. Closing again does
// nothing.
func (s *Store) Close() error { return s.db.Close() }

// update runs a transaction and syncs it to the disk.
func (s *Store) update(f func(*bbolt.Tx) error) error {
	if err := s.db.Update(f); err != nil {
		return unwritable(s.home, err)
	}
	return nil
}

func unwritable(home string, err error) error {
	return &protocol.Problem{
		Code:    protocol.CodeHomeUnwritable,
		Message: fmt.Sprintf("can't write to %s (%v)", home, root(err)),
		Hint:    "make it writable, free some space, or take another home with --home DIR", Cause: err,
	}
}

// root gives the innermost error: what the system said, without paths again.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// number reads what bytesOf wrote.
func number(b []byte) (uint64, bool) {
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

func bytesOf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
