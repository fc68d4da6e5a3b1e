package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/earshot-audio/earshot/protocol"
)

// slideFor is how long somebody takes to slide to another place in the picture.
const slideFor = 600 * time.Millisecond

// movesScript notes where people stood in the picture, by name, in order.
const movesScript = `
	window.stood = {}
	new MutationObserver(changes => {
		for (const {target} of changes) {
			const name = target.querySelector?.('title')?.textContent
			if (name) (stood[name] ??= []).push(target.getAttribute('transform'))
		}
	}).observe(document.querySelector('.net'), {subtree: true, attributeFilter: ['transform']})
`

// TestPageDrawer shows a room of three nodes in the drawer of citra's page. Ana, who
// speaks and relays, turns the microphone off and on, and dies; then budi does, and
// nothing is to move any more.
func TestPageDrawer(t *testing.T) {
	t.Parallel()
	ana := start(t, "ana")
	budi, citra := start(t, "budi", ana), start(t, "citra", ana)
	o := ana.open(t.Context(), "Frogs at dusk", "open")
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	budi.listen(t.Context(), o.Room)
	budi.eventually("ana relays, budi stands by", settled(o.Room, 0, ana, budi))
	talk, hush := context.WithCancel(t.Context())
	hushed := make(chan struct{})
	go func() {
		defer close(hushed)
		ana.talk(talk, o.Room, 'a', 1<<20) // it ends with ana
	}()
	defer func() { hush(); <-hushed }()

	p := launch(t).visit(t, citra.Page())
	p.enters(o.Room)
	testVolumeStays(t, p, o.Room)
	p.tabTo(`.ring`)
	p.presses("n")
	p.shows(`.drawer`, "\u2068ana\u2069 carries the sound. \u2068budi\u2069 is ready to take over.")
	p.shows(`.drawer`, "\u2068ana\u2069 has carried it for \u2068less than a minute\u2069.")
	testPicture(t, p)
	testMutedIsShown(t, ana, o.Room, p)
	testMuteNeedsAVoice(t, budi, o.Room)
	p.checkWidth("network drawer", 320)

	p.call(movesScript, nil)
	ana.Kill()
	p.shows(`.past`, "\u2068ana\u2069 is gone; \u2068budi\u2069 carries the sound now.")
	p.shows(`.drawer`, "\u2068budi\u2069 has carried it for ")
	p.eventually("ana is not on stage", `!(`+seatOf("ana")+`)`)
	p.eventually("ana is out of the picture", `!`+nodeOf("ana"))
	p.eventually("budi is in the middle", nodeOf("budi")+`.matches('[data-relay][transform="translate(0 0)"]')`)
	if !p.is(`stood.budi.length > 1`) && p.slow < slideFor/2 { // else there was no time to draw it on its way
		t.Errorf("budi did not slide there: %s", p.text(`stood.budi.join()`))
	}

	p.eventually("citra stands by", nodeOf("citra")+`.matches('[data-standby][transform="translate(30 -30)"]')`)
	must(t, chromedp.Run(p.ctx, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}})))
	p.call(`stood = {}`, nil)
	budi.Kill()
	p.shows(`.drawer`, "You carry the sound of this room.")
	p.eventually("citra is in the middle", nodeOf("citra")+`.matches('[data-relay][transform="translate(0 0)"]')`)
	if !p.is(`stood.citra.length === 1`) {
		t.Errorf("where nothing is to move, citra came to the middle by %s", p.text(`stood.citra.join()`))
	}
}

// volumeScript notes how loud players are made.
const volumeScript = `
	window.loud = []
	const { set, get } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'volume')
	Object.defineProperty(HTMLMediaElement.prototype, 'volume', { get, set(v) { loud.push(v); set.call(this, v) } })
	undefined // no prototype is to be shown
`

// testVolumeStays makes ana quieter for this person, who then goes to the hallway
// and comes back.
func testVolumeStays(t *testing.T, p *page, room string) {
	slider := seatOf("ana") + `.querySelector('input')`
	p.eventually("ana sits on stage", seatOf("ana"))
	p.call(volumeScript, nil)
	p.call(slider+`.value = '0.25', `+slider+`.dispatchEvent(new Event('input'))`, nil)
	p.eventually("ana is made quieter", `loud.at(-1) === 0.25`)
	p.call(`location.hash = ''`, nil)
	p.shows(`h1`, "Live now")
	p.call(`loud.length = 0`, nil)
	p.eventually("she stays so in the hallway", `loud.length > 3`)
	if !p.is(`loud.every(v => v === 0.25)`) {
		t.Errorf("in the hallway ana is as loud as %s", p.text(`loud.join()`))
	}
	p.call(fmt.Sprintf(`location.hash = 'room/%s'`, room), nil)
	p.eventually("she is as loud as she was made", seatOf("ana")+` && `+slider+`.value === '0.25'`)
}

// nodeOf is who has this name in the picture.
func nodeOf(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.node')].find(n => n.querySelector('title').textContent === %s)`, quoted(name))
}

// testPicture looks at the picture, and at what stands beside it in words.
func testPicture(t *testing.T, p *page) {
	p.eventually("three people are drawn", `document.querySelectorAll('.node').length === 3`)
	p.eventually("ana is in the middle", nodeOf("ana")+`.getAttribute('transform') === 'translate(0 0)'`)
	p.eventually("citra is oneself", nodeOf("citra")+`.hasAttribute('data-self')`)
	p.eventually("all are joined, citra and budi only in case", `document.querySelectorAll('.net .link').length === 3 && document.querySelectorAll('.net .link.warm').length === 1`)
	p.eventually("the sound that flows is lit", `document.querySelectorAll('.net .link.lit').length >= 2 && `+nodeOf("ana")+`.hasAttribute('data-lit')`)
	p.shows(`.drawer li`, "\u2068ana\u2069 passes it on to \u2068\u2068budi\u2069 and \u2068citra\u2069\u2069.")
	p.shows(`.drawer li`, "\u2068budi\u2069 stands by for \u2068\u2068citra\u2069\u2069.")
	for what, pattern := range map[string]string{
		"the link that sound comes by has a rate, a round trip and a loss": `sound comesdirectly\d+ ms[\d.]+ %[1-9]\d* in\d+ out`,
		"so has the other one": `in reservedirectly\d+ ms[\d.]+ %\d+ in\d+ out`,
	} {
		p.eventually(what, fmt.Sprintf(`/%s/.test(document.querySelector('.drawer tbody').textContent)`, pattern))
	}
	if label := p.text(`document.querySelector('.net').getAttribute('aria-label')`); !strings.Contains(label, "carries the sound") {
		t.Errorf("the picture is called %q", label)
	}
}

// testMutedIsShown has a speaker turn the microphone off, and on again.
func testMutedIsShown(t *testing.T, speaker *running, room string, p *page) {
	seat := seatOf(string(speaker.name))
	for _, muted := range []bool{true, false, true, false} {
		must(t, speaker.Mute(t.Context(), room, muted))
		began := time.Now()
		p.eventually(fmt.Sprintf("muted: %v", muted), fmt.Sprintf(`%s.querySelector('.role').textContent.includes('microphone off') === %v && %[1]s.querySelector('.off').hidden === %[3]v`, seat, muted, !muted))
		if took := time.Since(began); took > time.Second+5*p.slow && !raceEnabled {
			t.Errorf("that the microphone is off: %v was shown after %v, where one look took %v at the most", muted, took, p.slow)
		}
	}
}

// testMuteNeedsAVoice has a node that does not speak turn its microphone on.
func testMuteNeedsAVoice(t *testing.T, n *running, room string) {
	problem, _ := errors.AsType[*protocol.Problem](n.Mute(t.Context(), room, false))
	if problem == nil || problem.Code != protocol.CodeBadRequest {
		t.Errorf("on: %v", problem)
	}
	if err := n.Mute(t.Context(), room, true); err != nil {
		t.Errorf("off: %v", err)
	}
	if err := n.Mute(t.Context(), "zzzz", true); err == nil {
		t.Error("in a room that nobody knows")
	}
}
