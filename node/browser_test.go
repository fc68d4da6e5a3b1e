package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/earshot-audio/earshot/protocol"
)

// TestBrowser lets a real browser publish to one node by WHIP and play from
// another one by WHEP.
func TestBrowser(t *testing.T) {
	b := launch(t)
	t.Run("speaks and hears", b.testSpeaksAndHears)
	t.Run("hears on when the relay dies", b.testRelayDies)
}

// testSpeaksAndHears publishes through the HTTP API, as any WHIP client does.
func (b *browser) testSpeaksAndHears(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	o := ana.open(ctx, "Why the sky is dark", "host")
	budi.eventually(5*time.Second, "the room is in the directory", budi.sees(o.Room))
	player, microphone := b.open(ctx, t), b.open(ctx, t)
	_, answer, err := budi.Play(ctx, o.Room, player.offer("listen()"))
	must(t, err)
	player.accept(answer)
	session, answer := ana.whip(ctx, o.Room, microphone.offer("speak()"))
	microphone.accept(answer)

	h := player.hear(phrase)
	for tries := 1; tries < 3 && h.concealed() > glitches; tries++ {
		t.Logf("concealed %v, trying again", h.concealed())
		h = player.hear(phrase)
	}
	h.check(t, ana.speaksAs(o.Room), glitches)

	budi.eventually(5*time.Second, "ana speaks", budi.seesSpeaking(o.Room, ana))
	ana.endSession(ctx, session, http.StatusOK)
	budi.eventually(5*time.Second, "ana speaks no more", not(budi.seesSpeaking(o.Room, ana)))
	ana.eventually(5*time.Second, "the browser is told", microphone.isClosed)
	ana.endSession(ctx, session, http.StatusNotFound)
}

// testRelayDies kills the relay in the middle of a phrase. A fourth node stands
// by, so that the voice goes to the player by the relay alone.
func (b *browser) testRelayDies(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	citra := start(t, "citra")
	ana, budi, dewi := start(t, "ana", citra), start(t, "budi", citra), start(t, "dewi", citra)
	o := citra.open(ctx, "Why the sky is dark", "open")
	dewi.eventually(5*time.Second, "the room is in the directory", dewi.sees(o.Room))
	dewi.listen(ctx, o.Room)
	dewi.eventually(10*time.Second, "citra relays, dewi stands by", settled(o.Room, 0, citra, dewi))
	player, microphone := b.open(ctx, t), b.open(ctx, t)
	for _, n := range []*running{ana, budi} {
		n.eventually(5*time.Second, "the room is in the directory", n.sees(o.Room))
	}
	_, answer, err := budi.Play(ctx, o.Room, player.offer("listen()"))
	must(t, err)
	player.accept(answer)
	_, answer, err = ana.Publish(ctx, o.Room, microphone.offer("speak()"))
	must(t, err)
	microphone.accept(answer)
	source := ana.speaksAs(o.Room)
	budi.eventually(10*time.Second, "one relay, one standby", settled(o.Room, 0, citra, ana, budi, dewi))
	for _, n := range []*running{ana, budi} {
		n.eventually(10*time.Second, "attached to relay and standby", n.attached(o.Room))
	}
	before := budi.view(o.Room)
	if before.Relay != citra.self.String() || before.Standby != dewi.self.String() {
		t.Fatalf("citra does not relay, or dewi not stand by: %+v", before)
	}

	budi.eventually(10*time.Second, "a phrase begins", player.phraseBegins())
	citra.Kill()
	player.hear(phrase).check(t, source, outage)
	budi.eventually(5*time.Second, "another relay", settled(o.Room, before.Term, ana, budi, dewi))

	microphone.call("connection.close()", nil)
	budi.eventually(5*time.Second, "ana speaks no more", not(budi.seesSpeaking(o.Room, ana)))
}

// browser is a headless Chromium whose microphone plays a file.
type browser struct {
	ctx  context.Context
	page string // URL of browserPage
}

// launch starts Chromium; it ends with the test. Without Chromium the test is
// skipped, unless EARSHOT_REQUIRE_TOOLS=1 says that it has to be here.
func launch(t *testing.T) *browser {
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
	bounded, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	processes, wait := chromedp.NewExecAllocator(bounded, options...)
	t.Cleanup(wait)
	// It speaks of events that this version of chromedp does not know yet.
	ctx, kill := chromedp.NewContext(processes, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(kill)
	must(t, chromedp.Run(ctx))
	t.Cleanup(func() {
		// In order, so that its children do not outlive it.
		closing, cancel := context.WithTimeout(ctx, 5*time.Second)
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
const connection = new RTCPeerConnection();
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
async function played() { // all m-lines' RTCInboundRtpStreamStats, summed up
	const sum = {contributing: []};
	for (const receiver of connection.getReceivers()) {
		for (const {source, audioLevel} of receiver.getContributingSources())
			sum.contributing.push({source, audioLevel});
		for (const stats of (await receiver.getStats()).values())
			if (stats.type === "inbound-rtp")
				for (const [name, value] of Object.entries(stats))
					if (typeof value === "number") sum[name] = (sum[name] ?? 0) + value;
	}
	return sum;
}
</script>`

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

// played is what a player has played, on all m-lines (W3C webrtc-stats).
type played struct {
	Received     int     `json:"packetsReceived"`
	Lost         int     `json:"packetsLost"`
	Samples      int     `json:"totalSamplesReceived"` // and made up
	Emitted      int     `json:"jitterBufferEmittedCount"`
	Delay        float64 `json:"jitterBufferDelay"` // seconds, summed over Emitted samples
	Concealed    int     `json:"concealedSamples"`
	Energy       float64 `json:"totalAudioEnergy"`
	Contributing []struct {
		Source protocol.Source `json:"source"`
		Level  float64         `json:"audioLevel"` // 0 to 1
	} `json:"contributing"` // of the last 10 s
}

func (p *tab) played() (sum played) {
	p.t.Helper()
	p.call("played()", &sum)
	return sum
}

// phraseBegins tells when the voice goes on after a pause.
func (p *tab) phraseBegins() func() bool {
	paused := false
	return func() bool {
		for _, c := range p.played().Contributing {
			paused = paused || c.Level == 0
			return paused && c.Level > 0.03
		}
		return false
	}
}

// hearing is what a player played during some time.
type hearing struct {
	before, after played
	levels        map[protocol.Source]*span
}

// span is the lowest and the highest level.
type span struct{ low, high float64 }

// hear waits until a voice has been heard for a second, while the jitter buffer
// finds its length, and then until as much as wanted has been played.
func (p *tab) hear(long time.Duration) *hearing {
	p.t.Helper()
	look := time.NewTicker(40 * time.Millisecond)
	defer look.Stop()
	h := &hearing{levels: map[protocol.Source]*span{}}
	for h.before = p.played(); h.before.Emitted < protocol.ClockRate; h.before = p.played() {
		<-look.C
	}
	for enough := h.before.Samples + int(long.Seconds()*protocol.ClockRate); h.after.Samples < enough; <-look.C {
		h.after = p.played()
		for _, c := range h.after.Contributing {
			if h.levels[c.Source] == nil {
				h.levels[c.Source] = &span{c.Level, c.Level}
			}
			s := h.levels[c.Source]
			s.low, s.high = min(s.low, c.Level), max(s.high, c.Level)
		}
	}
	return h
}

const (
	// glitches is how much of a phrase a player may make up because the machine
	// is busy: mostly none; up to 300 ms where two cores had twelve processes
	// to run, but not in one phrase after another.
	glitches = 60 * time.Millisecond
	// outage is how much it may make up when the relay dies: mostly nothing, the
	// jitter buffer bridges it; up to 210 ms where the machine is busy. If
	// nobody takes over, it is the whole phrase.
	outage = 500 * time.Millisecond
)

// concealed is how much the player made up for want of packets.
func (h *hearing) concealed() time.Duration {
	return time.Duration(h.after.Concealed-h.before.Concealed) * time.Second / protocol.ClockRate
}

// check checks that a source was heard alone, and whole.
func (h *hearing) check(t *testing.T, source protocol.Source, conceals time.Duration) {
	t.Helper()
	if s := h.levels[source]; len(h.levels) != 1 || s == nil || s.high == 0 || s.low > s.high/10 {
		t.Errorf("heard sources %v, want %d alone, with a level that moves", slices.Collect(maps.Keys(h.levels)), source)
	}
	if h.after.Lost != 0 || h.after.Received == h.before.Received {
		t.Errorf("received %d packets, lost %d", h.after.Received-h.before.Received, h.after.Lost)
	}
	if more := h.after.Energy - h.before.Energy; more < 0.1 { // of full scale, squared, times seconds
		t.Errorf("heard an energy of %g: that is no voice", more)
	}
	delay := (h.after.Delay - h.before.Delay) / float64(h.after.Emitted-h.before.Emitted)
	t.Logf("concealed %v; %.0f ms in the jitter buffer", h.concealed(), delay*1000)
	if h.concealed() > conceals {
		t.Errorf("concealed %v, more than %v", h.concealed(), conceals)
	}
}

// whip publishes through the HTTP API (RFC 9725).
func (r *running) whip(ctx context.Context, room, offer string) (session, answer string) {
	r.t.Helper()
	a, answer := r.request(ctx, http.MethodPost, "/api/v1/rooms/"+room+"/whip", offer)
	if a.StatusCode != http.StatusCreated || a.Header.Get("Content-Type") != "application/sdp" {
		r.t.Fatalf("WHIP: %s: %s", a.Status, answer)
	}
	return a.Header.Get("Location"), answer
}

func (r *running) endSession(ctx context.Context, session string, want int) {
	r.t.Helper()
	if a, why := r.request(ctx, http.MethodDelete, session, ""); a.StatusCode != want {
		r.t.Errorf("DELETE %s: %s, want %d: %s", session, a.Status, want, why)
	}
}

func (r *running) request(ctx context.Context, method, path, sdp string) (*http.Response, string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(ctx, method, r.API()+path, strings.NewReader(sdp))
	must(r.t, err)
	q.Header.Set("Authorization", "Bearer "+r.token)
	if sdp != "" {
		q.Header.Set("Content-Type", "application/sdp")
	}
	q.Close = true // no goroutine stays behind
	a, err := http.DefaultClient.Do(q)
	must(r.t, err)
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	must(r.t, err)
	return a, string(body)
}

// speaksAs waits for the node's own source in a room.
func (r *running) speaksAs(room string) (s protocol.Source) {
	r.t.Helper()
	r.eventually(5*time.Second, "a source of its own", func() bool {
		for _, line := range r.view(room).Sources {
			if line.Peer == r.self.String() {
				s = protocol.Source(line.Source)
				return true
			}
		}
		return false
	})
	return s
}

// seesSpeaking says whether somebody's presence tells that they speak.
func (r *running) seesSpeaking(room string, other *running) func() bool {
	return func() bool {
		for _, m := range r.view(room).Members {
			if m.Peer == other.self.String() {
				return m.Speaking
			}
		}
		return false
	}
}

func not(is func() bool) func() bool { return func() bool { return !is() } }
