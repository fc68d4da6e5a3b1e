package ogg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// tape writes pages by hand, good ones and bad ones.
type tape struct {
	bytes.Buffer
	sequence map[uint32]uint32
}

// page appends a page whose segments are given by the packets' sizes; open
// leaves the last packet to go on in the next page.
func (p *tape) page(serial uint32, flags byte, granule int64, open bool, packets ...[]byte) *tape {
	if p.sequence == nil {
		p.sequence = map[uint32]uint32{}
	}
	var sizes []int
	for _, packet := range packets {
		sizes = append(sizes, len(packet))
	}
	if flags&firstPage != 0 {
		p.sequence[serial] = 0
	}
	b := appendPage(nil, flags, granule, serial, p.sequence[serial], slices.Concat(packets...), sizes...)
	if open { // drop the segment of 0 bytes that ends it
		count := int(b[segmentsAt])
		b = slices.Delete(b, headerBytes+count-1, headerBytes+count)
		b[segmentsAt]--
		resum(b)
	}
	p.sequence[serial]++
	p.Write(b)
	return p
}

func resum(b []byte) {
	clear(b[sumAt:segmentsAt])
	binary.LittleEndian.PutUint32(b[sumAt:], checksum(0, b))
}

func head(channels, family byte) []byte {
	b := appendHead(nil)
	b[9], b[18] = channels, family
	return b
}

func tags() []byte { return appendTags(nil, nil, 0) }

// opusStream begins a stream.
func (p *tape) opusStream(serial uint32) *tape {
	return p.page(serial, firstPage, 0, false, head(1, 0)).page(serial, 0, 0, false, tags())
}

func collect(r io.Reader) (packets []Packet, err error) {
	reader := NewReader(r)
	for {
		p, err := reader.Next()
		if err != nil {
			if _, again := reader.Next(); again != err {
				return packets, errors.New("the error does not last")
			}
			return packets, err
		}
		p.Data = bytes.Clone(p.Data)
		packets = append(packets, p)
	}
}

func TestReader(t *testing.T) {
	long := celt(1019) // 1020 bytes: four full segments and one of none
	vorbis := []byte("\x01vorbis and so on")
	huge := append([]byte(tagsMagic), make([]byte, 255*250-8)...)
	tests := []struct {
		name string
		tape *tape
		want [][]byte
		err  error
	}{
		{"plain", new(tape).opusStream(1).
			page(1, 0, 1920, false, celt(1), celt(2)).page(1, lastPage, 2880, false, celt(3)),
			[][]byte{celt(1), celt(2), celt(3)}, io.EOF},
		{"no end", new(tape).opusStream(1).page(1, 0, 960, false, celt(1)), [][]byte{celt(1)}, io.EOF},
		{"empty last page", new(tape).opusStream(1).page(1, 0, 960, false, celt(1)).page(1, lastPage, 960, false),
			[][]byte{celt(1)}, io.EOF},
		{"a packet on two pages", new(tape).opusStream(1).
			page(1, 0, 960, true, celt(1), long[:510]).page(1, continued, 2880, false, long[510:], celt(2)),
			[][]byte{celt(1), long, celt(2)}, io.EOF},
		{"a packet on three pages", new(tape).opusStream(1).
			page(1, 0, noGranule, true, long[:255]).page(1, continued, noGranule, true, long[255:510]).
			page(1, continued, 960, false, long[510:]),
			[][]byte{long}, io.EOF},
		{"a full segment, then one of none", new(tape).opusStream(1).
			page(1, 0, noGranule, true, long).page(1, continued, 960, false, nil),
			[][]byte{long}, io.EOF},
		{"large tags on several pages", new(tape).page(1, firstPage, 0, false, head(1, 0)).
			page(1, 0, noGranule, true, huge).page(1, continued, noGranule, true, huge).page(1, continued, 0, false, huge[:9]).
			page(1, lastPage, 960, false, celt(1)),
			[][]byte{celt(1)}, io.EOF},
		{"a chain", new(tape).opusStream(1).page(1, lastPage, 960, false, celt(1)).
			opusStream(2).page(2, lastPage, 960, false, celt(2)),
			[][]byte{celt(1), celt(2)}, io.EOF},
		{"a chain without ends, same serial", new(tape).opusStream(1).page(1, 0, 960, false, celt(1)).
			opusStream(1).page(1, 0, 960, false, celt(2)),
			[][]byte{celt(1), celt(2)}, io.EOF},
		{"beside another stream", new(tape).page(9, firstPage, 0, false, vorbis).page(1, firstPage, 0, false, head(2, 0)).
			page(9, 0, 0, false, []byte("tags")).page(1, 0, 0, false, tags()).
			page(1, 0, 960, false, celt(1)).page(9, 0, 7, false, []byte("sound")).page(1, lastPage, 1920, false, celt(2)).
			page(9, lastPage, 9, false, []byte("more")),
			[][]byte{celt(1), celt(2)}, io.EOF},
		{"beside another Opus stream", new(tape).page(1, firstPage, 0, false, head(2, 0)).page(2, firstPage, 0, false, head(2, 0)).
			page(1, 0, 0, false, tags()).page(2, 0, 0, false, tags()).
			page(2, 0, 960, false, celt(1)).page(1, lastPage, 1920, false, celt(2)).page(2, lastPage, 1920, false, celt(3)),
			[][]byte{celt(2)}, io.EOF},
		{"joined in the middle of a broadcast", func() *tape {
			p := new(tape).opusStream(1)
			p.sequence[1] = 5000
			return p.page(1, continued, 99960, false, celt(9)[5:], celt(1)).page(1, 0, 100920, false, celt(2))
		}(), [][]byte{celt(1), celt(2)}, io.EOF},
		{"a lost page", func() *tape {
			p := new(tape).opusStream(1).page(1, 0, 960, false, celt(1))
			p.sequence[1]++
			return p.page(1, 0, 2880, false, celt(2))
		}(), [][]byte{celt(1)}, ErrMissing},
		{"a packet that never ends", new(tape).opusStream(1).page(1, 0, 960, true, celt(1), long[:510]),
			[][]byte{celt(1)}, ErrTruncated},
		{"a packet that breaks off", new(tape).opusStream(1).page(1, 0, 960, true, celt(1), long[:510]).
			page(1, 0, 1920, false, celt(2)),
			[][]byte{celt(1)}, ErrTruncated},
		{"a packet that breaks off at a link's end", new(tape).opusStream(1).page(1, 0, 960, true, celt(1), long[:510]).
			opusStream(2).page(2, 0, 960, false, celt(2)),
			[][]byte{celt(1)}, ErrTruncated},
		{"a packet from nowhere", new(tape).opusStream(1).page(1, continued, 960, false, celt(1)), nil, ErrMissing},
		{"no first page", new(tape).page(1, 0, 960, false, celt(1)), nil, ErrMiddle},
		{"headers only", new(tape).opusStream(1), nil, ErrNoSound},
		{"head only", new(tape).page(1, firstPage, 0, false, head(1, 0)), nil, ErrNoSound},
		{"no tags", new(tape).page(1, firstPage, 0, false, head(1, 0)).page(1, 0, 960, false, celt(1)), nil, ErrHeader},
		{"half a head", new(tape).page(1, firstPage, 0, false, head(1, 0)[:18]), nil, ErrHeader},
		{"a head of version 16", func() *tape {
			h := head(1, 0)
			h[8] = 16
			return new(tape).page(1, firstPage, 0, false, h)
		}(), nil, ErrHeader},
		{"one serial twice", new(tape).page(1, firstPage, 0, false, head(1, 0)).page(1, firstPage, 0, false, head(1, 0)), nil, ErrHeader},
		{"a packet of none", new(tape).opusStream(1).page(1, 0, 960, false, celt(1), nil, celt(2)), [][]byte{celt(1)}, ErrPacket},
		{"a packet of nonsense", new(tape).opusStream(1).page(1, 0, 960, false, celt(1), []byte{3, 0}), [][]byte{celt(1)}, ErrPacket},
		{"a negative granule position", new(tape).opusStream(1).page(1, 0, -5, false, celt(1)), nil, ErrGranule},
		{"a silence of weeks", new(tape).opusStream(1).page(1, 0, 960, false, celt(1)).page(1, 0, 1<<40, false, celt(1)),
			[][]byte{celt(1)}, ErrGranule},
		{"rubbish between pages", func() *tape {
			p := new(tape).opusStream(1).page(1, 0, 960, false, celt(1))
			p.WriteString("TAGofanID3v1")
			return p.page(1, 0, 1920, false, celt(2))
		}(), [][]byte{celt(1)}, ErrPage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for way, in := range map[string]io.Reader{
				"at once":    bytes.NewReader(test.tape.Bytes()),
				"in pieces":  iotest.OneByteReader(bytes.NewReader(test.tape.Bytes())),
				"error soon": iotest.DataErrReader(bytes.NewReader(test.tape.Bytes())),
			} {
				packets, err := collect(in)
				if !errors.Is(err, test.err) {
					t.Fatalf("%s: %v, want %v", way, err, test.err)
				}
				if !slices.EqualFunc(packets, test.want, func(p Packet, b []byte) bool { return bytes.Equal(p.Data, b) }) {
					t.Fatalf("%s: %d packets, want %d", way, len(packets), len(test.want))
				}
			}
		})
	}
}

func TestPacketFields(t *testing.T) {
	p := new(tape).opusStream(1).
		page(1, 0, 500960, false, celt(1)). // a start elsewhere is no silence
		page(1, 0, 500960+1920, false, celt(2), celt(3)).
		page(1, 0, 500960+1920+48000+1920, false, celt(4), celt(5)).
		page(1, 0, 500960+1920+48000+1920+900, false, celt(6)).         // rounded down
		page(1, 0, 500960+1920+48000+1920+1920, false, celt(7)).        // and right again
		page(1, lastPage, 500960+1920+48000+1920+1930, false, celt(8)). // trimmed
		page(2, firstPage, 0, false, head(2, 0)).page(2, 0, 0, false, tags()).
		page(2, lastPage, 10, false, celt(9))
	packets, err := collect(p)
	if err != io.EOF || len(packets) != 9 {
		t.Fatalf("%d packets, %v", len(packets), err)
	}
	for i, got := range packets {
		want := Packet{Data: celt(i + 1), Duration: 20 * time.Millisecond, Channels: 1, First: i == 0 || i == 8}
		if i == 3 {
			want.Gap = time.Second
		}
		if i == 8 {
			want.Channels = 2
		}
		if got.Duration != want.Duration || got.Gap != want.Gap || got.First != want.First || got.Channels != want.Channels {
			t.Errorf("packet %d: %+v", i, got)
		}
	}
}

func TestTypedErrors(t *testing.T) {
	short := []byte{16 << 3, 1}                // 2.5 ms
	longer := []byte{31<<3 | 3, 4, 1, 2, 3, 4} // 80 ms
	fat := celt(protocol.MaxPacketBytes)       // and a byte
	endless := celt(255*254 - 1)
	with := func(packets ...[]byte) []byte {
		return new(tape).opusStream(1).page(1, 0, 960, false, packets...).Bytes()
	}
	if d := (*DurationError)(nil); !errors.As(fails(t, with(celt(1), short)), &d) || d.Duration != 2500*time.Microsecond {
		t.Errorf("2.5 ms: %v", d)
	}
	if d := (*DurationError)(nil); !errors.As(fails(t, with(longer)), &d) || d.Duration != 80*time.Millisecond {
		t.Errorf("80 ms: %v", d)
	}
	if s := (*SizeError)(nil); !errors.As(fails(t, with(fat)), &s) {
		t.Error("no SizeError")
	}
	going := new(tape).opusStream(1)
	for i := range byte(9) {
		going.page(1, min(i, continued), noGranule, true, endless)
	}
	if s := (*SizeError)(nil); !errors.As(fails(t, going.Bytes()), &s) {
		t.Error("no SizeError of a packet on many pages")
	}
	if c := (*ChannelsError)(nil); !errors.As(fails(t, new(tape).page(1, firstPage, 0, false, head(6, 1)).Bytes()), &c) || c.Channels != 6 {
		t.Errorf("six channels: %v", c)
	}
	for codec, first := range map[string]string{
		"Vorbis": "\x01vorbis...", "FLAC": "\x7fFLAC...", "Speex": "Speex   1.2", "Theora": "\x80theora...", "an unknown codec": "?",
	} {
		p := new(tape).page(1, firstPage, 0, false, []byte("fishead\x00")).page(2, firstPage, 0, false, []byte(first))
		for range 2 {
			if c := (*CodecError)(nil); !errors.As(fails(t, p.Bytes()), &c) || !slices.Equal(c.Codecs, []string{codec}) {
				t.Errorf("%s: %v", codec, c)
			}
			p.page(2, 0, 0, false, []byte("second"))
		}
	}
}

func fails(t *testing.T, b []byte) error {
	t.Helper()
	_, err := collect(bytes.NewReader(b))
	return err
}

// Cut at any byte, all packets that came whole are given, then a clear error;
// damaged in any byte, an error or the same packets but none that was not there.
func TestCutAndDamaged(t *testing.T) {
	p := new(tape).opusStream(1).page(1, 0, 2880, false, celt(1), celt(300), celt(2)).
		page(1, 0, 3840, true, celt(4), celt(254)).page(1, continued|lastPage, 5760, false, nil, celt(5))
	whole := p.Bytes()
	all, err := collect(bytes.NewReader(whole))
	if err != io.EOF || len(all) != 6 {
		t.Fatalf("%d packets, %v", len(all), err)
	}
	before := 0
	for n := range whole {
		packets, err := collect(bytes.NewReader(whole[:n]))
		switch {
		case n == 0 && !errors.Is(err, ErrEmpty):
			t.Fatalf("of nothing: %v", err)
		case n > 0 && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrNoSound) && err != io.EOF:
			t.Fatalf("of %d bytes: %v", n, err)
		case len(packets) < before || len(packets) > before+1:
			t.Fatalf("of %d bytes: %d packets, and %d of one less", n, len(packets), before)
		}
		before = len(packets)
	}
	for n := range whole {
		b := bytes.Clone(whole)
		b[n] ^= 0x41
		packets, err := collect(bytes.NewReader(b))
		if err == io.EOF {
			t.Fatalf("byte %d is damaged and nobody saw", n)
		}
		if n > bytes.LastIndex(whole, []byte(capture)) {
			continue // a last page whose sizes are damaged looks like one cut off
		}
		for i, p := range packets {
			if !bytes.Equal(p.Data, all[i].Data) {
				t.Fatalf("byte %d: packet %d is another", n, i)
			}
		}
	}
}

// Packets come as soon as the page that ends them is there.
func TestReaderDoesNotWait(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	r := NewReader(in)
	p := new(tape).opusStream(1).page(1, 0, 1920, false, celt(1), celt(2))
	go out.Write(p.Bytes()) // and then nothing: waiting for more would hang
	for i := range 2 {
		got, err := r.Next()
		if err != nil || !bytes.Equal(got.Data, celt(i+1)) {
			t.Fatalf("packet %d: %v", i, err)
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	p := new(tape).opusStream(1).page(1, 0, 1920, false, celt(1)).Bytes()
	for _, n := range []int{0, 3, 20, 30, len(p) - 1, len(p)} {
		_, err := collect(io.MultiReader(bytes.NewReader(p[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestReaderAllocatesLittle(t *testing.T) {
	p := new(tape).opusStream(1)
	for i := range int64(500) {
		p.page(1, 0, 960*2*(i+1), false, celt(60), celt(70))
	}
	r := NewReader(p)
	r.Next()
	if n := testing.AllocsPerRun(900, func() { r.Next() }); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("ID3 a song"))
	f.Add(new(tape).opusStream(1).page(1, lastPage, 1920, false, celt(1), celt(2)).Bytes())
	f.Add(new(tape).opusStream(1).page(1, 0, 960, true, celt(254)).page(1, continued, 960, false, nil).Bytes())
	f.Add(new(tape).page(1, firstPage, 0, false, []byte("\x01vorbis")).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		for at := 0; ; at++ { // let what is mutated pass the checksums
			i := bytes.Index(b[at:], []byte(capture))
			if i < 0 {
				break
			}
			if at += i; !mend(b[at:]) {
				break
			}
		}
		packets, err := collect(bytes.NewReader(b))
		total := 0
		for _, p := range packets {
			total += len(p.Data)
			if p.Duration < protocol.MinPacketDuration || p.Duration > protocol.MaxPacketDuration ||
				len(p.Data) > protocol.MaxPacketBytes || p.Gap < 0 || p.Gap > maxGap || p.Channels < 1 || p.Channels > 2 {
				t.Fatalf("%+v", p)
			}
		}
		if total > len(b) {
			t.Fatalf("%d bytes of packets out of %d", total, len(b))
		}
		if err != io.EOF {
			if text := Explain("x.ogg", err).Error(); strings.Contains(text, "\n") || text == "" {
				t.Fatalf("%q", text)
			}
		}
	})
}

// mend gives the page at the start of b the checksum it should have.
func mend(b []byte) bool {
	if len(b) < headerBytes {
		return false
	}
	size := headerBytes + int(b[segmentsAt])
	if len(b) < size {
		return false
	}
	for _, s := range b[headerBytes:size] {
		size += int(s)
	}
	if len(b) < size {
		return false
	}
	resum(b[:size])
	return true
}

func BenchmarkReader(b *testing.B) {
	p := new(tape).opusStream(1)
	for i := range int64(1000) {
		p.page(1, 0, 960*2*(i+1), false, celt(60), celt(70))
	}
	b.ReportAllocs()
	b.SetBytes(int64(p.Len()))
	for b.Loop() {
		r := NewReader(bytes.NewReader(p.Bytes()))
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
