package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/ogg"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// twoVoices is a listening in which ana and budi speak n packets each.
func twoVoices(t testing.TB, n int) *fakeNode {
	f := &fakeNode{view: sky()}
	f.events = []*pb.LocalEvent{event(t, map[string]any{"event": "joined"})}
	for _, one := range []struct {
		source uint32
		peer   string
	}{{11, anaID}, {22, budiID}} {
		f.events = append(f.events, event(t, map[string]any{"event": "first_frame", "peer": one.peer, "source": one.source, "ms": 120}))
	}
	for i := range n {
		f.events = append(f.events, frame(11, uint32(960*i), opus20(2*i)), frame(22, uint32(7+960*i), opus20(2*i+1)))
	}
	f.events = append(f.events,
		event(t, map[string]any{"event": "relay", "term": 3, "relay": citraID}),
		event(t, map[string]any{"event": "gap", "peer": anaID, "ms": 74}))
	f.summary = web.Summary{Seconds: float64(n) * 0.02, Frames: uint64(2 * n), Resumed: 4, LongestGapMS: 74, FirstFrameMS: 120,
		Sources: []web.SourceSummary{{Peer: anaID, Name: "ana", Source: 11, Frames: uint64(n)}, {Peer: budiID, Name: "budi", Source: 22, Frames: uint64(n)}}}
	return f
}

// recorded reads the packets of a recording's first stream.
func recorded(t testing.TB, in io.Reader) [][]byte {
	t.Helper()
	packets, err := packetsOf(in)
	if err != nil {
		t.Fatalf("after %d packets: %v", len(packets), err)
	}
	return packets
}

func packetsOf(in io.Reader) (packets [][]byte, err error) {
	for r := ogg.NewReader(in); ; {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return packets, nil
		}
		if err != nil {
			return packets, err
		}
		packets = append(packets, bytes.Clone(p.Data))
	}
}

func checkVoice(t testing.TB, packets [][]byte, n, offset int) {
	t.Helper()
	if len(packets) != n {
		t.Fatalf("%d packets, want %d", len(packets), n)
	}
	for i, p := range packets {
		if !bytes.Equal(p, opus20(2*i+offset)) {
			t.Fatalf("packet %d is %x", i, p)
		}
	}
}

func TestListenRecords(t *testing.T) {
	f := twoVoices(t, 60)
	dir, out := home(t, f), filepath.Join(t.TempDir(), "talk.ogg")
	got, stderr, code := call{home: dir}.run(t, "listen", "7k2m", "--out", out)
	if code != 0 || stderr != "" {
		t.Fatalf("code %d, %s", code, stderr)
	}
	for _, want := range []string{
		"Recording Why the sky is dark to " + out + "; everybody there can see that. Ctrl-C ends it.\n",
		"hearing budi after 120 ms\n", "citra carries the sound\n", "a gap of 74 ms in 12D3KooW…aAna's voice\n",
		"Heard 1.2 s: 120 frames, 0 lost, 4 resumed, longest gap 74 ms.\n",
		"  ana          60 frames, 0 lost\n",
		"Recorded to " + out + ". Play it: ffplay -nodisp " + out + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	checkVoice(t, recorded(t, bytes.NewReader(b)), 60, 0)
	if len(f.acts) != 1 || f.acts[0] != "record" {
		t.Errorf("the node was asked for %q", f.acts)
	}
	// Again: what is there is kept, unless one says otherwise.
	if _, stderr, code := (call{home: dir}).run(t, "listen", "7k2m", "--out", out); code != 1 || !strings.Contains(stderr, "exists already; name another file, or overwrite it with --force") {
		t.Errorf("code %d, %q", code, stderr)
	}
	if _, stderr, code := (call{home: home(t, twoVoices(t, 5))}).run(t, "listen", "7k2m", "--out", out, "--force"); code != 0 {
		t.Errorf("code %d, %q", code, stderr)
	}
	if b, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	checkVoice(t, recorded(t, bytes.NewReader(b)), 5, 0)
}

func TestListenToPipe(t *testing.T) {
	f := twoVoices(t, 60)
	got, stderr, code := call{home: home(t, f)}.run(t, "listen", "7k2m", "--out", "-", "--json")
	if code != 0 {
		t.Fatalf("code %d, %s", code, stderr)
	}
	checkVoice(t, recorded(t, strings.NewReader(got)), 60, 0)
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if len(lines) != 6 || lines[0] != `{"event":"joined"}` || !strings.HasPrefix(lines[5], `{"event":"summary",`) {
		t.Errorf("events %q", lines)
	}
}

func TestListenEndsWithItsReader(t *testing.T) {
	f := twoVoices(t, 5000)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	_, stderr, code := call{home: home(t, f), out: w}.run(t, "listen", "7k2m", "--out", "-")
	if code != 0 || !strings.Contains(stderr, "Heard ") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

func TestListenDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	f := twoVoices(t, 200)
	f.open = true // the node would go on
	got, stderr, code := call{home: home(t, f)}.run(t, "listen", "7k2m", "--out", "/dev/full")
	if code != 1 || !strings.Contains(stderr, "earshot: the recording to /dev/full ended early: no space left on device; ") {
		t.Errorf("code %d, %q", code, stderr)
	}
	if !strings.Contains(got, "Heard 4.0 s") {
		t.Errorf("no figures in\n%s", got)
	}
}

func TestListenEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		ctrl bool
	}{{"for", []string{"--for", "500ms"}, false}, {"ctrl-c", nil, true}} {
		t.Run(c.name, func(t *testing.T) {
			f := twoVoices(t, 30)
			f.open = true
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if c.ctrl {
				time.AfterFunc(500*time.Millisecond, cancel)
			}
			began := time.Now()
			got, stderr, code := call{home: home(t, f), ctx: ctx}.run(t, append([]string{"listen", "7k2m", "--json"}, c.args...)...)
			if code != 0 || stderr != "" {
				t.Fatalf("code %d, %q", code, stderr)
			}
			lines := strings.Split(strings.TrimSpace(got), "\n")
			var last struct {
				Event  string `json:"event"`
				Frames uint64 `json:"frames"`
			}
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Event != "summary" || last.Frames != 60 {
				t.Errorf("%v, last line %s", err, lines[len(lines)-1])
			}
			if took := time.Since(began); took > patience {
				t.Errorf("took %v to end", took)
			}
		})
	}
}

func TestListenToNobodyLeavesNoFile(t *testing.T) {
	f := &fakeNode{view: sky(), events: []*pb.LocalEvent{event(t, map[string]any{"event": "joined"})}}
	out := filepath.Join(t.TempDir(), "talk.ogg")
	got, _, code := call{home: home(t, f)}.run(t, "listen", "7k2m", "--out", out)
	if code != 0 || !strings.Contains(got, "There is no recording: nothing was spoken.\n") {
		t.Errorf("code %d, %q", code, got)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("an empty file was left behind")
	}
}

// talkFile is an Ogg Opus file of n packets.
func talkFile(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := ogg.NewWriter(&b, ogg.Options{})
	for i := range n {
		if err := w.Packet(1, anaID, "ana", uint32(960*i), opus20(2*i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSpeak(t *testing.T) {
	f := &fakeNode{view: sky()}
	file := filepath.Join(t.TempDir(), "talk.ogg")
	if err := os.WriteFile(file, talkFile(t, 40), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := home(t, f)
	got, stderr, code := call{home: dir}.run(t, "speak", "7k2m", file)
	if want := "Speaking " + file + ". Ctrl-C ends it.\nSpoke 0.8 s: 40 frames.\n"; got != want || code != 0 {
		t.Fatalf("code %d, %q %q", code, got, stderr)
	}
	checkVoice(t, f.spoken, 40, 0)
	f.spoken = nil
	got, stderr, code = call{home: dir, stdin: bytes.NewReader(talkFile(t, 3))}.run(t, "speak", "7k2m", "-", "--json")
	if want := `{"event":"speaking"}` + "\n" + `{"event":"summary","frames":3,"seconds":0.06}` + "\n"; got != want || code != 0 {
		t.Fatalf("code %d, %q %q", code, got, stderr)
	}
}

// TestSpeakWhileItIsMade: what a pipe holds goes out before the pipe ends.
func TestSpeakWhileItIsMade(t *testing.T) {
	f := &fakeNode{view: sky()}
	in, out := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	whole := talkFile(t, 100)
	go out.Write(whole[:len(whole)-200]) // and no end
	go func() {
		for { // Ctrl-C once something was spoken
			f.mu.Lock()
			n := len(f.spoken)
			f.mu.Unlock()
			if n > 10 {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	got, stderr, code := call{home: home(t, f), stdin: in, ctx: ctx}.run(t, "speak", "7k2m", "-")
	if code != 0 || !strings.Contains(got, "Spoke ") {
		t.Errorf("code %d, %q %q", code, got, stderr)
	}
	if n := len(f.spoken); n <= 10 || n >= 90 {
		t.Errorf("%d packets were spoken", n)
	}
	in.Close()
}

func TestSpeakCutOff(t *testing.T) {
	f := &fakeNode{view: sky()}
	whole := talkFile(t, 25)
	got, stderr, code := call{home: home(t, f), stdin: bytes.NewReader(whole[:len(whole)-20])}.run(t, "speak", "7k2m", "-")
	if code != 1 || !strings.HasPrefix(stderr, "earshot: standard input is cut off in the middle of a packet") {
		t.Errorf("code %d, %q", code, stderr)
	}
	if n := len(f.spoken); n < 20 || !strings.Contains(got, "Spoke ") {
		t.Errorf("%d packets were spoken, %q", n, got)
	}
}
