package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/node/ogg"
	"github.com/earshot-audio/earshot/node/stall"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// witness keeps what a demo tells of, as a script and as a person have it.
type witness struct {
	order  []string
	told   map[string][]map[string]any
	flows  []flow
	script objects
	said   bytes.Buffer
	paper  paper
}

func (w *witness) tell(e event) error {
	var line bytes.Buffer
	w.script.out = &line
	if err := w.script.tell(e); err != nil {
		return err
	}
	var object map[string]any
	if err := json.Unmarshal(line.Bytes(), &object); err != nil {
		return err
	}
	name := object["event"].(string)
	w.order = append(w.order, name)
	w.told[name] = append(w.told[name], object)
	w.paper.out = &w.said
	return w.paper.tell(e)
}

func (w *witness) flow(f flow) error {
	w.flows = append(w.flows, f)
	return nil
}

// TestDemo runs the whole of it in its short form.
func TestDemo(t *testing.T) {
	w := &witness{told: map[string][]map[string]any{}}
	dir := t.TempDir()
	if err := run(t.Context(), Options{Dir: dir, Fast: true, Version: "test"}, w); err != nil && raced {
		t.Skipf("too slow with the race detector: %v", err)
	} else if err != nil {
		t.Fatalf("%v, after\n%s", err, w.said.String())
	}
	if want := []string{"nodes", "announced", "elected", "gathered", "killed", "switched", "elected", "joined", "over", "summary"}; !slices.Equal(w.order, want) {
		t.Fatalf("told %q, want %q", w.order, want)
	}
	first, then := w.told["elected"][0], w.told["elected"][1]
	if first["relay"] != host || first["standby"] != second || w.told["killed"][0]["node"] != host {
		t.Errorf("first %v, killed %v", first, w.told["killed"])
	}
	if then["relay"] == host || then["relay"] == "" || then["standby"] == host || then["term"].(float64) <= first["term"].(float64) {
		t.Errorf("elected %v after %v", then, first)
	}
	before, after := w.flows[0], w.flows[len(w.flows)-1]
	if len(before.Live[host]) == 0 || before.carried(before.Live) != len(audience()) || len(after.Live[host]) > 0 || after.carried(after.Live) == 0 {
		t.Errorf("sound flows as %v, then as %v", before.Live, after.Live)
	}
	checkSummary(t, w.told["summary"][0], dir)
	checkWords(t, w.said.String(), dir)
}

// checkSummary: nothing is lost, the recordings are there and are what was
// spoken.
func checkSummary(t *testing.T, summary map[string]any, dir string) {
	listeners := summary["listeners"].([]any)
	if summary["lost"] != 0.0 || summary["verified"] != true || len(listeners) != len(audience())+1 {
		t.Errorf("summary %v", summary)
	}
	for _, l := range listeners {
		l := l.(map[string]any)
		if l["frames"].(float64) < 50 || l["lost"] != 0.0 || l["verified"] != true {
			t.Errorf("%v", l)
		}
		if info, err := os.Stat(filepath.Join(dir, l["listener"].(string)+".ogg")); err != nil || info.Size() < 1000 {
			t.Errorf("recording of %v: %v", l["listener"], err)
		}
	}
}

// checkWords holds what a person reads to its form: figures, and who stands by
// after the cut, may vary.
func checkWords(t *testing.T, got, dir string) {
	golden, err := os.ReadFile("testdata/fast.txt")
	if err != nil {
		t.Fatal(err)
	}
	got = strings.ReplaceAll(got, dir, "DIR")
	for _, r := range []struct{ from, to string }{
		{`\d+:\d\d`, "TIME"},
		{`(\w+)'s node is elected`, "SOMEBODY's node is elected"},
		{`(\w+)'s stands by now`, "SOMEBODY's stands by now"},
		{`under \d+ ms|\d+\.\d s|\d+ ms`, "SPAN"},
		{`\d \d{3}|\d+`, "N"},
		{` +`, " "},
	} {
		got = regexp.MustCompile(r.from).ReplaceAllString(got, r.to)
	}
	if got != string(golden) {
		t.Errorf("it reads\n%s\nwant\n%s", got, golden)
	}
}

// TestPaper: what flows is told now and then where it can't be drawn.
func TestPaper(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(Options{Out: &out})
	for at := int64(1000); at < 10_000; at += 200 {
		f := flow{At: at, Live: map[string][]string{host: audience()}, Warm: map[string][]string{second: audience()}, talking: []string{host}, Frames: uint64(at)}
		if err := s.flow(f); err != nil {
			t.Fatal(err)
		}
	}
	want := `   0:01  ana ━━▶ citra dewi eko fitri   budi ┄┄▶ ready    1 000 frames heard, 0 lost
   0:05  ana ━━▶ citra dewi eko fitri   budi ┄┄▶ ready    5 000 frames heard, 0 lost
   0:09  ana ━━▶ citra dewi eko fitri   budi ┄┄▶ ready    9 000 frames heard, 0 lost
`
	if got := out.String(); got != want {
		t.Errorf("it reads\n%s\nwant\n%s", got, want)
	}
}

// interrupter cancels when a text is written.
type interrupter struct {
	at     string
	cancel func()

	mu   sync.Mutex
	said bytes.Buffer
	when time.Time
}

func (i *interrupter) Write(b []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if bytes.Contains(b, []byte(i.at)) && i.when.IsZero() {
		i.when = time.Now()
		i.cancel()
	}
	return i.said.Write(b)
}

// TestInterrupted: Ctrl-C ends it at once; what was recorded is whole as far as
// it goes, and nothing else is left.
func TestInterrupted(t *testing.T) {
	temporary := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP"} { // Unix, Windows
		t.Setenv(name, temporary)
	}
	for _, c := range []struct {
		at         string
		recordings int
	}{
		{`"event":"nodes"`, 0},
		{`"event":"killed"`, len(audience())},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out, watch := &interrupter{at: c.at, cancel: cancel}, stall.Start()
		if err := Run(ctx, Options{Out: out, JSON: true, Fast: true, Version: "test"}); err != nil && raced {
			t.Skipf("too slow with the race detector: %v", err)
		} else if err != nil {
			t.Errorf("%s: %v", c.at, err)
		}
		if took := time.Since(out.when); out.when.IsZero() || took > 3*time.Second+watch.Pressed() {
			t.Errorf("%s: it takes %v to end", c.at, took)
		}
		recordings, _ := filepath.Glob(filepath.Join(temporary, "*", "*.ogg"))
		if len(recordings) != c.recordings {
			t.Errorf("%s: recordings %q", c.at, recordings)
		}
		if homes, _ := filepath.Glob(filepath.Join(temporary, "*homes*")); len(homes) > 0 {
			t.Errorf("%s: left behind: %q", c.at, homes)
		}
		if c.recordings > 0 && !strings.Contains(out.said.String(), `"early":true,"lost":0,"verified":true`) {
			t.Errorf("%s: said\n%s", c.at, out.said.String())
		}
	}
}

func TestOutIsTaken(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, audience()[1]+".ogg")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), Options{Out: &bytes.Buffer{}, Dir: dir, Fast: true, Version: "test"})
	if raced && err != nil && strings.Contains(err.Error(), "stuck") {
		t.Skipf("too slow with the race detector: %v", err)
	}
	if err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("error %v", err)
	}
	if b, _ := os.ReadFile(taken); string(b) != "mine" {
		t.Errorf("overwritten with %d bytes", len(b))
	}
}

// recorded writes packets as a recording of the demo.
func recorded(t *testing.T, of ...[]ogg.Packet) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.ogg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := ogg.NewWriter(f, ogg.Options{At: f})
	for i, packets := range of {
		for n, p := range packets {
			if err := w.Packet(uint32(i+1), string(rune('a'+i)), "", uint32(n*960), p.Data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCheck: the claim at the end is not made of recordings that lack it.
func TestCheck(t *testing.T) {
	var voices []voice
	for name, file := range map[string][]byte{host: anaOgg, second: budiOgg} {
		v, err := readVoice(name, file, 5*time.Second)
		if err != nil || len(v.packets) != 250 {
			t.Fatalf("%s: %d packets, %v", name, len(v.packets), err)
		}
		voices = append(voices, v)
	}
	a, b := voices[0].packets, voices[1].packets
	found, err := check(recorded(t, a[:200], b[20:]), voices)
	if want := (span{0, 200}); err != nil || found[voices[0].speaker] != want || found[voices[1].speaker] != (span{20, 250}) {
		t.Errorf("found %v, %v", found, err)
	}
	changed := slices.Clone(a)
	changed[100].Data = append(bytes.Clone(a[100].Data[:len(a[100].Data)-1]), a[100].Data[len(a[100].Data)-1]^1)
	for name, bad := range map[string][][]ogg.Packet{
		"a hole":          {slices.Concat(a[:100], a[101:])},
		"another order":   {slices.Concat(a[:100], a[101:102], a[100:101], a[102:])},
		"one bit":         {changed},
		"one twice":       {slices.Concat(a[:100], a[99:])},
		"foreign":         {a, slices.Concat(b[:100], a[100:101], b[101:])},
		"the same person": {a[:100], a[100:]},
	} {
		if found, err := check(recorded(t, bad...), voices); err == nil {
			t.Errorf("%s: found %v", name, found)
		}
	}
	whole, err := os.ReadFile(recorded(t, a))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.ogg")
	if err := os.WriteFile(cut, whole[:len(whole)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := check(cut, voices); err == nil {
		t.Error("a file that is cut passes")
	}
}

// TestClaim: what is missing is said.
func TestClaim(t *testing.T) {
	d := &demo{voices: []voice{{host, make([]ogg.Packet, 100)}, {second, make([]ogg.Packet, 100)}}}
	for _, c := range []struct {
		found        map[string]span
		frames       uint64
		start, early bool
		want         string
	}{
		{map[string]span{host: {0, 50}, second: {0, 100}}, 150, true, false, ""},
		{map[string]span{host: {0, 50}, second: {0, 99}}, 149, true, false, "budi's last packet is missing"},
		{map[string]span{host: {0, 50}, second: {0, 99}}, 149, true, true, ""},
		{map[string]span{host: {3, 50}, second: {0, 100}}, 147, true, false, "ana's first 3 packets are missing"},
		{map[string]span{second: {60, 100}}, 40, false, false, ""},
		{map[string]span{second: {0, 100}}, 100, true, false, "ana is missing"},
		{map[string]span{host: {0, 50}, second: {0, 100}}, 151, true, false, "150 packets recorded of 151 heard"},
	} {
		got := ""
		if err := d.whole(c.found, c.frames, c.start, c.early); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	r := report{Listeners: []listenerLine{{Listener: "citra", Recording: "/x/citra.ogg", Flaw: "ana is missing"}}}
	if got := r.text(style{}); strings.Contains(got, "hold every Opus packet") || !strings.Contains(got, "citra.ogg: ana is missing.") {
		t.Errorf("said\n%s", got)
	}
}

// TestTerminal: what flows is drawn in place, and no line wraps.
func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(Options{Out: &out, Live: true, Width: 60})
	f := flow{At: 21000, Live: map[string][]string{second: audience()}, Warm: map[string][]string{"dewi": {"citra", "eko", "fitri"}},
		gone: host, talking: []string{second}, heard: []string{"citra 1 200", "dewi 1 200"}}
	const block = `
   0:21  ana    ╳ gone
         budi   ━━▶ citra dewi eko fitri      the sound of…
         dewi   ┄┄▶ citra eko fitri           ready: conne…
  frames heard  citra 1 200  dewi 1 200    0 lost
`
	const erase = "\r\x1b[5A\x1b[J"
	for range 2 {
		if err := s.flow(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.tell(killed{"killed", 22000, host}); err != nil {
		t.Fatal(err)
	}
	want := block + erase + block + erase + "\n   0:22  ana's node is killed in the middle of a sentence: its sockets are cut, it says no goodbye\n"
	if got := out.String(); got != want {
		t.Errorf("drawn\n%q\nwant\n%q", got, want)
	}
}
