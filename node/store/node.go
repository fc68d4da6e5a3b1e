package store

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"

	"github.com/libp2p/go-libp2p/core/crypto"
	"go.etcd.io/bbolt"

	"github.com/earshot-audio/earshot/protocol"
)

const tokenBytes = 32

// Identity gives this node's Ed25519 key, made when it is first asked for.
func (s *Store) Identity() (crypto.PrivKey, error) {
	raw, err := s.once(identityKey, func() ([]byte, error) {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			return nil, err
		}
		return crypto.MarshalPrivateKey(key)
	})
	if err != nil {
		return nil, err
	}
	return crypto.UnmarshalPrivateKey(raw)
}

// APIToken gives the token that this home's programs show to the node's API,
// made when it is first asked for: 32 random bytes in base64url.
func (s *Store) APIToken() (string, error) {
	raw, err := s.once(tokenKey, func() ([]byte, error) {
		token := make([]byte, tokenBytes)
		rand.Read(token) // never fails (crypto/rand since Go 1.24)
		return []byte(base64.RawURLEncoding.EncodeToString(token)), nil
	})
	return string(raw), err
}

// once gives a value of the node, made and stored if there is none.
func (s *Store) once(key string, make func() ([]byte, error)) (value []byte, err error) {
	if value, err = s.get(key); err != nil || value != nil {
		return value, err
	}
	err = s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(nodeBucket))
		if v := b.Get([]byte(key)); v != nil { // somebody else was quicker
			value = bytes.Clone(v)
			return nil
		}
		if value, err = make(); err != nil {
			return err
		}
		return b.Put([]byte(key), value)
	})
	return value, err
}

func (s *Store) get(key string) (value []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value = bytes.Clone(tx.Bucket([]byte(nodeBucket)).Get([]byte(key)))
		return nil
	})
	return value, err
}

// Name gives the name that this node's person goes by; "" if none was set.
func (s *Store) Name() (protocol.Name, error) {
	b, err := s.get(nameKey)
	return protocol.Name(b), err
}

// SetName stores the person's name.
func (s *Store) SetName(n protocol.Name) error {
	return s.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(nodeBucket)).Put([]byte(nameKey), []byte(n)) })
}

// Boot numbers this life of the node: max(the previous one + 1, unixMilli), so
// that it grows even when the clock was set back.
func (s *Store) Boot(unixMilli uint64) (uint64, error) {
	return s.advance(nodeBucket, bootKey, unixMilli, 1)
}

// Sequence takes as many of the next numbers of a named sequence, by the rule of
// Boot, and gives the first of them.
func (s *Store) Sequence(name string, unixMilli, many uint64) (uint64, error) {
	return s.advance(sequenceBucket, name, unixMilli, many)
}

func (s *Store) advance(bucket, key string, least, many uint64) (n uint64, err error) {
	err = s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		n = least
		if previous, ok := number(b.Get([]byte(key))); ok {
			n = max(previous+1, least)
		}
		return b.Put([]byte(key), bytesOf(n+many-1))
	})
	return n, err
}
