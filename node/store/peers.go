package store

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"go.etcd.io/bbolt"

	"github.com/earshot-audio/earshot/protocol"
)

const (
	maxPeers = 200
	// rememberAgain is how much later the same peer at the same addresses is
	// worth writing again.
	rememberAgain = 10 * time.Minute
)

// contact is a peer that was met, as it is stored.
type contact struct {
	Seen      int64    `json:"seen"`      // Unix, ms
	Addresses [][]byte `json:"addresses"` // binary, without /p2p
}

func (c contact) sameAddresses(d contact) bool {
	return slices.EqualFunc(c.Addresses, d.Addresses, slices.Equal)
}

// Remember keeps a peer to start from next time. The 200 seen last are kept,
// each with protocol.MaxAddresses addresses at most; one without any is not.
func (s *Store) Remember(info peer.AddrInfo, seen time.Time) error {
	c := contact{Seen: seen.UnixMilli(), Addresses: protocol.AddressBytes(info.Addrs, protocol.MaxAddresses)}
	if len(c.Addresses) == 0 || info.ID.Validate() != nil {
		return nil
	}
	if old, ok := s.contact(info.ID); ok && old.sameAddresses(c) && c.Seen-old.Seen < rememberAgain.Milliseconds() {
		return nil
	}
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(peerBucket))
		if err := b.Put([]byte(info.ID), value); err != nil {
			return err
		}
		known := contacts(b)
		for _, old := range known[min(len(known), maxPeers):] {
			if err := b.Delete([]byte(old.id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetPeer drops a peer.
func (s *Store) ForgetPeer(p protocol.PeerID) error {
	return s.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(peerBucket)).Delete([]byte(p)) })
}

// Remembered gives the peers that were seen last, newest first.
func (s *Store) Remembered(most int) []peer.AddrInfo {
	var out []peer.AddrInfo
	s.db.View(func(tx *bbolt.Tx) error {
		known := contacts(tx.Bucket([]byte(peerBucket)))
		for _, c := range known[:min(len(known), most)] {
			out = append(out, peer.AddrInfo{ID: c.id, Addrs: multiaddrs(c.Addresses)})
		}
		return nil
	})
	return out
}

func (s *Store) contact(p protocol.PeerID) (c contact, ok bool) {
	s.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket([]byte(peerBucket)).Get([]byte(p))
		ok = v != nil && json.Unmarshal(v, &c) == nil
		return nil
	})
	return c, ok
}

type namedContact struct {
	id protocol.PeerID
	contact
}

// contacts reads all, newest first; what does not decode counts as oldest.
func contacts(b *bbolt.Bucket) []namedContact {
	var out []namedContact
	b.ForEach(func(k, v []byte) error {
		c := namedContact{id: protocol.PeerID(k)}
		if json.Unmarshal(v, &c.contact) != nil {
			c.contact = contact{}
		}
		out = append(out, c)
		return nil
	})
	slices.SortFunc(out, func(a, b namedContact) int {
		return cmp.Or(cmp.Compare(b.Seen, a.Seen), cmp.Compare(a.id, b.id))
	})
	return out
}

func multiaddrs(raw [][]byte) []multiaddr.Multiaddr {
	var out []multiaddr.Multiaddr
	for _, b := range raw {
		if a, err := multiaddr.NewMultiaddrBytes(b); err == nil {
			out = append(out, a)
		}
	}
	return out
}
