package ogg

import "encoding/binary"

// A page (RFC 3533 section 6): a header, a table of segment sizes, and the
// segments. A packet is a run of segments up to one shorter than 255 bytes.
const (
	capture      = "OggS"
	headerBytes  = 27
	maxSegments  = 255
	segmentBytes = 255
	maxPageBytes = headerBytes + maxSegments + maxSegments*segmentBytes

	flagsAt, granuleAt, serialAt, sequenceAt, sumAt, segmentsAt = 5, 6, 14, 18, 22, 26
)

// flags of a page's header.
const (
	continued = 1 << iota // begins inside a packet
	firstPage             // of its logical stream ("BOS")
	lastPage              // of its logical stream ("EOS")
)

// noGranule stands in a page on which no packet ends.
const noGranule = -1

// page is a view of a page's bytes; they belong to who read it.
type page struct {
	flags    byte
	granule  int64 // samples at 48 kHz up to the last packet that ends here
	serial   uint32
	sequence uint32
	sum      uint32
	segments []byte // sizes
	body     []byte
	cut      bool // the input ended inside it: body is shorter than segments say
}

// parseHeader reads a page's first headerBytes; it gives the number of segments.
func parseHeader(b []byte) (page, int) {
	le := binary.LittleEndian
	return page{
		flags:    b[flagsAt],
		granule:  int64(le.Uint64(b[granuleAt:])),
		serial:   le.Uint32(b[serialAt:]),
		sequence: le.Uint32(b[sequenceAt:]),
		sum:      le.Uint32(b[sumAt:]),
	}, int(b[segmentsAt])
}

// is says whether a flag is set.
func (p *page) is(flag byte) bool { return p.flags&flag != 0 }

// take cuts the next packet off the page, or what the page holds of it: ended
// tells which, and ok whether there was any.
func (p *page) take() (data []byte, ended, ok bool) {
	size := 0
	for i, s := range p.segments {
		size += int(s)
		if size > len(p.body) {
			break
		}
		if s < segmentBytes || i == len(p.segments)-1 {
			data, p.body, p.segments = p.body[:size], p.body[size:], p.segments[i+1:]
			return data, s < segmentBytes, true
		}
	}
	return nil, false, false
}

// appendPage writes a page of whole packets, which stand one after the other in
// data and have these sizes. Their segments must fit maxSegments.
func appendPage(b []byte, flags byte, granule int64, serial, sequence uint32, data []byte, sizes ...int) []byte {
	le := binary.LittleEndian
	start := len(b)
	b = append(b, capture...)
	b = append(b, 0, flags)
	b = le.AppendUint64(b, uint64(granule))
	b = le.AppendUint32(b, serial)
	b = le.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, 0) // checksum, number of segments
	for _, size := range sizes {
		n := segmentsOf(size)
		for range n - 1 {
			b = append(b, segmentBytes)
		}
		b = append(b, byte(size%segmentBytes))
		b[start+segmentsAt] += byte(n)
	}
	b = append(b, data...)
	le.PutUint32(b[start+sumAt:], checksum(0, b[start:]))
	return b
}

// segmentsOf gives the number of segments of a packet of n bytes.
func segmentsOf(n int) int { return n/segmentBytes + 1 }

// checksum continues a page's CRC over b: polynomial 0x04c11db7, neither
// reflected nor inverted, which is not one of hash/crc32's (RFC 3533 section 6).
// The header's own field counts as zero.
func checksum(sum uint32, b []byte) uint32 {
	for _, c := range b {
		sum = sum<<8 ^ sumTable[byte(sum>>24)^c]
	}
	return sum
}

// sumTable holds the checksum of each byte; nothing writes to it again.
var sumTable = func() (table [256]uint32) {
	for i := range table {
		sum := uint32(i) << 24
		for range 8 {
			carry := sum >> 31
			sum = sum<<1 ^ carry*0x04c11db7
		}
		table[i] = sum
	}
	return table
}()
