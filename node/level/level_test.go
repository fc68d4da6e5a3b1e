package level_test

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/earshot-audio/earshot/node/level"
)

// packets reads a file of testdata.
func packets(t testing.TB, name string) (packets [][]byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".packets")
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := 2 + int(binary.BigEndian.Uint16(b))
		packets, b = append(packets, b[2:n]), b[n:]
	}
	return packets
}

func TestLevel(t *testing.T) {
	for name, want := range map[string]uint8{"loud": 3, "plain": 21, "quiet": 41, "silent": 127} {
		var m level.Meter
		for i, p := range packets(t, name) {
			got := m.Level(p)
			if i < 2 || i > 22 { // the tone's edges
				continue
			}
			if diff := int(got) - int(want); diff < -1 || diff > 1 {
				t.Errorf("%s, packet %d: %d, want %d", name, i, got, want)
			}
		}
	}
}

func TestPacketsWithoutSound(t *testing.T) {
	var m level.Meter
	for _, test := range []struct {
		packet []byte
		want   uint8
	}{
		{nil, level.Unknown},
		{[]byte{3, 0}, level.Unknown},
		{[]byte{31 << 3}, level.Silent},
		{[]byte{9 << 3, 0}, level.Silent},
	} {
		if got := m.Level(test.packet); got != test.want {
			t.Errorf("% x: %d, want %d", test.packet, got, test.want)
		}
	}
}

// After a packet that makes no sense, good ones are measured again.
func TestRecovers(t *testing.T) {
	var m level.Meter
	plain := packets(t, "plain")
	for i, p := range plain[:20] {
		m.Level([]byte{31<<3 | 7, byte(i), 255, 255, 255})
		m.Level(p[:len(p)/2])
	}
	for _, p := range plain {
		m.Level(p)
	}
	if got := m.Level(plain[10]); got < 19 || got > 23 {
		t.Errorf("%d", got)
	}
}

func FuzzMeter(f *testing.F) {
	for _, name := range []string{"loud", "quiet", "silent"} {
		p := packets(f, name)
		f.Add(p[0], p[1])
	}
	f.Add([]byte{9 << 3, 1, 2, 3}, []byte{13 << 3, 4, 5, 6})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var m level.Meter
		for _, p := range [][]byte{a, b, a} {
			if got := m.Level(p); got > level.Silent {
				t.Fatalf("%d", got)
			}
		}
	})
}

func BenchmarkMeter(b *testing.B) {
	plain := packets(b, "plain")
	var m level.Meter
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Level(plain[i%len(plain)])
	}
}
