package opus_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/protocol/opus"
)

// packet puts n bytes of a frame's inside after what stands before it.
func packet(n int, head ...byte) []byte { return append(head, make([]byte, n)...) }

func toc(configuration, stereo, code byte) byte { return configuration<<3 | stereo<<2 | code }

func TestDurationOfEachConfiguration(t *testing.T) {
	ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
	var want []time.Duration
	for range 3 { // SILK at three bandwidths
		want = append(want, ms(10), ms(20), ms(40), ms(60))
	}
	for range 2 { // hybrid at two
		want = append(want, ms(10), ms(20))
	}
	for range 4 { // CELT at four
		want = append(want, ms(2.5), ms(5), ms(10), ms(20))
	}
	for configuration, want := range want {
		for stereo := range 2 {
			p := packet(40, toc(byte(configuration), byte(stereo), 0))
			got, err := opus.Duration(p)
			if err != nil || got != want {
				t.Errorf("configuration %d: %v, %v; want %v", configuration, got, err, want)
			}
		}
	}
}

func TestSamples(t *testing.T) {
	const (
		silk20  = 9
		silk60  = 11
		celt2_5 = 16
		celt20  = 31
		vbr     = 0x80
		padded  = 0x40
	)
	tests := []struct {
		name   string
		packet []byte
		want   int // 0: refused
	}{
		{"empty", nil, 0},
		{"nothing but the first byte", []byte{toc(celt20, 0, 0)}, 960},
		{"one frame of the largest size", packet(1275, toc(celt20, 0, 0)), 960},
		{"one frame too large", packet(1276, toc(celt20, 0, 0)), 0},
		{"two equal", packet(60, toc(silk20, 0, 1)), 1920},
		{"two equal, none of either", []byte{toc(silk20, 0, 1)}, 1920},
		{"two equal, odd", packet(61, toc(silk20, 0, 1)), 0},
		{"two equal, too large", packet(2552, toc(silk20, 0, 1)), 0},
		{"two equal of 60 ms", packet(60, toc(silk60, 0, 1)), 5760},
		{"two told", packet(30, toc(silk20, 0, 2), 10), 1920},
		{"two told, the second empty", packet(10, toc(silk20, 0, 2), 10), 1920},
		{"two told, no length", []byte{toc(silk20, 0, 2)}, 0},
		{"two told, half a length", []byte{toc(silk20, 0, 2), 252}, 0},
		{"two told, long length", packet(252, toc(silk20, 0, 2), 252, 0), 1920},
		{"two told, first too long", packet(9, toc(silk20, 0, 2), 10), 0},
		{"two told, second too large", packet(1286, toc(silk20, 0, 2), 10), 0},
		{"counted, no count", []byte{toc(celt20, 0, 3)}, 0},
		{"counted, none", []byte{toc(celt20, 0, 3), 0}, 0},
		{"counted, none, variable", packet(10, toc(celt20, 0, 3), vbr), 0},
		{"counted, three equal", packet(30, toc(celt20, 0, 3), 3), 2880},
		{"counted, three unequal", packet(31, toc(celt20, 0, 3), 3), 0},
		{"counted, six of 20 ms", packet(60, toc(celt20, 0, 3), 6), 5760},
		{"counted, seven of 20 ms", packet(70, toc(celt20, 0, 3), 7), 0},
		{"counted, 48 of 2.5 ms", packet(48, toc(celt2_5, 0, 3), 48), 5760},
		{"counted, 49 of 2.5 ms", packet(49, toc(celt2_5, 0, 3), 49), 0},
		{"counted, three of 60 ms", packet(30, toc(silk60, 0, 3), 3), 0},
		{"variable, three", packet(30, toc(celt20, 0, 3), 3|vbr, 10, 10), 2880},
		{"variable, told too much", packet(19, toc(celt20, 0, 3), 3|vbr, 10, 10), 0},
		{"variable, lengths cut", []byte{toc(celt20, 0, 3), 3 | vbr, 10}, 0},
		{"variable, last too large", packet(1296, toc(celt20, 0, 3), 3|vbr, 10, 10), 0},
		{"padded", packet(15, toc(celt20, 0, 3), 1|padded, 5), 960},
		{"padded by 254 and more", packet(265, toc(celt20, 0, 3), 1|padded, 255, 1), 960},
		{"padded, nothing else", packet(5, toc(celt20, 0, 3), 1|padded, 5), 960},
		{"padded beyond the end", packet(4, toc(celt20, 0, 3), 1|padded, 5), 0},
		{"padded, no length", []byte{toc(celt20, 0, 3), 1 | padded}, 0},
		{"padded, length cut", []byte{toc(celt20, 0, 3), 1 | padded, 255}, 0},
		{"padded, rest unequal", packet(6, toc(celt20, 0, 3), 2|padded, 1), 0},
		{"padded and variable", packet(25, toc(celt20, 0, 3), 2|padded|vbr, 5, 10), 1920},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := opus.Samples(test.packet)
			if got != test.want || (err == nil) != (test.want > 0) {
				t.Errorf("Samples = %d, %v; want %d", got, err, test.want)
			}
			if err != nil && errors.Is(err, opus.ErrEmpty) != (len(test.packet) == 0) {
				t.Errorf("Samples: %v", err)
			}
		})
	}
}

func TestSamplesAllocatesNothing(t *testing.T) {
	p := packet(30, toc(31, 0, 3), 3|0x80, 10, 10)
	if n := testing.AllocsPerRun(100, func() { opus.Samples(p); opus.Duration(p[:1]); opus.Duration(nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzSamples(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{toc(31, 1, 0)})
	f.Add(packet(30, toc(31, 0, 3), 3|0x80, 10, 10))
	f.Add(packet(265, toc(31, 0, 3), 1|0x40, 255, 1))
	f.Fuzz(func(t *testing.T, p []byte) {
		before := bytes.Clone(p)
		n, err := opus.Samples(p)
		if !bytes.Equal(p, before) {
			t.Fatal("packet changed")
		}
		if err != nil {
			return
		}
		if n < opus.Rate/400 || n > opus.MaxSamples || n%(opus.Rate/400) != 0 {
			t.Fatalf("%d samples", n)
		}
	})
}

func BenchmarkSamples(b *testing.B) {
	p := packet(30, toc(31, 0, 3), 3|0x80, 10, 10)
	b.ReportAllocs()
	for b.Loop() {
		opus.Samples(p)
	}
}
