package link

import (
	"encoding/binary"
	"time"
)

// lengthBytes is the size of the length before each packet (RFC 4571 section 2).
const lengthBytes = 2

// backlog holds framed packets, oldest first, until a stream takes them. It is
// bounded in age and in bytes; what it holds lies in one buffer, which is used
// again and again.
type backlog struct {
	framed []byte // from head on: lengths and packets, as they go on the stream
	head   int
	posted []time.Time // from first on: of each packet
	first  int
}

// push adds a packet, and says how many older ones made room for it or were too
// old.
func (b *backlog) push(packet []byte, now time.Time) (dropped int) {
	dropped = b.expire(now)
	size := lengthBytes + len(packet)
	for len(b.framed)-b.head+size > maxBacklogBytes {
		b.shift()
		dropped++
	}
	b.compact(size)
	b.framed = binary.BigEndian.AppendUint16(b.framed, uint16(len(packet)))
	b.framed = append(b.framed, packet...)
	b.posted = append(b.posted, now)
	return dropped
}

// take moves what is not too old to batch, as far as it has room, and says how
// many packets it took and how many were too old.
func (b *backlog) take(batch []byte, now time.Time) (_ []byte, taken, dropped int) {
	dropped = b.expire(now)
	for b.first < len(b.posted) && len(batch)+b.frame() <= cap(batch) {
		batch = append(batch, b.framed[b.head:b.head+b.frame()]...)
		b.shift()
		taken++
	}
	return batch, taken, dropped
}

// expire drops what has waited too long.
func (b *backlog) expire(now time.Time) (dropped int) {
	for b.first < len(b.posted) && now.Sub(b.posted[b.first]) > maxFrameWait {
		b.shift()
		dropped++
	}
	return dropped
}

// frame is the size of the oldest packet with its length.
func (b *backlog) frame() int {
	return lengthBytes + int(binary.BigEndian.Uint16(b.framed[b.head:]))
}

// shift takes the oldest packet out.
func (b *backlog) shift() {
	b.head += b.frame()
	b.first++
	if b.first == len(b.posted) {
		b.framed, b.head = b.framed[:0], 0
		b.posted, b.first = b.posted[:0], 0
	}
}

// compact moves what waits to the buffer's start rather than let it grow, where
// that is worth the copying.
func (b *backlog) compact(size int) {
	if len(b.framed)+size > cap(b.framed) && b.head >= len(b.framed)/2 {
		b.framed, b.head = b.framed[:copy(b.framed, b.framed[b.head:])], 0
	}
	if len(b.posted) == cap(b.posted) && b.first >= len(b.posted)/2 {
		b.posted, b.first = b.posted[:copy(b.posted, b.posted[b.first:])], 0
	}
}

func (b *backlog) len() int { return len(b.posted) - b.first }
