package node

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestPageHands has a listener raise a hand by a key, the host let her on stage by
// the keyboard alone, and her voice heard once she turns the microphone on.
func TestPageHands(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	host, guest := b.visit(t, ana.Page()), b.visit(t, budi.Page())
	o := ana.open(host.ctx, "By a raised hand", "host")
	host.enters(o.Room)
	guest.enters(o.Room)
	guest.eventually("only people on stage have a microphone", `document.querySelector('.mic').disabled`)
	if !host.is(`document.querySelector('.bar .hand').hidden`) {
		t.Error("the host is to raise a hand")
	}

	guest.tabTo(`.ring`)
	guest.presses("r")
	guest.shows(`.hands`, "You are number 1 in line")
	guest.shows(`.bar .hand`, "Lower hand")
	host.shows(`.queue`, "budi")
	host.shows(`#voice`, "\u2068budi\u2069 raised a hand")
	guest.presses("r")
	guest.shows(`.bar .hand`, "Raise hand")
	host.eventually("the queue is empty, and gone", `document.querySelector('.hands').hidden`)

	guest.tabTo(`.bar .hand`)
	guest.presses(kb.Enter)
	host.shows(`.queue`, "budi")
	host.checkNames("queue")
	host.checkWidth("queue", 320)
	host.about("budi", "Take the hand down")
	host.chooses("Take the hand down")
	guest.shows(`.bar .hand`, "Raise hand")
	host.eventually("the queue is empty again", `document.querySelector('.hands').hidden`)
	guest.presses(kb.Enter)
	host.shows(`.queue`, "budi")
	if guest.is(`document.querySelector('.queue .acts')?.checkVisibility()`) {
		t.Error("a guest is to let people on stage")
	}
	host.tabTo(`.queue button:first-of-type`)
	host.presses(kb.Enter)
	guest.shows(`.bar .invited`, "\u2068ana\u2069 invites you to speak")
	guest.eventually("the microphone is off, and can be turned on", `!document.querySelector('.mic').disabled && !document.querySelector('.mic').hasAttribute('data-live')`)
	seat := seatOf("budi")
	host.eventually("budi sits on stage, his microphone off", seat+`?.querySelector('.role').textContent.includes('microphone off')`)

	ear := ana.listen(host.ctx, o.Room)
	defer ear.cancel()
	guest.tabTo(`.mic`)
	guest.presses(kb.Enter)
	source := budi.speaksAs(o.Room)
	ana.eventually("half a second of budi's voice", func() bool { return ear.heardOf(source) > 25 })
	guest.eventually("the invitation is gone", `document.querySelector('.bar .invited').hidden`)
	host.eventually("budi's microphone is on", `!`+seat+`.querySelector('.role').textContent.includes('microphone off')`)
}
