package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/earshot-audio/earshot/node/ogg"
)

// The recordings are walked here page by page by RFC 3533 alone, so that what
// package ogg writes isn't judged by what it reads.

// oggStream is a logical stream of a recording.
type oggStream struct {
	serial   uint32
	packets  [][]byte // with the two of its head
	partial  []byte   // of a packet that goes on on the next page
	goesOn   bool
	sequence uint32 // of its next page
	ended    bool
}

// Header types of a page (RFC 3533 section 6).
const (
	pageContinued = 1
	pageFirst     = 2
	pageLast      = 4
)

const oggHeader = 27

// walk takes a recording apart. A page at the end that is not whole is left
// out: it is being written.
func walk(file []byte) (streams []*oggStream, err error) {
	headsOver := false
	for offset := 0; len(file)-offset >= oggHeader; {
		head := file[offset:]
		if string(head[:5]) != "OggS\x00" {
			return streams, fmt.Errorf("byte %d: no page begins here", offset)
		}
		count := int(head[26])
		if len(head) < oggHeader+count {
			break
		}
		sizes, size := head[oggHeader:oggHeader+count], oggHeader+count
		for _, s := range sizes {
			size += int(s)
		}
		if len(head) < size {
			break
		}
		page := head[:size]
		if sum := oggSum(page); sum != binary.LittleEndian.Uint32(page[22:]) {
			return streams, fmt.Errorf("byte %d: checksum %08x is wrong", offset, sum)
		}
		serial := binary.LittleEndian.Uint32(page[14:])
		i := slices.IndexFunc(streams, func(s *oggStream) bool { return s.serial == serial })
		isFirst := page[5]&pageFirst != 0
		switch {
		case isFirst && i >= 0:
			return streams, fmt.Errorf("byte %d: stream %08x begins twice", offset, serial)
		case isFirst && headsOver:
			return streams, fmt.Errorf("byte %d: stream %08x begins late", offset, serial)
		case isFirst:
			i, streams = len(streams), append(streams, &oggStream{serial: serial})
		case i < 0:
			return streams, fmt.Errorf("byte %d: stream %08x has no beginning", offset, serial)
		default:
			headsOver = true
		}
		if err := streams[i].page(page[5], binary.LittleEndian.Uint32(page[18:]), sizes, page[oggHeader+count:]); err != nil {
			return streams, fmt.Errorf("byte %d: stream %08x: %w", offset, serial, err)
		}
		offset += size
	}
	return streams, nil
}

// page takes a page's packets.
func (s *oggStream) page(kind byte, sequence uint32, sizes, data []byte) error {
	switch {
	case s.ended:
		return fmt.Errorf("a page after the last")
	case sequence != s.sequence:
		return fmt.Errorf("page %d where %d should be", sequence, s.sequence)
	case (kind&pageContinued != 0) != s.goesOn:
		return fmt.Errorf("page %d does not continue the one before", sequence)
	}
	s.sequence++
	for _, size := range sizes {
		s.partial, data = append(s.partial, data[:size]...), data[size:]
		if s.goesOn = size == 255; !s.goesOn {
			s.packets, s.partial = append(s.packets, s.partial), nil
		}
	}
	s.ended = kind&pageLast != 0
	return nil
}

// sound gives the stream's packets without those of its head.
func (s *oggStream) sound() [][]byte { return s.packets[min(2, len(s.packets)):] }

// oggSum is a page's checksum: CRC-32 with polynomial 0x04c11db7, not
// reflected, over the page with zeros where it stands.
func oggSum(page []byte) (sum uint32) {
	for i, b := range page {
		if 22 <= i && i < 26 {
			b = 0
		}
		sum ^= uint32(b) << 24
		for range 8 {
			carry := sum >> 31
			sum = sum<<1 ^ carry*0x04c11db7
		}
	}
	return sum
}

// script is what a speaker says, packet by packet.
type script struct {
	name    string
	file    string
	packets [][]byte
}

// talkPackets is more than any test takes: two minutes.
const talkPackets = 120 * 50

// numbered makes a talk of packets of 20 ms that are nobody else's and told
// apart by their numbers.
func (f *federation) numbered(name string) script {
	f.Helper()
	s := script{name: name, file: f.dir + "/" + name + ".talk.ogg"}
	var b bytes.Buffer
	w := ogg.NewWriter(&b, ogg.Options{})
	for i := range talkPackets {
		p := binary.BigEndian.AppendUint32([]byte{31 << 3, name[0]}, uint32(i)) // CELT, 20 ms, one frame (RFC 6716 section 3.1)
		p = append(p, make([]byte, 60)...)
		f.must(w.Packet(1, name, name, uint32(960*i), p))
		s.packets = append(s.packets, p)
	}
	f.must(w.Close())
	f.must(os.WriteFile(s.file, b.Bytes(), 0o600))
	return s
}

// spokenIn reads a file of speech that opusenc made.
func spokenIn(t testing.TB, name, file string) script {
	t.Helper()
	file, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	streams, err := walk(b)
	if err != nil || len(streams) != 1 || !streams[0].ended {
		t.Fatalf("%s: %d streams, %v", file, len(streams), err)
	}
	return script{name, file, streams[0].sound()}
}

// passage is what of a script was heard: its packets [from, to).
type passage struct{ from, to int }

// in finds the passage that a stream holds: byte by byte, in order, without a
// hole.
func (s script) in(stream *oggStream) (passage, bool) {
	heard := stream.sound()
	for from := 0; len(heard) > 0 && from+len(heard) <= len(s.packets); from++ {
		if slices.EqualFunc(heard, s.packets[from:from+len(heard)], bytes.Equal) {
			return passage{from, from + len(heard)}, true
		}
	}
	return passage{}, false
}

// heard counts the packets of the script that a recording holds so far.
func (s script) heard(file string) int {
	b, _ := os.ReadFile(file)
	streams, _ := walk(b)
	for _, stream := range streams {
		if heard := stream.sound(); len(heard) > 0 && slices.ContainsFunc(s.packets, func(p []byte) bool { return bytes.Equal(p, heard[0]) }) {
			return len(heard)
		}
	}
	return 0
}
