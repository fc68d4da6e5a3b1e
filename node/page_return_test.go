package node

import (
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// budiRaisesHand gives budi a place in the line.
func (s *seats) budiRaisesHand() {
	s.t.Helper()
	s.listener.tabTo(`.ring`)
	s.listener.presses("r")
	s.listener.shows(`.hands`, "You are number 1 in line")
	s.host.shows(`.queue`, "budi")
}

// reloadBudi loads budi's page anew; nobody presses anything.
func (s *seats) reloadBudi() {
	must(s.t, chromedp.Run(s.listener.ctx, chromedp.Reload()))
	s.listener.hearsRoom()
	s.unchanged()
}

// cutBudiOff takes the network from budi's tab, but for what it plays: media do
// not pass by there.
func (s *seats) cutBudiOff() {
	p := s.listener
	p.mayComplain("ERR_INTERNET_DISCONNECTED")
	p.offline(true)
	s.way.CloseClientConnections() // Chromium lets those go on that are there
	p.shows(`#banner`, "Earshot has stopped")
	p.offline(false)
	p.shows(`#banner`, "You are back")
	s.unchanged()
}

// offline takes the network from a tab, or gives it back.
func (p *page) offline(off bool) {
	p.t.Helper()
	must(p.t, chromedp.Run(p.ctx, network.EmulateNetworkConditions(off, 0, -1, -1)))
}

func (s *seats) restartBudi() {
	s.listener.mayComplain(away...)
	s.budi = restart(s.t, s.budi, s.budi.crash, func() { s.listener.shows(`#banner`, "Earshot has stopped") }, s.ana)
	s.listener.shows(`#banner`, "You are back")
	s.listener.hearsRoom()
	s.unchanged()
}

func (s *seats) restartCitra() {
	s.guest.mayComplain(away...)
	s.citra = restart(s.t, s.citra, s.citra.stop, func() { s.guest.shows(`#banner`, "Earshot has stopped") }, s.ana)
	s.guest.shows(`#banner`, "You are back")
	s.guest.hearsRoom()
	s.guest.eventually("the microphone is live again", `document.querySelector('.mic').hasAttribute('data-live')`)
	s.listener.eventually("citra sits on stage again", seatOf("citra"))
	s.unchanged()
}

// followAnew comes to the page of a room by a link, in a tab that listened there:
// only what a tab was when it was loaded anew, it is again by itself.
func (s *seats) followAnew() {
	must(s.t, chromedp.Run(s.listener.ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(s.budi.API()+"/#room/"+s.room)))
	s.listener.asks()
}

// unchanged checks that budi hears citra, and that his hand has the place it had.
func (s *seats) unchanged() {
	s.t.Helper()
	s.budiHears()
	s.listener.shows(`.hands`, "You are number 1 in line")
}

// restart ends a node and starts it again at the same home and port.
func restart(t *testing.T, n *running, end, meanwhile func(), from ...*running) *running {
	t.Helper()
	api, err := url.Parse(n.API())
	must(t, err)
	end()
	meanwhile()
	return startWith(t, string(n.name), func(c *Config) { c.Home, c.API, c.Lend = n.home, api.Host, n.cfg.Lend }, from...)
}

// crash ends a node without a goodbye.
func (r *running) crash() {
	r.t.Helper()
	r.Kill()
	select {
	case err := <-r.done:
		r.done <- err
	case <-time.After(patience):
		r.t.Errorf("%s does not end", r.name)
	}
}

// away are complaints of a page whose node is not there, or does not know its
// rooms yet.
var away = append([]string{"404", "502"}, gone...)

// TestPageAsksForAPress has a browser that plays nothing in a tab before somebody
// has pressed something there, as browsers do that do not know a page for one with
// sound: the page says so, when it is loaded anew, too.
func TestPageAsksForAPress(t *testing.T) {
	t.Parallel()
	b := launch(t, chromedp.Flag("autoplay-policy", "document-user-activation-required"))
	ana := start(t, "ana")
	p := b.visit(t, ana.Page())
	o := ana.open(p.ctx, "Frogs at dusk", "host")
	p.shows(`.rows`, "Frogs at dusk")
	p.call(`location.hash = '#room/`+o.Room+`'`, nil)
	p.asks()
	p.call(`document.querySelector('.floor .acts button').click()`, nil) // which nobody pressed
	for _, again := range []bool{true, false} {
		p.shows(`.floor .acts button`, "Press to hear")
		p.tabTo(`.floor .acts button`)
		p.presses(kb.Enter)
		p.hearsRoom()
		if again {
			must(t, chromedp.Run(p.ctx, chromedp.Reload()))
		}
	}
}
