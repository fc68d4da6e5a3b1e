package node

import (
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
)

// TestPageHasNoViolations lets axe-core judge every view, in light and in dark, on a
// desk and on a phone. EARSHOT_AXE names its axe.min.js, which is no part of this
// repository (npm install axe-core).
func TestPageHasNoViolations(t *testing.T) {
	t.Parallel()
	axe := axeCore(t)
	b := launch(t)
	t.Run("alone", func(t *testing.T) { judgeAlone(t, b, axe) })
	cert, key := doorCertificate(t, "127.0.0.1")
	ana := startWith(t, "ana", func(c *Config) { c.Guests = Guests{Listen: "127.0.0.1:0", Cert: cert, Key: key} })
	budi := start(t, "budi", ana)
	t.Run("hallway", func(t *testing.T) { judgeHallway(t, b, axe, ana) })
	t.Run("room", func(t *testing.T) { judgeRoom(t, b, axe, ana, budi) })
	t.Run("crowd", func(t *testing.T) { judgeCrowd(t, b, axe, ana) })
	t.Run("guest", func(t *testing.T) { judgeGuest(t, b, axe, ana) })
	t.Run("without its node", func(t *testing.T) { judgeStopped(t, b, axe, budi) })
}

func judgeAlone(t *testing.T, b *browser, axe string) {
	n := start(t, "dewi")
	p := b.visit(t, n.Page())
	p.shows(`.empty`, "No one in earshot yet")
	p.judge(axe, "empty world")
	p.tabTo(`.trial button`)
	p.presses(kb.Enter)
	p.eventually("one hears oneself", `document.querySelector('.trial button').hasAttribute('data-live')`)
	p.judge(axe, "echo")
	p.presses(kb.Enter)
	stranger := b.visit(t, n.API())
	stranger.mayComplain("401")
	must(t, chromedp.Run(stranger.ctx, network.ClearBrowserCookies(), chromedp.Reload()))
	stranger.shows(`main`, "lost its key")
	stranger.judge(axe, "locked")
}

func judgeHallway(t *testing.T, b *browser, axe string, n *running) {
	p := b.visit(t, n.Page())
	n.open(p.ctx, "Frogs at dusk", "open")
	p.shows(`.rows`, "Frogs at dusk")
	p.judge(axe, "hallway")
	p.tabTo(`.pasting input`)
	p.types("is this one?" + kb.Enter)
	p.shows(`.pasting .problem`, "no link to a room")
	p.tabTo(`input[type=search]`)
	p.types("xyz")
	p.shows(`.empty`, "Nothing live matches")
	p.judge(axe, "nothing found")
	p.presses(kb.Escape)
	p.tabTo(`aside button.main`)
	p.presses(kb.Enter)
	p.eventually("it asks for a title", `document.activeElement.name === 'title'`)
	p.judge(axe, "opening")
	p.types("Rain on tin roofs" + kb.Enter)
	p.eventually("the link is shown", `document.querySelector('dialog .qr')?.naturalWidth > 0`)
	p.judge(axe, "opened")
}

// judgeRoom looks at a room as its host, who speaks, and as a listener who asks to.
func judgeRoom(t *testing.T, b *browser, axe string, ana, budi *running) {
	host, guest := b.visit(t, ana.Page()), b.visit(t, budi.Page())
	o := ana.open(host.ctx, "By a raised hand", "host")
	guest.eventually("the room is in the list", `document.querySelector('.row a[href="#room/`+o.Room+`"]')`)
	guest.call(`location.hash = 'room/`+o.Room+`'`, nil)
	guest.shows(`.state`, "You join only when you press Listen")
	guest.judge(axe, "asked")
	guest.call(`location.hash = ''`, nil)
	host.enters(o.Room)
	guest.enters(o.Room)
	guest.tabTo(`.bar .hand`)
	guest.presses(kb.Enter)
	guest.shows(`.hands`, "You are number 1 in line")
	guest.judge(axe, "with a hand up")
	host.shows(`.queue`, "budi")
	host.tabTo(`.mic`)
	host.presses(kb.Enter)
	host.eventually("the microphone is live", `document.querySelector('.mic').hasAttribute('data-live')`)
	host.judge(axe, "host who speaks, and a queue")
	host.tabTo(`.queue button:first-of-type`)
	host.presses(kb.Enter)
	guest.shows(`.bar .invited`, "invites you to speak")
	guest.judge(axe, "invited")
	host.tabTo(`.ring`)
	host.presses("n")
	host.eventually("the drawer is open", `document.querySelector('.drawer').checkVisibility()`)
	host.judge(axe, "network drawer")
	host.presses(kb.Escape)
	host.tabTo(`.ring`)
	host.presses("?")
	host.eventually("the settings are open", `document.querySelector('dialog.settings')?.checkVisibility()`)
	host.judge(axe, "settings")
	host.presses(kb.Escape)
	host.call(`document.querySelector('aside details').open = true`, nil)
	host.judge(axe, "the room's link")
	guest.call(`location.hash = ''`, nil)
	guest.eventually("the strip is shown", `document.querySelector('.strip').checkVisibility()`)
	guest.judge(axe, "hallway, while in a room")
	host.mayComplain("409") // who listened asks whether it is so
	guest.mayComplain("409")
	must(t, ana.Close(host.ctx, o.Room, time.Time{}))
	host.shows(`.state`, "This room has ended")
	host.judge(axe, "ended")
}

// judgeCrowd looks at a room of many, and at one of a demo, as another tab of a
// browser would tell of them.
func judgeCrowd(t *testing.T, b *browser, axe string, n *running) {
	o := n.open(t.Context(), "A crowd", "open")
	holder := b.visit(t, n.Page())
	holder.eventually("a tab holds the stream", `document.querySelector('.me bdi')?.textContent`)
	p := b.visit(t, n.Page())
	p.enters(o.Room)
	holder.call(`BroadcastChannel.prototype.postMessage = () => {}`, nil) // so that what the other is told stays
	p.call(`for (let i = setInterval(() => {}, 1e6); i > 0; i--) clearInterval(i)`, nil)
	for _, members := range [][]web.Member{asking(roomful(8, 9), 5), roomful(12, 60)} {
		members[1].Blocked, members[2].SimilarTo, members[3].Colour = true, []string{members[4].Peer}, "red"
		p.tell("room", viewWith(o, n, members))
		p.eventually("they are shown", `document.querySelectorAll('.seat').length > 7 && document.querySelector('[data-blocked]')`)
		p.call(`document.querySelectorAll('.seat').forEach(s => { s.style.setProperty('--level', 0.5); s.setAttribute('data-heard', '') })`, nil)
		p.judge(axe, "crowd")
	}
	status, err := n.Status(t.Context())
	must(t, err)
	status.Demo = true
	p.tell("node", status)
	p.eventually("the demo's button is there", `document.querySelector('.demo button')?.checkVisibility()`)
	p.judge(axe, "demo")
}

// judgeGuest looks at the guests' page over TLS, where guests may speak.
func judgeGuest(t *testing.T, b *browser, axe string, n *running) {
	p := b.visit(t, "about:blank")
	p.mayComplain("429") // what a guest says is limited; the page says it again
	o := n.open(p.ctx, "Guests ask", "host")
	must(t, chromedp.Run(p.ctx, security.SetIgnoreCertificateErrors(true), chromedp.Navigate(o.GuestLink)))
	p.shows(`h1`, "Guests ask")
	p.judge(axe, "guest")
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are listening")
	p.shows(`#hand`, "Raise your hand")
	p.judge(axe, "guest who listens")
	must(t, chromedp.Run(p.ctx, chromedp.SendKeys(`#name`, "gita"), chromedp.Click(`#hand`)))
	p.shows(`#turn`, "place 1")
	p.judge(axe, "guest who asks")
	n.eventually("the host sees who asks", func() bool { return n.guestNamed(o.Room, "gita").Hand == 1 })
	must(t, n.Grant(p.ctx, o.Room, "gita", "speaker"))
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#mic`)))
	p.shows(`#turn`, "microphone is on")
	p.judge(axe, "guest who speaks")
	must(t, n.AllowCaptions(p.ctx, o.Room, true))
	must(t, n.Caption(p.ctx, o.Room, web.CaptionRequest{Text: "What is said, as text"}))
	must(t, n.React(p.ctx, o.Room, "👏"))
	must(t, chromedp.Run(p.ctx, chromedp.SendKeys(`#text`, "selamat pagi"), chromedp.Click(`#send`)))
	p.shows(`#lines`, "selamat pagi")
	must(t, n.HideChat(p.ctx, o.Room, web.HideRequest{Peer: "gita"}))
	p.shows(`#lines`, "Hidden by the host")
	p.judge(axe, "guest who reads and writes")
	must(t, chromedp.Run(p.ctx, chromedp.Navigate(n.Door()+"/r"), chromedp.Reload()))
	p.eventually("it says that there is no room", `document.querySelector('#state').textContent`)
	p.judge(axe, "guest without a room")
}

// judgeStopped looks at a page whose node is gone.
func judgeStopped(t *testing.T, b *browser, axe string, n *running) {
	p := b.visit(t, n.Page())
	p.shows(`h1`, "Live now")
	p.eventually("the page follows", `document.querySelector('.me bdi')?.textContent === 'budi'`)
	n.stop()
	p.shows(`#banner`, "Earshot has stopped")
	p.judge(axe, "stopped")
	p.mayComplain("ERR_")
}

// judge has axe-core look at a page as it stands, by both themes and at both widths;
// with EARSHOT_LONG=1 by each at each.
func (p *page) judge(axe, view string) {
	p.t.Helper()
	if !p.is(`window.axe`) {
		must(p.t, chromedp.Run(p.ctx, chromedp.Evaluate(axe, nil)))
	}
	looks := []look{{"light", 1280}, {"dark", 390}}
	if os.Getenv("EARSHOT_LONG") == "1" {
		looks = append(looks, look{"dark", 1280}, look{"light", 390})
	}
	for _, l := range looks {
		must(p.t, chromedp.Run(p.ctx,
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}}),
			emulation.SetDeviceMetricsOverride(l.width, 844, 1, l.width < 500)))
		var found []string
		p.call(`axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 100)).join(' | ')))`, &found)
		for _, f := range found {
			p.t.Errorf("%s, %s, %d pixels wide: %s", view, l.theme, l.width, f)
		}
	}
	must(p.t, chromedp.Run(p.ctx, emulation.ClearDeviceMetricsOverride()))
}

func axeCore(t *testing.T) string {
	t.Helper()
	file := os.Getenv("EARSHOT_AXE")
	if file == "" && os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1" {
		t.Fatal("EARSHOT_AXE names no axe.min.js")
	} else if file == "" {
		t.Skip("EARSHOT_AXE=FILE names axe.min.js (npm install axe-core)")
	}
	axe, err := os.ReadFile(file)
	must(t, err)
	return string(axe)
}

// look is how a page is shown.
type look struct {
	theme string
	width int64 // in pixels
}
