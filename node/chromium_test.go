package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium whose microphone plays a file.
type browser struct {
	ctx  context.Context
	page string // URL of browserPage
}

// launch starts Chromium; it ends with the test. Without Chromium the test is
// skipped, unless EARSHOT_REQUIRE_TOOLS=1 says that it has to be here.
func launch(t *testing.T, more ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	voice := filepath.Join(t.TempDir(), "voice.wav")
	must(t, os.WriteFile(voice, phrases(), 0o600))
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("headless", "new"),
		chromedp.WSURLReadTimeout(time.Minute), // until Chromium answers, on a machine that does much else
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", voice),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("disable-component-update", true),
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, browserPage)
	}))
	t.Cleanup(server.Close)
	bound := 5 * time.Minute
	if raceEnabled { // which makes everything several times slower
		bound *= 3
	}
	bounded, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	processes, wait := chromedp.NewExecAllocator(bounded, append(options, more...)...)
	t.Cleanup(wait)
	// It speaks of events that this version of chromedp does not know yet.
	ctx, kill := chromedp.NewContext(processes, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(kill)
	must(t, chromedp.Run(ctx))
	t.Cleanup(func() {
		// In order, so that its children do not outlive it.
		closing, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := chromedp.Cancel(closing); err != nil {
			t.Logf("close Chromium: %v", err)
		}
	})
	return &browser{ctx: ctx, page: server.URL}
}

func chromium(t *testing.T) string {
	t.Helper()
	if raceEnabled && os.Getenv("EARSHOT_LONG") == "" {
		t.Skip("the race detector watches nodes without a browser; with one with EARSHOT_LONG=1, and browsers without it")
	}
	for _, name := range []string{"chromium", "/usr/bin/chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1" {
		t.Fatal("Chromium is not installed")
	}
	t.Skip("Chromium is not installed (Debian: apt-get install chromium)")
	return ""
}

const (
	phrase = 4 * time.Second // with the pause that ends it
	pause  = time.Second
)

// phrases is a WAV file of 16 bits, mono, which Chromium repeats: a voice's
// harmonics, four syllables a second, then a pause, which the browser's Opus
// encoder does not send (DTX).
func phrases() []byte {
	const rate, bytes, seconds = 48000, 2, int(phrase / time.Second)
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("RIFF"), 36+uint32(rate*bytes*seconds))
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(b, 1) // PCM
	b = le.AppendUint16(b, 1) // channel
	b = le.AppendUint32(b, rate)
	b = le.AppendUint32(b, rate*bytes)
	b = le.AppendUint16(b, bytes)
	b = le.AppendUint16(b, 8*bytes)
	b = le.AppendUint32(append(b, "data"...), uint32(rate*bytes*seconds))
	for n := range rate * seconds {
		at, sample := float64(n)/rate, 0.0
		if at < (phrase - pause).Seconds() {
			for h := 1.0; h <= 20; h++ {
				sample += math.Sin(2*math.Pi*120*h*at+h) / h
			}
			sample *= 6000 * math.Pow(math.Sin(4*math.Pi*at), 2)
		}
		b = le.AppendUint16(b, uint16(int16(sample)))
	}
	return b
}

// browserPage has one PeerConnection, and functions for one side of it each. A
// microphone is sent as it is: Chromium would cancel the echo of the player.
const browserPage = `<!doctype html><title>Earshot</title><script>
const connection = new RTCPeerConnection(), connections = [connection];
async function offer() {
	await connection.setLocalDescription();
	while (connection.iceGatheringState !== "complete")
		await new Promise(done => connection.addEventListener("icegatheringstatechange", done, {once: true}));
	return connection.localDescription.sdp;
}
async function speak() {
	const audio = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
	const microphone = await navigator.mediaDevices.getUserMedia({audio});
	connection.addTransceiver(microphone.getAudioTracks()[0], {direction: "sendonly"});
	return offer();
}
async function listen() {
	connection.addEventListener("track", ({track}) => {
		const audio = new Audio();
		audio.srcObject = new MediaStream([track]);
		audio.play();
	});
	for (let n = 0; n < 3; n++) connection.addTransceiver("audio", {direction: "recvonly"});
	return offer();
}
async function accept(sdp) {
	await connection.setRemoteDescription({type: "answer", sdp});
	while (["new", "connecting"].includes(connection.connectionState))
		await new Promise(done => connection.addEventListener("connectionstatechange", done, {once: true}));
	return connection.connectionState;
}
` + playedScript + `</script>`

// tab is a page with one PeerConnection.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// open opens a tab, which closes with the test. ctx bounds all that it does.
func (b *browser) open(ctx context.Context, t *testing.T) *tab {
	t.Helper()
	in, closeTab := chromedp.NewContext(b.ctx)
	t.Cleanup(closeTab)
	must(t, chromedp.Run(in, chromedp.Navigate(b.page)))
	deadline, _ := ctx.Deadline()
	in, cancel := context.WithDeadline(in, deadline)
	t.Cleanup(cancel)
	return &tab{t, in}
}

// call runs a function of the page and waits for what it gives.
func (p *tab) call(function string, result any) {
	p.t.Helper()
	awaited := func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(function, result, awaited)); err != nil {
		p.t.Fatalf("%.40s: %v", function, err)
	}
}

// offer gives the page's SDP offer.
func (p *tab) offer(function string) (sdp string) {
	p.t.Helper()
	p.call(function, &sdp)
	if !strings.Contains(sdp, "a=candidate:") {
		p.t.Fatal("Chromium offers no candidate: it needs a network interface besides loopback")
	}
	return sdp
}

// accept sets the SDP answer and waits for the connection.
func (p *tab) accept(answer string) {
	p.t.Helper()
	quoted, err := json.Marshal(answer)
	must(p.t, err)
	var state string
	if p.call(fmt.Sprintf("accept(%s)", quoted), &state); state != "connected" {
		p.t.Fatalf("the browser's connection is %s", state)
	}
}

// isClosed says whether the far side has ended the connection.
func (p *tab) isClosed() bool {
	var state string
	p.call("connection.getSenders()[0].transport.state", &state)
	return state == "closed"
}
