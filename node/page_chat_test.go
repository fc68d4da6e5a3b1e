package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
)

// TestPageChat has two people write to each other by the keyboard alone, the host
// take a message out of sight, and both see a reaction and a caption. What they
// write is text, whatever it looks like.
func TestPageChat(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	host, guest := b.visit(t, ana.Page()), b.visit(t, budi.Page())
	o := ana.open(host.ctx, "In writing", "host")
	host.enters(o.Room)
	guest.enters(o.Room)

	const markup = `<img src=x onerror="document.title='owned'">`
	guest.tabTo(`.writing textarea`)
	guest.types(markup)
	guest.presses(kb.Enter)
	host.shows(`.lines`, markup)
	guest.eventually("the field is empty", `document.querySelector('.writing textarea').value.trim() === ''`)
	guest.shows(`.lines`, markup)
	if !guest.is(`document.querySelector('.lines .quiet').hidden`) {
		t.Error("a guest is to hide what is written")
	}
	host.tabTo(`.writing textarea`)
	host.types("Selamat malam")
	host.presses(kb.Enter)
	guest.shows(`.lines li:last-child`, "Selamat malam")

	guest.tabTo(`.writing textarea`)
	guest.call(`document.querySelector('.writing textarea').value = 'é'.repeat(251)`, nil)
	guest.types("x")
	guest.shows(`.chat .problem`, "Too long")
	if !guest.is(`document.querySelector('.writing button').disabled`) {
		t.Error("what is too long can be sent")
	}

	host.tabTo(`.lines .quiet`)
	host.presses(kb.Enter)
	guest.shows(`.lines li:first-child`, "Hidden by the host")
	host.shows(`.lines li:first-child .quiet`, "Show again")
	host.presses(kb.Enter)
	guest.shows(`.lines li:first-child`, markup)

	guest.tabTo(`.reactions button`)
	guest.presses(kb.Enter)
	host.shows(`.reactions button:first-child`, "👏1")
	must(t, ana.AllowCaptions(host.ctx, o.Room, true))
	must(t, ana.Caption(host.ctx, o.Room, web.CaptionRequest{Text: "what is heard", Language: "en"}))
	guest.shows(`.captions`, "ana: what is heard")
	reads(t, o.Room, ana, host, guest)
	if title := host.text(`document.title`) + guest.text(`document.title`); strings.Contains(title, "owned") {
		t.Error("what somebody wrote was run")
	}
	host.checkNames("chat")
	host.checkWidth("chat", 320)
	if os.Getenv("EARSHOT_AXE") != "" {
		axe := axeCore(t)
		host.judge(axe, "chat of the host")
		guest.judge(axe, "chat of a guest")
	}
	drawChat(t, host, guest)
}

// reads has ana type what she says, and budi, whose page plays no sound, read that,
// who speaks, and what is done in the room.
func reads(t *testing.T, room string, ana *running, host, guest *page) {
	guest.tabTo(`.ring`)
	guest.presses("?")
	guest.tabTo(`dialog .option:nth-of-type(4) input`)
	guest.presses(" " + kb.Escape)
	guest.eventually("the settings are closed", `!document.querySelector('dialog')`)
	if guest.is(`document.querySelector('.said details').checkVisibility()`) {
		t.Error("who may not speak is to type what they say")
	}
	must(t, ana.AllowCaptions(host.ctx, room, false))
	host.tabTo(`.said summary`)
	host.presses(kb.Enter)
	host.tabTo(`.said input`)
	host.types("Good evening, all")
	guest.shows(`.captions`, "ana: Good evening, all") // as it is typed
	host.presses(kb.Enter)
	host.eventually("the next one can be typed", `document.querySelector('.said input').value === ''`)
	guest.tabTo(`.said details:nth-of-type(2) summary`)
	guest.presses(kb.Enter)
	guest.shows(`.said ol`, "ana: what is heard")
	guest.shows(`.said ol`, "ana: Good evening, all")

	host.tabTo(`.mic`)
	host.presses(kb.Enter)
	guest.shows(`.talking`, "Speaking now: \u2068ana\u2069")
	host.presses(kb.Enter)
	must(t, ana.Act(host.ctx, room, web.ActRequest{Act: web.ActTitle, Text: "In writing only"}))
	for _, p := range []*page{host, guest} {
		p.shows(`.lines .happened`, "\u2068ana\u2069 named the room \u2068In writing only\u2069")
	}
}

// drawChat draws the chat into the directory that EARSHOT_SCREENSHOTS names.
func drawChat(t *testing.T, pages ...*page) {
	dir := os.Getenv("EARSHOT_SCREENSHOTS")
	if dir == "" {
		return
	}
	must(t, os.MkdirAll(dir, 0o755))
	for i, p := range pages {
		for _, s := range allShots()[:2] {
			var png []byte
			must(t, chromedp.Run(p.ctx, chromedp.EmulateViewport(s.width, s.height),
				chromedp.Evaluate(`document.documentElement.dataset.theme = '`+s.theme+`'; document.querySelector('.chat').scrollIntoView({block: 'center'})`, nil),
				emulation.SetEmulatedMedia(), chromedp.CaptureScreenshot(&png)))
			must(t, os.WriteFile(filepath.Join(dir, "chat-"+[]string{"host", "guest"}[i]+"-"+s.name+".png"), png, 0o644))
		}
	}
}
