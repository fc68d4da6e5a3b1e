package dht

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// Implementation: what others may leave here, some 200 bytes each.
const (
	recordsMost   = 16 << 10
	recordsOfPeer = 64 // a peer's rooms
)

// errFull refuses a record.
var errFull = errors.New("no place for one more record")

// records holds provider records in memory, within bounds; Kademlia's own store
// has none, and looks at all of them for each question. Their keys are
// /providers/KEY/PEER.
type records struct {
	mu     sync.Mutex
	of     map[string]map[string][]byte // by key's path, then by peer
	shares map[string]int               // by peer
	many   int
}

func newRecords() *records {
	return &records{of: make(map[string]map[string][]byte), shares: make(map[string]int)}
}

func split(k datastore.Key) (dir, peer string) { return path.Split(k.String()) }

// Put keeps a record; one that is there already is renewed, however full it is.
func (r *records) Put(_ context.Context, k datastore.Key, value []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir, peer := split(k)
	if r.of[dir][peer] == nil {
		if r.many >= recordsMost || r.shares[peer] >= recordsOfPeer {
			return errFull
		}
		r.many++
		r.shares[peer]++
	}
	if r.of[dir] == nil {
		r.of[dir] = make(map[string][]byte)
	}
	r.of[dir][peer] = slices.Clone(value)
	return nil
}

// Delete forgets a record.
func (r *records) Delete(_ context.Context, k datastore.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir, peer := split(k)
	if r.of[dir][peer] == nil {
		return nil
	}
	delete(r.of[dir], peer)
	if len(r.of[dir]) == 0 {
		delete(r.of, dir)
	}
	r.many--
	if r.shares[peer]--; r.shares[peer] == 0 {
		delete(r.shares, peer)
	}
	return nil
}

// Get gives a record.
func (r *records) Get(_ context.Context, k datastore.Key) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dir, peer := split(k)
	if v := r.of[dir][peer]; v != nil {
		return v, nil
	}
	return nil, datastore.ErrNotFound
}

// Has says whether there is a record.
func (r *records) Has(ctx context.Context, k datastore.Key) (bool, error) {
	_, err := r.Get(ctx, k)
	return err == nil, nil
}

// GetSize gives a record's size.
func (r *records) GetSize(ctx context.Context, k datastore.Key) (int, error) {
	v, err := r.Get(ctx, k)
	if err != nil {
		return -1, err
	}
	return len(v), nil
}

// Query gives the records under a prefix: those of one key, or all.
func (r *records) Query(_ context.Context, q query.Query) (query.Results, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var entries []query.Entry
	add := func(dir string) {
		for peer, v := range r.of[dir] {
			entries = append(entries, query.Entry{Key: dir + peer, Value: v, Size: len(v)})
		}
	}
	if dir := strings.TrimSuffix(q.Prefix, "/") + "/"; r.of[dir] != nil {
		add(dir)
	} else if strings.Count(dir, "/") <= 2 { // above the keys
		for d := range r.of {
			if strings.HasPrefix(d, dir) {
				add(d)
			}
		}
	}
	return query.ResultsWithEntries(q, entries), nil
}

// Sync has nothing to do.
func (r *records) Sync(context.Context, datastore.Key) error { return nil }

// Close has nothing to do.
func (r *records) Close() error { return nil }

// Batch is not needed.
func (r *records) Batch(context.Context) (datastore.Batch, error) {
	return nil, datastore.ErrBatchUnsupported
}
