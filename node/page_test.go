package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
)

// TestPage lets a real browser show the pages of two nodes that are neighbours:
// ana's, and budi's. What a person does, it does by keyboard.
func TestPage(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	t.Run("opens by its key once", func(t *testing.T) { testKeyOpensOnce(t, b, ana) })
	t.Run("shows what is live", func(t *testing.T) { testHallway(t, b, ana, budi) })
	t.Run("shares its events between tabs", func(t *testing.T) { testTabs(t, b, ana, budi) })
	t.Run("opens a room", func(t *testing.T) { testOpening(t, b, ana) })
	t.Run("does not join by a link", func(t *testing.T) { testLinkAsks(t, b, ana, budi) })
	t.Run("has one microphone, and lets it go", func(t *testing.T) { testMicrophone(t, b, ana) })
	t.Run("speaks and is heard", func(t *testing.T) { testPagesTalk(t, b, ana, budi) })
	t.Run("can be used by everybody", func(t *testing.T) { testAccess(t, b, ana, budi) })
	t.Run("echoes in an empty world", func(t *testing.T) { testEcho(t, b) })
}

func testKeyOpensOnce(t *testing.T, b *browser, n *running) {
	address := n.Page()
	p := b.visit(t, address)
	p.shows(`h1`, "Live now")
	if at := p.text(`location.href`); at != n.API()+"/" {
		t.Errorf("the page stands at %s: its key is still there", at)
	}
	must(t, chromedp.Run(p.ctx, chromedp.Reload()))
	p.shows(`h1`, "Live now")
	must(t, chromedp.Run(p.ctx, network.ClearBrowserCookies(), chromedp.Navigate("about:blank"), chromedp.Navigate(address)))
	p.shows(`main`, "lost its key")
	p.mayComplain("401")
}

func testHallway(t *testing.T, b *browser, ana, budi *running) {
	p := b.visit(t, budi.Page())
	p.shows(`h1`, "Live now")
	p.eventually("budi's page follows", `document.querySelector('.me bdi')?.textContent === 'budi'`)
	o, err := ana.Open(p.ctx, web.OpenRequest{Title: "Đêm thơ ở Huế", Language: "vi", Topics: []string{"thơ"}, Stage: "open"})
	must(t, err)
	ana.open(p.ctx, "Why the sky is dark", "host")
	began := time.Now()
	p.shows(`.rows`, "Đêm thơ ở Huế")
	if took := time.Since(began); took > 2*time.Second+5*p.slow && !raceEnabled {
		t.Errorf("it was shown after %v, where one look took %v at the most", took, p.slow)
	}
	p.shows(`.rows`, "Why the sky is dark")
	p.tabTo(`input[type=search]`)
	p.types("dem tho")
	p.eventually("one room is found", `document.querySelectorAll('.row').length === 1 && document.querySelector('.row .title').textContent.includes('Huế')`)
	p.types(" xyz")
	p.shows(`.empty`, "Nothing live matches")
	p.tabTo(`.empty button`)
	p.presses(kb.Enter)
	p.eventually("the search is cleared", `document.querySelectorAll('.row').length >= 2`)
	must(t, ana.Close(p.ctx, o.Room, time.Time{}))
	p.eventually("the ended room is gone", `![...document.querySelectorAll('.row')].some(r => r.textContent.includes('Huế'))`)
}

// testTabs has three tabs follow by one stream, which passes on when its tab closes.
func testTabs(t *testing.T, b *browser, ana, budi *running) {
	first := b.visit(t, budi.Page())
	first.shows(`h1`, "Live now")
	first.eventually("the first tab follows", `document.querySelector('.me bdi')?.textContent === 'budi'`)
	second, third := b.visit(t, budi.API()), b.visit(t, budi.API())
	o := ana.open(first.ctx, "Seen in every tab", "open")
	for _, p := range []*page{first, second, third} {
		p.shows(`.rows`, "Seen in every tab")
	}
	if streams := []int64{first.streams.Load(), second.streams.Load(), third.streams.Load()}; !slices.Equal(streams, []int64{1, 0, 0}) {
		t.Errorf("the tabs hold %v streams", streams)
	}
	must(t, chromedp.Cancel(first.ctx))
	must(t, ana.Close(second.ctx, o.Room, time.Time{}))
	for _, p := range []*page{second, third} {
		p.eventually("the ended room is gone", `![...document.querySelectorAll('.row')].some(r => r.textContent.includes('Seen'))`)
	}
	// What a browser does, it says a little later.
	budi.eventually("once the first tab closed, the others hold one stream", func() bool {
		return second.streams.Load()+third.streams.Load() == 1
	})
}

func testOpening(t *testing.T, b *browser, n *running) {
	p := b.visit(t, n.Page())
	p.shows(`h1`, "Live now")
	link := p.opens("Rain on tin roofs", "open")
	p.eventually("so is its QR code", `document.querySelector('dialog .qr')?.naturalWidth > 0`)
	p.presses(kb.Enter) // focus is on the way in
	p.shows(`h1`, "Rain on tin roofs")
	v, err := n.Room(p.ctx, link)
	must(t, err)
	if v.Stage != "open" || v.Listed || v.Title != "Rain on tin roofs" {
		t.Errorf("the form opened %+v", v)
	}
	p.tabTo(`.bar button.danger, .floor .acts button`)
	must(t, n.Close(p.ctx, v.Room, time.Time{}))
	p.shows(`.state`, "This room has ended")
	p.tabTo(`.floor .acts button`)
	p.presses(kb.Enter)
	p.asks()
	if v, err = n.Room(p.ctx, link); err != nil || v.Closed {
		t.Errorf("the room is not open again: %+v, %v", v, err)
	}
}

func testLinkAsks(t *testing.T, b *browser, ana, budi *running) {
	p := b.visit(t, budi.Page())
	p.shows(`h1`, "Live now")
	o := ana.open(p.ctx, "Nobody joins by a link", "open")
	p.tabTo(`.pasting input`)
	p.types("is this one?")
	p.presses(kb.Enter)
	p.shows(`.pasting .problem`, "no link to a room")
	p.presses(kb.Home + strings.Repeat(kb.Delete, len("is this one?")))
	p.follows(o.Link)
	p.shows(`h1`, "Nobody joins by a link")
	p.asks()
	p.tabTo(`.ring`)
	p.presses("m ")
	p.tabTo(`.floor .acts button`)
	if budi.Node.room(roomID(t, o.Room)) != nil || p.is(`document.querySelector('.bar').checkVisibility()`) {
		t.Error("a link, or a key, joined the room")
	}
}

// testPagesTalk has ana speak by her page, and budi listen by his.
func testPagesTalk(t *testing.T, b *browser, ana, budi *running) {
	listener, speaker := b.visit(t, budi.Page()), b.visit(t, ana.Page())
	o := ana.open(listener.ctx, "Frogs at dusk", "open")
	listener.enters(o.Room)
	speaker.enters(o.Room)
	ear := budi.listen(listener.ctx, o.Room)
	defer ear.cancel()

	speaker.tabTo(`.mic`)
	speaker.presses(kb.Enter)
	source := ana.speaksAs(o.Room)
	budi.eventually("half a second of ana's voice", func() bool { return ear.heardOf(source) > 25 })
	seat := seatOf("ana")
	listener.eventually("ana's ring moves, by who contributes to what is played", seat+`?.style.getPropertyValue('--level') > 0.2`)
	speaker.eventually("so does her own", seat+`?.style.getPropertyValue('--level') > 0.2`)
	listener.tabTo(`.ring`)
	listener.presses("s")
	listener.shows(`#voice`, "Speaking now: \u2068ana\u2069")
	speaker.presses(kb.Enter)
	budi.eventually("ana speaks no more", not(budi.seesSpeaking(o.Room, ana)))

	// Push-to-talk, which the settings turn on.
	speaker.tabTo(`.ring`)
	speaker.presses("?")
	speaker.eventually("the settings are open", `document.querySelector('dialog.settings') !== null`)
	speaker.tabTo(`dialog .option:nth-of-type(3) input`)
	speaker.presses(" " + kb.Escape)
	speaker.eventually("they are closed", `document.querySelector('dialog') === null`)
	speaker.tabTo(`.ring`)
	for _, release := range []func(){
		func() { speaker.key(input.KeyUp, "Space") },
		func() { speaker.presses(kb.Tab) }, // focus goes elsewhere
	} {
		speaker.tabTo(`.ring`)
		before := ear.heardOfAll() // of ana, whose last source may be forgotten
		speaker.key(input.KeyRawDown, "Space")
		speaker.eventually("the microphone is live while Space is held", `document.querySelector('.mic').hasAttribute('data-live')`)
		budi.eventually("ana is heard again", func() bool { return ear.heardOfAll() > before+10 })
		listener.eventually("ana's microphone is shown to be on", `!`+seat+`.querySelector('.role').textContent.includes('microphone off')`)
		release()
		speaker.eventually("it is silent once Space is let go", `!document.querySelector('.mic').hasAttribute('data-live')`)
		listener.eventually("which is shown, though she goes on to send", seat+`.querySelector('.role').textContent.includes('microphone off')`)
	}
	speaker.key(input.KeyUp, "Space")
	speaker.tabTo(`.leave`)
	speaker.presses(kb.Enter)
	speaker.shows(`h1`, "Live now")
	budi.eventually("ana left the stage", not(budi.seesSpeaking(o.Room, ana)))
}

// testMicrophone has one tab hold the microphone, and a person leave while the
// browser still asks whether the page may have it.
func testMicrophone(t *testing.T, b *browser, n *running) {
	first, second := b.visit(t, n.Page()), b.visit(t, n.Page())
	o := n.open(first.ctx, "One microphone", "open")
	first.enters(o.Room)
	second.enters(o.Room)
	first.tabTo(`.mic`)
	first.presses(kb.Enter)
	first.eventually("the microphone is live", `document.querySelector('.mic').hasAttribute('data-live')`)
	second.tabTo(`.mic`)
	second.presses(kb.Enter)
	second.shows(`.bar .problem`, "Another tab of this browser has the microphone")
	first.presses(kb.Enter)
	n.eventually("nobody speaks", not(n.seesSpeaking(o.Room, n)))

	second.call(`(() => {
		const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
		navigator.mediaDevices.getUserMedia = wish => new Promise(done => { window.allow = async () => done(window.late = await real(wish)) })
	})()`, nil)
	second.presses(kb.Enter)
	second.eventually("it is asked for", `window.allow`)
	second.tabTo(`.leave`)
	second.presses(kb.Enter)
	second.shows(`h1`, "Live now")
	second.call(`allow()`, nil)
	second.eventually("a microphone that comes too late is let go", `late.getTracks()[0].readyState === 'ended'`)
	if n.seesSpeaking(o.Room, n)() {
		t.Error("somebody who left is heard")
	}
}

// testEcho has somebody who knows nobody hear themselves, until there is a room.
func testEcho(t *testing.T, b *browser) {
	n := start(t, "dewi")
	p := b.visit(t, n.Page())
	p.shows(`.empty`, "No one in earshot yet")
	p.checkNames("empty world")
	p.checkWidth("empty world", 320)
	p.tabTo(`.trial button`)
	p.presses(kb.Enter)
	p.eventually("one's own voice moves the line", `document.querySelector('.trial button[data-live] .level')?.style.getPropertyValue('--level') > 0.2`)
	p.presses(kb.Enter)
	p.eventually("it ends", `!document.querySelector('.trial button').hasAttribute('data-live')`)
	n.open(p.ctx, "Now there is one", "host")
	p.shows(`.rows`, "Now there is one")
}
