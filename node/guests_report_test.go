package node

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/earshot-audio/earshot/node/web"
)

// TestGuestReacts has a browser without a node show an emoji in a room of ana's at
// budi's door, and report citra, who writes there: ana's page tells whose guest says so,
// and budi's nothing.
func TestGuestReacts(t *testing.T) {
	t.Parallel()
	b := launch(t)
	door := doorOverTLS(t)
	ana := start(t, "ana")
	budi := startWith(t, "budi", func(c *Config) { c.Guests = door }, ana)
	citra := start(t, "citra", ana)
	p, host := b.visit(t, "about:blank"), b.visit(t, ana.Page())
	p.mayComplain("429") // who has just come is to say it again in a moment
	o := ana.open(p.ctx, "Claps and complaints", "open")
	for _, n := range []*running{budi, citra} {
		n.eventually("the room is listed", n.sees(o.Room))
		l, err := n.Listen(p.ctx, o.Room, false)
		must(t, err)
		t.Cleanup(func() { l.Close() })
	}
	_, err := citra.Write(p.ctx, o.Room, "You are all fools")
	must(t, err)
	_, err = budi.Write(p.ctx, o.Room, "Now, now")
	must(t, err)
	host.enters(o.Room)
	p.phone(budi.guestLink(o.Link))
	p.shows(`h1`, "Claps and complaints")
	if p.is(`document.getElementById('react').checkVisibility() || document.getElementById('report').checkVisibility()`) {
		t.Error("who does not listen may react, or report")
	}
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#lines`, "You are all fools")
	p.shows(`#react`, "👏")
	must(t, chromedp.Run(p.ctx, chromedp.SendKeys(`#name`, "gita"), chromedp.Click(`#react button:first-child`)))
	host.eventually("the host sees the reaction", `document.querySelector('.reactions button span')?.textContent === '1'`)
	p.shows(`#reactions`, "👏 1")

	must(t, chromedp.Run(p.ctx, chromedp.Click(`#report summary`)))
	p.shows(`#about`, "passes through who runs the door")
	choose := func(name string) {
		t.Helper()
		p.eventually(name+" can be chosen", `(select => { const found = [...select.options].find(o => o.text === `+quoted(name)+`); if (found) { select.value = found.value; select.dispatchEvent(new Event('change')) } return found !== undefined })(document.getElementById('who-is-meant'))`)
	}
	if p.is(`[...document.getElementById('who-is-meant').options].some(o => o.text === 'gita')`) {
		t.Error("a guest may report themselves")
	}
	choose("budi")
	p.shows(`#told`, "They run the door")
	if !p.is(`document.getElementById('tell').disabled`) {
		t.Error("a report of who runs the door can be sent by it")
	}
	choose("citra")
	if os.Getenv("EARSHOT_AXE") != "" {
		p.judge(axeCore(t), "a guest reports")
	}
	p.checkWidth("a guest reports", 320)
	must(t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(390, 844, 2, true), chromedp.SendKeys(`#why`, "insults everybody"), chromedp.ScrollIntoView(`#tell`)))
	p.shoots("guest-reports.png")
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#tell`)))
	p.shows(`#told`, "Who moderates this room has your report")
	for _, words := range []string{"\u2068gita\u2069, a guest of \u2068budi\u2069, reports \u2068citra\u2069", "insults everybody", "Wrote: \u2068You are all fools\u2069"} {
		host.shows(`.reports`, words)
	}
	host.judgeLaw("a guest's report")
	for _, n := range []*running{budi, citra} {
		if r, err := n.Reports(p.ctx, o.Room); err != nil || len(r.Reports)+len(r.Sent) > 0 {
			t.Errorf("%s is shown what a guest reports: %+v, %v", n.name, r, err)
		}
	}
	must(t, ana.Act(p.ctx, o.Room, web.ActRequest{Act: web.ActPause}))
	p.eventually("nobody reacts while the room is paused", `!document.getElementById('react').checkVisibility()`)
	if keys := p.text(`JSON.stringify([...document.querySelectorAll('#who-is-meant option')].map(o => o.value))`); strings.Contains(keys, citra.self.String()) {
		t.Errorf("a guest is told of keys: %s", keys)
	}
}
