package node

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
)

// TestPageCard has budi open citra's card: it follows what changes while it is open,
// and what he types there stays. On a phone what is urgent is reached without a scroll,
// and so is what undoes it.
func TestPageCard(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi, citra := start(t, "budi", ana), start(t, "citra", ana)
	p := b.visit(t, budi.Page())
	must(t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(390, 844, 2, true),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}})))
	o := ana.open(p.ctx, "Cards on the table", "host")
	p.follows(o.Link) // by which he sees who hosts it, before he is in it
	p.asks()
	followsHost(ana, budi, p)
	p.listens()
	citra.eventually("the room is listed", citra.sees(o.Room))
	going := citra.listen(p.ctx, o.Room)
	defer going.cancel()

	p.about("citra", "Follow")
	p.tabTo(`dialog[open] form input`)
	p.types("Ci")
	must(t, citra.Hand(p.ctx, o.Room, true))
	p.shows(`dialog[open] .says`, "Hand up, number 1 in line")
	must(t, ana.Grant(p.ctx, o.Room, "budi", "moderator"))
	p.shows(`dialog[open] .choices button`, "Let on stage")
	name := "citra of the hills"
	_, err := citra.Describe(p.ctx, web.ProfileRequest{Name: &name})
	must(t, err)
	p.shows(`dialog[open] h2`, name)
	p.types("t")
	if typed := p.text(`document.activeElement.value ?? ''`); typed != "Cit" {
		t.Errorf("of a name that was being typed there is %q", typed)
	}
	must(t, ana.Grant(p.ctx, o.Room, citra.self.String(), "speaker"))
	p.shows(`dialog[open] .says`, "microphone off")

	p.tabTo(`dialog[open] .choices button:first-child`)
	must(t, ana.Act(p.ctx, o.Room, web.ActRequest{Act: web.ActMute, Peer: citra.self.String()}))
	p.shows(`dialog[open] .choices button`, "Allow the microphone again")
	p.eventually("focus is not lost with a button", `document.querySelector('dialog[open]').contains(document.activeElement)`)
	must(t, ana.Act(p.ctx, o.Room, web.ActRequest{Act: web.ActUnmute, Peer: citra.self.String()}))
	p.shows(`dialog[open] .choices button`, "until somebody allows it again")
	p.presses(kb.Escape)
	p.hurries(name)
}

// followsHost has somebody follow the host of a room that is only listed.
func followsHost(ana, budi *running, p *page) {
	p.t.Helper()
	p.tabTo(`.hosted .about`)
	p.presses(kb.Enter)
	p.shows(`dialog[open] .says`, "Host")
	p.judgeLaw("the host of a room from outside")
	p.chooses("Follow")
	p.shows(`dialog[open] .deed`, "You follow them")
	p.tabTo(`dialog[open] form input`)
	p.types("Ana of the list" + kb.Enter)
	p.shows(`dialog[open] h2`, "Ana of the list")
	p.shows(`dialog[open] .says`, "Host")
	p.presses(kb.Escape)
	p.shows(`.hosted`, "Ana of the list")
	if budi.Node.room(roomID(p.t, p.text(`location.hash.slice('#room/'.length).split('/')[0]`))) != nil {
		p.t.Error("who looks at a host is in the room")
	}
	all, err := budi.People(p.ctx)
	must(p.t, err)
	if len(all) != 1 || all[0].Peer != ana.self.String() || !all[0].Followed {
		p.t.Errorf("who is followed: %+v", all)
	}
}

// hurries has a moderator mute somebody on a phone, by the finger, and take it back.
func (p *page) hurries(name string) {
	p.t.Helper()
	must(p.t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(390, 844, 2, true)))
	p.about(name, "until somebody allows it again")
	p.eventually("muting is first", `document.querySelector('dialog[open] button').textContent.startsWith('Turn the microphone off, until')`)
	for _, words := range []string{"until somebody allows it again", "they may turn it on again", "Remove", "and keep out"} {
		if !p.is(`(words => { const b = [...document.querySelectorAll('dialog[open] button')].find(b => b.textContent.includes(words)).getBoundingClientRect(); return b.top >= innerHeight / 3 && b.bottom <= innerHeight })(` + quoted(words) + `)`) {
			p.t.Errorf("%q is not under the thumb", words)
		}
	}
	p.judgeLaw("a card on a phone")
	must(p.t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(390, 844, 2, true)))
	p.chooses("until somebody allows it again")
	p.shows(`.done`, "microphone is off")
	p.eventually("nothing covers what undoes it", `(b => { const r = b.getBoundingClientRect(); return document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2) === b && r.top >= innerHeight / 2 })(document.querySelector('.done button'))`)
	p.shoots("law-undo-on-a-phone.png")
	must(p.t, chromedp.Run(p.ctx, chromedp.Click(`.done button`)))
	p.shows(`.done`, "Undone")
}
