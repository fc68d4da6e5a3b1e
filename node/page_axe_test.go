package node

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPageHasNoViolations lets axe-core judge every view. EARSHOT_AXE names its
// axe.min.js, which is no part of this repository (npm install axe-core).
func TestPageHasNoViolations(t *testing.T) {
	file := os.Getenv("EARSHOT_AXE")
	if file == "" && os.Getenv("EARSHOT_REQUIRE_TOOLS") == "1" {
		t.Fatal("EARSHOT_AXE names no axe.min.js")
	} else if file == "" {
		t.Skip("EARSHOT_AXE=FILE names axe.min.js (npm install axe-core)")
	}
	axe, err := os.ReadFile(file)
	must(t, err)
	b := launch(t)
	ana := start(t, "ana")
	p := b.visit(t, ana.Page())
	judge := func(view string) {
		t.Helper()
		must(t, chromedp.Run(p.ctx, chromedp.Evaluate(string(axe), nil)))
		var found []string
		p.call(`axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 100)).join(' | ')))`, &found)
		for _, f := range found {
			t.Errorf("%s: %s", view, f)
		}
	}
	p.shows(`.empty`, "No one in earshot yet")
	judge("empty world")
	o := ana.open(p.ctx, "Frogs at dusk", "open")
	p.shows(`.rows`, "Frogs at dusk")
	judge("hallway")
	p.tabTo(`aside button.main`)
	p.presses(kb.Enter)
	p.eventually("it asks for a title", `document.activeElement.name === 'title'`)
	judge("opening")
	p.presses(kb.Escape)
	p.enters(o.Room)
	judge("room")
	p.tabTo(`.ring`)
	p.presses("n")
	p.eventually("the drawer is open", `document.querySelector('.drawer').checkVisibility()`)
	judge("network drawer")
	p.presses(kb.Escape)
	p.tabTo(`.ring`)
	p.presses("?")
	p.eventually("the settings are open", `document.querySelector('dialog.settings')?.checkVisibility()`)
	judge("settings")
}
