package ogg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tool finds a program that tests judge by; without it they are skipped, unless
// EARSHOT_REQUIRE_TOOLS=1 says that it has to be here.
func tool(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed (Debian: apt-get install ffmpeg opus-tools)", name)
	}
}

// run gives what a program says, on both outputs apart.
func run(t testing.TB, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), said.String())
	}
	return out.String(), said.String()
}

// wav writes a sound of 3.21 s that rises, with a rhythm, so that packets differ.
func wav(t testing.TB, channels int) string {
	t.Helper()
	const rate, frames = 48000, 48000 * 321 / 100
	le := binary.LittleEndian
	b := []byte("RIFF\xff\xff\xff\x7fWAVEfmt ")
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, rate)
	b = le.AppendUint32(b, uint32(rate*2*channels))
	b = le.AppendUint16(b, uint16(2*channels))
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(frames*2*channels))
	for i := range frames {
		s := float64(i) / rate
		for c := range channels {
			v := math.Sin(2*math.Pi*(200*s+150*s*s)*float64(c+1)) * math.Abs(math.Sin(9*s))
			b = le.AppendUint16(b, uint16(int16(v*12000)))
		}
	}
	name := filepath.Join(t.TempDir(), fmt.Sprintf("sound%d.wav", channels))
	must(t, os.WriteFile(name, b, 0o600))
	return name
}

// probe gives the sizes of packets that ffprobe finds, by stream.
func probe(t testing.TB, name string, args ...string) map[int][]int {
	t.Helper()
	args = append([]string{"-v", "warning", "-show_entries", "packet=stream_index,size", "-of", "csv=p=0"}, append(args, name)...)
	out, said := run(t, "ffprobe", args...)
	if said != "" {
		t.Errorf("ffprobe: %s", said)
	}
	sizes := map[int][]int{}
	for line := range strings.Lines(out) {
		fields := strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool { return r == ',' })
		if len(fields) < 2 {
			continue // side data
		}
		stream, err1 := strconv.Atoi(fields[0])
		size, err2 := strconv.Atoi(fields[1])
		if err1 != nil || err2 != nil {
			t.Fatalf("ffprobe says %q", line)
		}
		sizes[stream] = append(sizes[stream], size)
	}
	return sizes
}

func sizesOf[P any](packets []P, data func(P) []byte) (sizes []int) {
	for _, p := range packets {
		sizes = append(sizes, len(data(p)))
	}
	return sizes
}

func TestInputFromEncoders(t *testing.T) {
	tool(t, "ffmpeg", "ffprobe", "opusenc")
	sound := map[int]string{1: wav(t, 1), 2: wav(t, 2)}
	for _, test := range []struct {
		encoder, args string
		channels      int
		duration      time.Duration
	}{
		{"opusenc", "--framesize 20", 1, 20 * time.Millisecond},
		{"opusenc", "--framesize 10 --bitrate 24", 1, 10 * time.Millisecond},
		{"opusenc", "--framesize 40", 2, 40 * time.Millisecond},
		{"opusenc", "--framesize 60 --bitrate 40 --padding 200000", 2, 60 * time.Millisecond},
		{"opusenc", "--framesize 20 --bitrate 96 --max-delay 20", 2, 20 * time.Millisecond},
		{"opusenc", "--framesize 20 --bitrate 400 --hard-cbr --max-delay 1000", 2, 20 * time.Millisecond},
		{"ffmpeg", "", 1, 20 * time.Millisecond},
		{"ffmpeg", "-frame_duration 10 -b:a 200k", 2, 10 * time.Millisecond},
		{"ffmpeg", "-frame_duration 60 -application voip -page_duration 100000", 1, 60 * time.Millisecond},
		{"ffmpeg", "-f lavfi -i testsrc=d=3.21:s=64x48:r=5 -c:v libtheora -map 0 -map 1", 1, 20 * time.Millisecond},
	} {
		t.Run(test.encoder+" "+test.args, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "talk.ogg")
			args := strings.Fields(test.args)
			if test.encoder == "opusenc" {
				args = append(append([]string{"--quiet"}, args...), sound[test.channels], name)
			} else {
				args = append(append([]string{"-v", "error", "-i", sound[test.channels]}, args...), "-c:a", "libopus", name)
			}
			run(t, test.encoder, args...)
			b, err := os.ReadFile(name)
			must(t, err)
			packets, err := collect(bytes.NewReader(b))
			if err != io.EOF {
				t.Fatal(err)
			}
			for _, sizes := range probe(t, name, "-select_streams", "a") {
				if got := sizesOf(packets, func(p Packet) []byte { return p.Data }); !slices.Equal(got, sizes) {
					t.Errorf("%d packets; ffprobe finds %d", len(got), len(sizes))
				}
			}
			for i, p := range packets {
				last := i == len(packets)-1 && p.Duration < test.duration // opusenc ends with a shorter one
				if p.Duration != test.duration && !last || p.Channels != test.channels || p.Gap != 0 || p.First != (i == 0) {
					t.Fatalf("packet %d of %d: %v, %d channels, gap %v", i, len(packets), p.Duration, p.Channels, p.Gap)
				}
			}
			twice, err := collect(bytes.NewReader(slices.Concat(b, b)))
			if err != io.EOF || len(twice) != 2*len(packets) || !twice[len(packets)].First {
				t.Errorf("of two in a chain: %d packets, %v", len(twice), err)
			}
		})
	}
}

// From a pipe, packets come while the encoder still works.
func TestInputFromAPipe(t *testing.T) {
	tool(t, "ffmpeg")
	c := exec.Command("ffmpeg", "-v", "error", "-re", "-i", wav(t, 1), "-t", "1", "-c:a", "libopus", "-page_duration", "100000", "-f", "ogg", "-")
	pipe, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	start := time.Now()
	r := NewReader(pipe)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	first := time.Since(start)
	for err == nil {
		_, err = r.Next()
	}
	if last := time.Since(start); err != io.EOF || last-first < 400*time.Millisecond { // of a second, at its own pace
		t.Errorf("first packet after %v of %v, %v", first, last, err)
	}
	must(t, c.Wait())
}

func TestInputRefused(t *testing.T) {
	tool(t, "ffmpeg", "opusenc")
	mono, dir := wav(t, 1), t.TempDir()
	for _, test := range []struct{ args, file, want string }{
		{"", "a.mp3", "a.mp3 is not Ogg Opus (it looks like MP3); convert it: ffmpeg -i a.mp3 -c:a libopus a.ogg"},
		{"-write_xing 0 -id3v2_version 0", "b.mp3", "(it looks like MP3)"},
		{"", "a.wav", "(it looks like WAV)"},
		{"", "a.aiff", "(it looks like AIFF)"},
		{"", "a.flac", "(it looks like FLAC)"},
		{"", "a.aac", "(it looks like AAC)"},
		{"", "a.m4a", "(it looks like M4A)"},
		{"", "a.mp4", "(it looks like MP4)"},
		{"-c:a libopus", "a.webm", "(it looks like WebM)"},
		{"", "a.mka", "(it looks like Matroska)"},
		{"", "a.wma", "(it looks like WMA)"},
		{"-c:a libvorbis", "a.ogg", "a.ogg is Ogg, but Vorbis rather than Opus; convert it: ffmpeg -i a.ogg -vn -c:a libopus a-opus.ogg"},
		{"-c:a flac", "b.ogg", "b.ogg is Ogg, but FLAC rather than Opus"},
		{"-c:a libopus -ac 6", "c.ogg", "c.ogg has 6 channels"},
		{"-c:a libopus -frame_duration 5", "d.ogg", "d.ogg has packets of 5ms"},
		{"-c:a libopus -frame_duration 120", "e.ogg", "e.ogg has packets of 120ms"},
		{"-c:a libopus -frame_duration 60 -b:a 256k -vbr off", "f.ogg", "f.ogg has packets of more than 1900 bytes"},
	} {
		name := filepath.Join(dir, test.file)
		run(t, "ffmpeg", append(append([]string{"-v", "error", "-i", mono}, strings.Fields(test.args)...), name)...)
		f, err := os.Open(name)
		must(t, err)
		_, err = collect(f)
		f.Close()
		if text := Explain(test.file, err).Error(); !strings.Contains(text, test.want) {
			t.Errorf("%s: %s", test.file, text)
		}
	}
}

// speech gives the packets that opusenc makes.
func speech(t testing.TB) (packets [][]byte) {
	name := filepath.Join(t.TempDir(), "speech.opus")
	run(t, "opusenc", "--quiet", "--bitrate", "24", wav(t, 1), name)
	b, err := os.ReadFile(name)
	must(t, err)
	read, err := collect(bytes.NewReader(b))
	if err != io.EOF {
		t.Fatal(err)
	}
	for _, p := range read {
		packets = append(packets, p.Data)
	}
	return packets
}

// judge holds a recording to all three readers: no word of complaint from any,
// all packets of each stream in ffprobe's eyes, and ffmpeg decodes them.
func judge(t testing.TB, name string, ended bool, want ...[][]byte) {
	t.Helper()
	sizes := probe(t, name)
	if len(sizes) != len(want) {
		t.Errorf("ffprobe finds packets in %d streams", len(sizes))
	}
	for i, packets := range want {
		if !slices.Equal(sizes[i], sizesOf(packets, func(p []byte) []byte { return p })) {
			t.Errorf("ffprobe finds %d packets in stream %d, not %d", len(sizes[i]), i, len(packets))
		}
	}
	if _, said := run(t, "ffmpeg", "-v", "warning", "-i", name, "-map", "0", "-f", "null", "-"); said != "" {
		t.Errorf("ffmpeg: %s", said)
	}
	out, err := exec.Command("opusinfo", name).CombinedOutput()
	text := strings.ReplaceAll(string(out), "(normal for live streams)", "")
	for line := range strings.Lines(text) {
		if strings.Contains(line, "WARNING") && (ended || !strings.Contains(line, "EOS not set")) {
			t.Errorf("opusinfo: %s", line)
		}
	}
	if n := strings.Count(text, "New logical stream"); n != len(want) || ended && err != nil {
		t.Errorf("opusinfo finds %d streams, %v", n, err)
	}
}

func TestRecordingsInOtherReaders(t *testing.T) {
	tool(t, "ffmpeg", "ffprobe", "opusenc", "opusinfo")
	packets := speech(t)
	n := len(packets)

	t.Run("one speaker", func(t *testing.T) {
		f := file(t)
		w := NewWriter(f, Options{At: f})
		for i, p := range packets {
			must(t, w.Packet(1, "a", "Ana", uint32(i*960), p))
			if i == n/2 {
				must(t, w.Flush())
				judge(t, f.Name(), false, packets[:i+1]) // while it is being written
			}
		}
		must(t, w.Close())
		judge(t, f.Name(), true, packets)
	})
	t.Run("one speaker through a pipe", func(t *testing.T) {
		f := file(t)
		w := NewWriter(f, Options{})
		for i, p := range packets {
			must(t, w.Packet(1, "a", "Ana", uint32(i*960), p))
		}
		must(t, w.Close())
		judge(t, f.Name(), true, packets)
	})
	both := func(t *testing.T, w *Writer, c *clock, between func()) {
		for i, p := range packets {
			must(t, w.Packet(1, "a", "Ana", uint32(i*960), p))
			if i == n/2 {
				between()
			}
			if i >= n/2 {
				must(t, w.Packet(2, "b", "Budi", uint32(i*960), packets[n-1-i]))
			}
			c.pass(20 * time.Millisecond)
		}
		must(t, w.Close())
	}
	backwards := slices.Clone(packets[:n-n/2])
	slices.Reverse(backwards)
	t.Run("a late speaker in a file", func(t *testing.T) {
		c, f := newClock(), file(t)
		both(t, NewWriter(f, c.at(f)), c, func() { judge(t, f.Name(), false, packets[:n/2/10*10]) })
		judge(t, f.Name(), true, packets, backwards)
	})
	t.Run("a pause", func(t *testing.T) {
		f := file(t)
		w := NewWriter(f, Options{At: f})
		for i, p := range packets {
			must(t, w.Packet(1, "a", "Ana", uint32(i*960+i/50*144000), p))
		}
		must(t, w.Close())
		out, _ := run(t, "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", f.Name())
		seconds, _ := strconv.ParseFloat(strings.TrimSpace(out), 64)
		if want := float64(n)*0.02 + float64((n-1)/50)*3; math.Abs(seconds-want) > 0.05 {
			t.Errorf("ffprobe finds %v s, want %v", seconds, want)
		}
		if sizes := probe(t, f.Name()); len(sizes[0]) != n {
			t.Errorf("ffprobe finds %d packets of %d", len(sizes[0]), n)
		}
	})
	t.Run("a filled pause", func(t *testing.T) {
		f := file(t)
		w := NewWriter(f, Options{At: f, FillPauses: true})
		for i, p := range packets[:100] {
			must(t, w.Packet(1, "a", "Ana", uint32(i*960+i/50*144000), p))
		}
		must(t, w.Close())
		want := slices.Concat(packets[:50], slices.Repeat([][]byte{{0}}, 150), packets[50:100])
		judge(t, f.Name(), true, want)
	})
}
