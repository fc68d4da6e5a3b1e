package node

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// aloneIn says to this test that it runs where there is nothing but loopback.
const aloneIn = "EARSHOT_TEST_ALONE"

// TestPageWithLoopbackAlone has pages speak and hear on a machine with no network
// interface but loopback, where Chromium gathers no ICE candidate: in a network
// namespace of its own, in which this program runs once more.
func TestPageWithLoopbackAlone(t *testing.T) {
	if os.Getenv(aloneIn) != "" {
		must(t, exec.Command("ip", "link", "set", "lo", "up").Run())
		testPagesTalkBySocket(t, launch(t))
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root makes network namespaces (sudo -E go test -run TestPageWithLoopbackAlone ./node)")
	}
	t.Parallel()
	chromium(t)
	again := exec.Command(os.Args[0], "-test.run=^TestPageWithLoopbackAlone$", "-test.v", "-test.timeout=5m")
	again.Env = append(os.Environ(), aloneIn+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	said, err := again.CombinedOutput()
	t.Logf("%s", said)
	if err != nil || !strings.Contains(string(said), "--- PASS: TestPageWithLoopbackAlone") {
		t.Fatalf("alone: %v", err)
	}
}

// testPagesTalkBySocket has ana speak by her page, and budi listen by his.
func testPagesTalkBySocket(t *testing.T, b *browser) {
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	listener, speaker := b.visit(t, budi.Page()), b.visit(t, ana.Page())
	var candidates int
	listener.call(`(async () => {
		const pc = new RTCPeerConnection()
		pc.addTransceiver('audio')
		await pc.setLocalDescription()
		await new Promise(done => setTimeout(done, 1000)) // it does not say that it is complete
		return pc.localDescription.sdp.split('a=candidate:').length - 1
	})()`, &candidates)
	if candidates != 0 {
		t.Fatalf("Chromium has %d ways by ICE: the test says nothing", candidates)
	}
	// What is played is measured at the context's end, as ears would.
	listener.call(`window.loudest = 0, AudioNode.prototype.connect = (connect => function (to, ...rest) {
		if (this instanceof GainNode && to instanceof AudioDestinationNode) {
			const probe = new AnalyserNode(this.context), samples = new Float32Array(probe.fftSize)
			connect.call(this, probe)
			setInterval(() => { probe.getFloatTimeDomainData(samples); window.loudest = Math.max(window.loudest, ...samples.map(Math.abs)) }, 50)
		}
		return connect.call(this, to, ...rest)
	})(AudioNode.prototype.connect)`, nil)
	o := ana.open(listener.ctx, "Frogs at dusk", "open")
	listener.enters(o.Room)
	speaker.enters(o.Room)
	ear := budi.listen(listener.ctx, o.Room)
	defer ear.cancel()

	speaker.tabTo(`.mic`)
	speaker.presses(kb.Enter)
	source := ana.speaksAs(o.Room)
	budi.eventually("half a second of ana's voice", func() bool { return ear.heardOf(source) > 25 })
	listener.eventually("ana's ring moves, by the levels of her frames", seatOf("ana")+`?.style.getPropertyValue('--level') > 0.2`)
	listener.eventually("ana is played", `window.loudest > 0.02`)
	listener.tabTo(`.ring`)
	listener.eventually("ana's ring is lit", seatOf("ana")+`?.hasAttribute('data-heard')`)
	listener.presses("s")
	listener.shows(`#voice`, "Speaking now: \u2068ana\u2069")
	speaker.tabTo(`.mic`)
	speaker.presses(kb.Enter)
	budi.eventually("ana speaks no more", not(budi.seesSpeaking(o.Room, ana)))
}
