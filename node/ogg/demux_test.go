package ogg

import (
	"encoding/binary"
	"testing"

	"github.com/earshot-audio/earshot/protocol/opus"
)

// heard is what an independent reading of a file finds in one logical stream.
type heard struct {
	serial   uint32
	tags     string
	packets  [][]byte
	granules []int64 // where each packet ends; a pause is before its page's first
	ended    bool
}

// demux takes a file apart page by page and holds it to RFC 3533 and RFC 7845:
// checksums, sequences, first pages together, granule positions. It gives the
// streams in order of their first pages, and the number of links.
func demux(t testing.TB, file []byte) (streams []*heard, links int) {
	t.Helper()
	open := map[uint32]*heard{}
	used := map[uint32]bool{}
	next := map[uint32]uint32{}
	heads := false
	for at := 0; at < len(file); {
		b := file[at:]
		if len(b) < 27 || string(b[:4]) != "OggS" || b[4] != 0 {
			t.Fatalf("no page at byte %d of %d", at, len(file))
		}
		count := int(b[26])
		size := 27 + count
		for _, s := range b[27:size] {
			size += int(s)
		}
		if size > len(b) {
			t.Fatalf("page at byte %d is cut", at)
		}
		b = append([]byte(nil), b[:size]...)
		at += size
		sum := binary.LittleEndian.Uint32(b[22:])
		clear(b[22:26])
		if slow(b) != sum {
			t.Fatalf("checksum of the page before byte %d", at)
		}
		flags, granule := b[5], int64(binary.LittleEndian.Uint64(b[6:]))
		serial, sequence := binary.LittleEndian.Uint32(b[14:]), binary.LittleEndian.Uint32(b[18:])
		if flags&1 != 0 {
			t.Fatalf("a packet spans pages before byte %d", at)
		}
		var packets [][]byte
		body, n := b[27+count:], 0
		for _, s := range b[27 : 27+count] {
			n += int(s)
			if s < 255 {
				packets, body, n = append(packets, body[:n]), body[n:], 0
			}
		}
		if n != 0 {
			t.Fatalf("a packet goes on beyond byte %d", at)
		}
		if flags&2 != 0 {
			if !heads && len(open) > 0 {
				t.Fatalf("a late first page before byte %d", at)
			}
			if !heads {
				heads = true
				links++
			}
			if used[serial] || sequence != 0 || granule != 0 || len(packets) != 1 || string(packets[0][:8]) != "OpusHead" {
				t.Fatalf("first page of %08x: sequence %d, granule %d, %d packets, used %v", serial, sequence, granule, len(packets), used[serial])
			}
			used[serial], open[serial], next[serial] = true, &heard{serial: serial}, 1
			streams = append(streams, open[serial])
			continue
		}
		heads = false
		s := open[serial]
		if s == nil || sequence != next[serial] {
			t.Fatalf("page of %08x: sequence %d, not %d; open %v", serial, sequence, next[serial], s != nil)
		}
		next[serial]++
		if sequence == 1 {
			if len(packets) != 1 || string(packets[0][:8]) != "OpusTags" || granule != 0 {
				t.Fatalf("second page of %08x", serial)
			}
			s.tags = string(packets[0])
			continue
		}
		total := int64(0)
		for _, p := range packets {
			samples, err := opus.Samples(p)
			if err != nil {
				t.Fatal(err)
			}
			total += int64(samples)
		}
		switch {
		case len(packets) == 0 && (granule != -1 || flags&4 == 0):
			t.Fatalf("page of %08x without packets: granule %d", serial, granule)
		case len(packets) > 0 && len(s.granules) > 0 && granule-total < s.granules[len(s.granules)-1]:
			t.Fatalf("page of %08x goes back to %d", serial, granule-total)
		}
		for _, p := range packets {
			samples, _ := opus.Samples(p)
			total -= int64(samples)
			s.packets, s.granules = append(s.packets, p), append(s.granules, granule-total)
		}
		if flags&4 != 0 {
			s.ended = true
			delete(open, serial)
		}
	}
	return streams, links
}

// slow computes a page's checksum bit by bit.
func slow(b []byte) (sum uint32) {
	for _, c := range b {
		sum ^= uint32(c) << 24
		for range 8 {
			if sum&(1<<31) != 0 {
				sum = sum<<1 ^ 0x04c11db7
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}
