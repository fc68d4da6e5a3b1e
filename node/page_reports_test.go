package node

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestPageReports has a listener report another by the page: the host's page shows
// it, and takes it off its list; who is meant sees nothing of it.
func TestPageReports(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi, citra := start(t, "budi", ana), start(t, "citra", ana)
	host, reporter, meant := b.visit(t, ana.Page()), b.visit(t, budi.Page()), b.visit(t, citra.Page())
	o := ana.open(host.ctx, "Told to who moderates", "host")
	for _, p := range []*page{host, reporter, meant} {
		p.enters(o.Room)
	}
	meant.tabTo(`.writing textarea`)
	meant.types("You are all fools" + kb.Enter)
	reporter.shows(`.lines`, "You are all fools")

	reporter.about("citra", "Report \u2068citra\u2069 to the moderators")
	reporter.chooses("Report \u2068citra\u2069 to the moderators")
	reporter.shows(`dialog[open]`, "No sound. Nobody else gets it, and \u2068citra\u2069 does not.")
	reporter.judgeLaw("before a report")
	reporter.tabTo(`dialog[open] textarea`)
	reporter.types("insults everybody")
	reporter.chooses("Report")
	reporter.shows(`dialog[open] [role=status]`, "ana\u2069\u2069 got your report.")
	reporter.presses(kb.Enter)
	reporter.eventually("the dialog is closed", `!document.querySelector('dialog[open]')`)

	host.shows(`.reports`, "\u2068budi\u2069 reports \u2068citra\u2069")
	for _, words := range []string{"insults everybody", "Wrote: \u2068You are all fools\u2069", "Did not speak"} {
		host.shows(`.reports`, words)
	}
	host.shows(`#voice`, "reports \u2068citra\u2069")
	host.judgeLaw("a report")
	host.tabTo(`.reports .about`)
	host.presses(kb.Enter)
	host.eventually("who is meant can be removed from there", `[...document.querySelectorAll('dialog[open] .choices button')].some(b => b.textContent.startsWith('Remove'))`)
	host.presses(kb.Escape)
	for _, p := range []*page{reporter, meant} {
		if p.is(`document.querySelector('.reports li') || document.querySelector('aside').textContent.includes('insults')`) {
			t.Error("somebody who does not moderate is shown a report")
		}
	}
	host.tabTo(`.reports .acts button:first-child`)
	host.presses(kb.Enter)
	host.eventually("it is off the list", `!document.querySelector('.reports li')`)
	host.eventually("focus is in the room still", `document.activeElement !== document.body`)
}
