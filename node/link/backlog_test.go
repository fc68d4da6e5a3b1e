package link

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// TestBacklog pushes and takes at random, and holds what comes out against a
// plain list.
func TestBacklog(t *testing.T) {
	type packet struct {
		body []byte
		at   time.Time
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{1, 300, maxFrameBytes} {
		var b backlog
		var model []packet
		now := time.Unix(1, 0)
		held := 0
		forget := func(why func() bool) (n int) {
			for len(model) > 0 && why() {
				held -= lengthBytes + len(model[0].body)
				model, n = model[1:], n+1
			}
			return n
		}
		old := func() bool { return now.Sub(model[0].at) > maxFrameWait }
		for i := range 20_000 {
			now = now.Add(time.Duration(random.IntN(300)) * time.Microsecond)
			if random.IntN(1000) == 0 {
				now = now.Add(maxFrameWait / 2)
			}
			if random.IntN(5) > 0 {
				p := packet{bytes.Repeat([]byte{byte(i)}, 1+random.IntN(most)), now}
				size := lengthBytes + len(p.body)
				want := forget(old) + forget(func() bool { return held+size > maxBacklogBytes })
				model, held = append(model, p), held+size
				if got := b.push(p.body, now); got != want {
					t.Fatalf("push %d dropped %d, want %d", i, got, want)
				}
				continue
			}
			want := forget(old)
			batch, taken, dropped := b.take(make([]byte, 0, batchBytes), now)
			if dropped != want {
				t.Fatalf("take %d dropped %d, want %d", i, dropped, want)
			}
			in := bufio.NewReaderSize(bytes.NewReader(batch), lengthBytes+maxFrameBytes)
			for range taken {
				got, err := nextFrame(in)
				if err != nil || !bytes.Equal(got, model[0].body) {
					t.Fatalf("take %d: %d bytes, %v; want %d", i, len(got), err, len(model[0].body))
				}
				in.Discard(len(got))
				n := 1
				forget(func() bool { n--; return n == 0 })
			}
			if taken == 0 && len(model) > 0 || b.len() != len(model) {
				t.Fatalf("take %d: took %d, left %d, want %d left", i, taken, b.len(), len(model))
			}
		}
		if c := cap(b.framed); c > 4*maxBacklogBytes {
			t.Errorf("a buffer of %d bytes for %d", c, maxBacklogBytes)
		}
	}
}

// FuzzFrames: whatever comes, reading ends, no packet is larger than it may be,
// and what was accepted frames the same.
func FuzzFrames(f *testing.F) {
	frame := func(sizes ...int) (b []byte) {
		for _, n := range sizes {
			b = append(binary.BigEndian.AppendUint16(b, uint16(n)), make([]byte, n)...)
		}
		return b
	}
	f.Add(frame(1, 0, 200, maxFrameBytes))
	f.Add(frame(maxFrameBytes + 1))
	f.Add(frame(10)[:7])
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for in := bufio.NewReaderSize(bytes.NewReader(b), lengthBytes+maxFrameBytes); ; {
			packet, err := nextFrame(in)
			if err != nil {
				rest := b[len(again):]
				if end := errors.Is(err, io.EOF); end != (len(rest) == 0) || !end && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, protocol.ErrLarge) {
					t.Fatal(fmt.Sprintf("%d bytes left: ", len(rest)), err)
				}
				break
			}
			if len(packet) > maxFrameBytes {
				t.Fatal("took", len(packet), "bytes")
			}
			again = append(binary.BigEndian.AppendUint16(again, uint16(len(packet))), packet...)
			in.Discard(len(packet))
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatal("frames otherwise")
		}
	})
}
