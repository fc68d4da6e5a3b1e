package store

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
)

// bbolt takes the pages of its file on trust: one that is cut short is a memory
// fault, a page that points at its own parent an endless loop, a doubtful list
// of free pages the end of good ones. So the file is checked before bbolt walks
// it. Its layout is that of bbolt's internal/common, in the machine's own byte
// order, as it has been since version 1.0.
const (
	pageHeader  = 16 // id 8, flags 2, count 2, overflow 4
	pageElement = 16 // branch: pos 4, key 4, page 8; leaf: flags 4, pos 4, key 4, value 4

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01 // of a leaf's element: the value is a bucket

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	// A meta page, after its header: magic 4, version 4, page size 4, flags 4,
	// root bucket 16, freelist 8, high water mark 8, transaction 8, checksum 8.
	metaBytes    = 64
	metaRoot     = 16
	metaFreelist = 32
	metaHigh     = 40
	metaTx       = 48
	metaChecksum = 56

	bucketHeader = 16 // root page 8, sequence 8; root 0: a page follows in place
)

var order = binary.NativeEndian

// pages walks the pages of a database file.
type pages struct {
	file []byte
	size uint64   // of a page
	high uint64   // no page has this number or a higher one
	seen []uint64 // one bit a page
}

// check says whether a database file is whole: nil or errDamaged.
func check(file []byte, pageSize int) error {
	meta := newestMeta(file, pageSize)
	if meta == nil {
		return errDamaged
	}
	w := pages{file: file, size: uint64(pageSize), high: order.Uint64(meta[metaHigh:])}
	if w.high > uint64(len(file))/w.size {
		return errDamaged
	}
	w.seen = make([]uint64, w.high/64+1)
	if _, ok := w.tree(order.Uint64(meta[metaRoot:]), nil, 0); !ok || !w.free(order.Uint64(meta[metaFreelist:])) {
		return errDamaged
	}
	return nil
}

// newestMeta gives the valid one of the two meta pages with the higher
// transaction number, without its page's header; nil if neither is.
func newestMeta(file []byte, pageSize int) (newest []byte) {
	for i := range 2 {
		at := i*pageSize + pageHeader
		if len(file) < at+metaBytes {
			break
		}
		meta := file[at : at+metaBytes]
		sum := fnv.New64a()
		sum.Write(meta[:metaChecksum])
		valid := order.Uint32(meta) == metaMagic && order.Uint32(meta[4:]) == metaVersion &&
			order.Uint64(meta[metaChecksum:]) == sum.Sum64()
		if valid && (newest == nil || order.Uint64(meta[metaTx:]) > order.Uint64(newest[metaTx:])) {
			newest = meta
		}
	}
	return newest
}

// page gives a page with those that it flows over into, and its flags and
// count. Each may be asked for once.
func (w *pages) page(id uint64) (p []byte, flags, count int, ok bool) {
	if id < 2 || id >= w.high {
		return nil, 0, 0, false
	}
	p = w.file[id*w.size:]
	over := uint64(order.Uint32(p[12:]))
	if order.Uint64(p) != id || id+over >= w.high {
		return nil, 0, 0, false
	}
	for i := id; i <= id+over; i++ {
		if !w.first(i) {
			return nil, 0, 0, false
		}
	}
	return p[:(over+1)*w.size], int(order.Uint16(p[8:])), int(order.Uint16(p[10:])), true
}

// first notes that a page is in use or free, and says whether that is new.
func (w *pages) first(id uint64) bool {
	bit := uint64(1) << (id % 64)
	old := w.seen[id/64]
	w.seen[id/64] |= bit
	return old&bit == 0
}

// tree checks a bucket's pages from one downward, and gives the last key. key
// is what the page above calls this one: its first key; nil for the topmost.
func (w *pages) tree(id uint64, key []byte, depth int) (last []byte, ok bool) {
	p, flags, count, ok := w.page(id)
	switch {
	case !ok, key != nil && count == 0:
		return nil, false
	case flags == leafPage:
		return w.leaf(p, count, key, depth)
	case flags != branchPage || count == 0:
		return nil, false
	}
	return elements(p, count, key, func(e []byte) (pos, key, value uint32) {
		return order.Uint32(e), order.Uint32(e[4:]), 0
	}, func(e, key, _ []byte) (last []byte, ok bool) {
		return w.tree(order.Uint64(e[8:]), key, depth)
	})
}

// mostDepth is how deep buckets stand within buckets: the logs hold one a room.
// The root's own holds nothing but buckets.
const mostDepth = 2

func (w *pages) leaf(p []byte, count int, key []byte, depth int) (last []byte, ok bool) {
	return elements(p, count, key, func(e []byte) (pos, key, value uint32) {
		return order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
	}, func(e, key, value []byte) (last []byte, ok bool) {
		switch flags := order.Uint32(e); {
		case flags == bucketFlag:
			return key, depth < mostDepth && w.bucket(value, depth+1)
		default:
			return key, flags == 0 && depth > 0
		}
	})
}

// bucket checks what stands under a bucket's name.
func (w *pages) bucket(value []byte, depth int) bool {
	if len(value) < bucketHeader {
		return false
	}
	if id := order.Uint64(value); id != 0 {
		_, ok := w.tree(id, nil, depth)
		return ok
	}
	p := value[bucketHeader:]
	if len(p) < pageHeader || order.Uint16(p[8:]) != leafPage {
		return false
	}
	_, ok := w.leaf(p, int(order.Uint16(p[10:])), nil, depth)
	return ok
}

// elements checks that a page's elements lie within it, from its first key on
// in the order of their keys, visits each, and gives the last key below it.
func elements(p []byte, count int, first []byte,
	place func(e []byte) (pos, key, value uint32),
	visit func(e, key, value []byte) (last []byte, ok bool),
) (last []byte, ok bool) {
	if pageHeader+count*pageElement > len(p) {
		return nil, false
	}
	for i := range count {
		e := p[pageHeader+i*pageElement:]
		pos, n, v := place(e)
		if n == 0 || uint64(pos)+uint64(n)+uint64(v) > uint64(len(e)) {
			return nil, false
		}
		key := e[pos : pos+n]
		if i == 0 && first != nil && !bytes.Equal(key, first) || i > 0 && bytes.Compare(last, key) >= 0 {
			return nil, false
		}
		if last, ok = visit(e, key, e[pos+n:pos+n+v]); !ok {
			return nil, false
		}
	}
	return last, true
}

// free checks the list of free pages: none is in use, or listed twice.
func (w *pages) free(id uint64) bool {
	p, flags, count, ok := w.page(id)
	if !ok || flags != freelistPage {
		return false
	}
	ids := p[pageHeader:]
	n := uint64(count)
	if count == 0xFFFF { // too many for the header
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return false
	}
	for ; n > 0; n-- {
		if id := order.Uint64(ids); id < 2 || id >= w.high || !w.first(id) {
			return false
		}
		ids = ids[8:]
	}
	return true
}
