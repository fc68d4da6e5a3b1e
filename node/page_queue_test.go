package node

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestPageQueue has two listeners raise their hands: all see one order, by which
// the host lets the first on stage; then she takes all hands down at once.
func TestPageQueue(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi, citra := start(t, "budi", ana), start(t, "citra", ana)
	host, first, second := b.visit(t, ana.Page()), b.visit(t, budi.Page()), b.visit(t, citra.Page())
	o := ana.open(host.ctx, "One after the other", "host")
	pages := []*page{host, first, second}
	for _, p := range pages {
		p.enters(o.Room)
	}
	raise := func(p *page, name string) {
		p.tabTo(`.bar .hand`)
		p.presses(kb.Enter)
		for _, p := range pages {
			p.shows(`.queue`, name)
		}
	}
	raise(first, "budi")
	if host.is(`document.querySelector('.hands > button').checkVisibility()`) {
		t.Error("one hand is to be taken down with all")
	}
	raise(second, "citra")
	for _, p := range pages {
		p.eventually("budi is before citra, and waits", `[...document.querySelectorAll('.queue li')].map(l => /budi|citra/.exec(l.textContent)[0] + /waiting: ./.test(l.textContent)).join() === 'buditrue,citratrue'`)
	}
	second.shows(`.hands`, "You are number 2 in line")
	if second.is(`document.querySelector('.hands > button').checkVisibility()`) {
		t.Error("a listener is to take all hands down")
	}
	host.about("budi", "Let on stage")
	host.judgeLaw("what can be done about somebody with a hand up")
	host.chooses("Let on stage")
	host.shows(`.done`, "\u2068budi\u2069 may speak now")
	second.shows(`.hands`, "You are number 1 in line")

	host.about("budi", "Move to the audience") // from the stage, back
	host.chooses("Move to the audience")
	first.eventually("budi can ask again", `document.querySelector('.bar .hand').checkVisibility()`)
	raise(first, "budi")
	host.tabTo(`.hands > button`)
	host.presses(kb.Enter)
	host.shows(`dialog[open]`, "All 2 hands go down")
	host.judgeLaw("a question before all hands go down")
	host.chooses("Take all hands down")
	for _, p := range pages {
		p.eventually("nobody waits any more", `document.querySelector('.hands').hidden`)
	}
}
