package node

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPageRoom has three people meet by the pages of their own nodes: ana opens a
// room, budi and citra come by its link, citra raises a hand and speaks, budi
// hears. Then one thing after another goes wrong, and it goes on by itself: what
// budi hears, the place of his hand in the line, citra's on stage.
func TestPageRoom(t *testing.T) {
	t.Parallel()
	s := meet(t)
	for _, step := range []struct {
		what string
		does func(*seats)
	}{
		{"a hand leads on stage", (*seats).inviteCitra},
		{"who speaks is heard and seen", (*seats).citraSpeaks},
		{"another hand is up", (*seats).budiRaisesHand},
		{"the listener's page is loaded anew", (*seats).reloadBudi},
		{"the listener's browser is offline", (*seats).cutBudiOff},
		{"the listener's node crashes and is started anew", (*seats).restartBudi},
		{"the speaker's node is started anew", (*seats).restartCitra},
		{"the relay dies", (*seats).relayDies},
		{"a link into the tab asks", (*seats).followAnew},
	} {
		began := time.Now()
		step.does(s)
		t.Logf("%s: %v", step.what, time.Since(began).Round(time.Millisecond))
	}
}

// seats are three people in a room that ana's page opened, whose link all have.
type seats struct {
	t                      *testing.T
	ana, budi, citra, dewi *running
	host, listener, guest  *page // ana's, budi's, citra's
	room, link             string
	way                    *httptest.Server // of budi's page to his node: a proxy
}

// meet has ana open a room by the form of her page, and the others come by its
// link. Dewi, who has no page, is the only other who would carry the room.
func meet(t *testing.T) *seats {
	t.Helper()
	b := launch(t)
	s := &seats{t: t, ana: start(t, "ana")}
	s.budi, s.citra, s.dewi = startWith(t, "budi", lendsNothing, s.ana), startWith(t, "citra", lendsNothing, s.ana), start(t, "dewi", s.ana)
	s.way = httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0)})
	t.Cleanup(s.way.Close)
	s.host, s.listener, s.guest = b.visit(t, s.ana.Page()), b.visit(t, s.budi.Page(), b.by(t, s.way)), b.visit(t, s.citra.Page())
	s.link = s.host.opens("Frogs at dusk", "host")
	s.room, _, _ = strings.Cut(strings.TrimPrefix(s.link, "earshot:room/"), "/")
	s.host.presses(kb.Enter) // focus is on the way in
	s.dewi.listen(s.host.ctx, s.link)
	s.dewi.eventually("ana relays, dewi stands by", settled(s.room, 0, s.ana, s.dewi))
	s.host.listens()
	for _, p := range []*page{s.listener, s.guest} {
		p.mayComplain("404") // the room is not listed: nothing is known of it before one joins
		p.follows(s.link)
		p.asks()
	}
	for _, n := range []*running{s.budi, s.citra} {
		if n.Node.room(roomID(t, s.room)) != nil {
			t.Errorf("a link made %s join", n.name)
		}
	}
	for _, p := range []*page{s.listener, s.guest} {
		p.listens()
		p.shows(`h1`, "Frogs at dusk")
	}
	return s
}

func lendsNothing(c *Config) { c.Lend = false }

// settle waits until all have sound from one relay and its standby: ana and dewi,
// or, where the machine has much else to do, the other way round.
func (s *seats) settle() (relay, standby *running) {
	s.t.Helper()
	all := []*running{s.ana, s.budi, s.citra, s.dewi}
	for _, n := range all {
		n.eventually("one relay, one standby", settled(s.room, 0, all...))
		n.eventually("attached to relay and standby", n.attached(s.room))
	}
	if s.budi.view(s.room).Relay == s.dewi.self.String() {
		return s.dewi, s.ana
	}
	return s.ana, s.dewi
}

// by is a blank tab, in a profile of its own, that goes through a proxy.
func (b *browser) by(t *testing.T, proxy *httptest.Server) chromedp.ContextOption {
	t.Helper()
	in := cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)
	profile, err := target.CreateBrowserContext().WithProxyServer(proxy.URL).WithProxyBypassList("<-loopback>").Do(in) // not even loopback passes it by
	must(t, err)
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(in)
	must(t, err)
	return chromedp.WithTargetID(id)
}

// inviteCitra has citra raise a hand, and ana let her on stage.
func (s *seats) inviteCitra() {
	s.t.Helper()
	s.guest.tabTo(`.ring`)
	s.guest.presses("r")
	s.guest.shows(`.hands`, "You are number 1 in line")
	s.host.shows(`.queue`, "citra")
	s.host.tabTo(`.queue button:first-of-type`)
	s.host.presses(kb.Enter)
	s.guest.shows(`.bar .invited`, "\u2068ana\u2069 invites you to speak")
}

// citraSpeaks has citra turn her microphone on.
func (s *seats) citraSpeaks() {
	s.t.Helper()
	s.guest.tabTo(`.mic`)
	s.guest.presses(kb.Enter)
	s.guest.eventually("citra's microphone is live", `document.querySelector('.mic').hasAttribute('data-live')`)
	s.listener.eventually("citra sits on stage", seatOf("citra"))
	s.budiHears()
}

// budiHears checks what budi's page plays for a phrase, and whose ring moves
// meanwhile.
func (s *seats) budiHears() {
	s.t.Helper()
	source := s.citra.speaksAs(s.room)
	s.listener.call(`lit.clear()`, nil)
	s.listener.hearsWell().check(s.t, source, glitches)
	s.onlyCitraLit()
}

// onlyCitraLit checks whose ring was lit at budi's page.
func (s *seats) onlyCitraLit() {
	s.t.Helper()
	var names []string
	s.listener.call(`[...lit]`, &names)
	if !slices.Equal(names, []string{"citra"}) {
		s.t.Errorf("at budi's page, the rings of %q moved, want citra's alone", names)
	}
}

// picture is the network as a page's drawer shows it.
type picture struct {
	Relay string   // what stands at the relay
	Names []string // of all
}

func (p *page) picture() (shown picture) {
	p.t.Helper()
	p.call(`({
		Relay: document.querySelector('.drawer .node[data-relay] text')?.textContent ?? '',
		Names: [...document.querySelectorAll('.drawer .node text')].map(t => t.textContent).sort(),
	})`, &shown)
	return shown
}

// relayDies kills the relay in the middle of a phrase, while budi looks at the
// network.
func (s *seats) relayDies() {
	s.t.Helper()
	relay, heir := s.settle()
	carries := func(n *running) string { return fmt.Sprintf("\u2068%s\u2069 carries the sound", n.name) }
	p := s.listener
	p.tabTo(`.ring`)
	p.presses("n")
	p.shows(`.drawer`, carries(relay))
	if shown := p.picture(); shown.Relay != string(relay.name) || !slices.Equal(shown.Names, []string{"ana", "budi", "citra", "dewi"}) {
		s.t.Errorf("%s carries the sound; the picture shows %+v", relay.name, shown)
	}
	source := s.citra.speaksAs(s.room)
	s.budi.eventually("a phrase begins", p.phraseBegins())
	p.call(`lit.clear(), told.length = 0`, nil)
	s.host.mayComplain(gone...)
	relay.Kill()
	p.hear(phrase).check(s.t, source, outage)
	s.onlyCitraLit()
	p.shows(`.drawer`, carries(heir))
	if shown := p.picture(); shown.Relay != string(heir.name) {
		s.t.Errorf("%s carries the sound; the picture shows %+v", heir.name, shown)
	}
	p.eventually("it was said", fmt.Sprintf(`told.some(s => s.includes(%s))`, quoted(carries(heir))))
}

// gone are complaints of a page whose node does not answer.
var gone = []string{"ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"}
