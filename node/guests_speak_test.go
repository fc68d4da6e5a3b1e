package node

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/earshot-audio/earshot/node/web"
)

// guestNamed gives a guest as a node shows them in a room.
func (r *running) guestNamed(room, name string) (found web.Member) {
	for _, m := range r.view(room).Members {
		if string(m.Name) == name && m.GuestOf != "" {
			return m
		}
	}
	return found
}

// breakSessions ends all that browsers hear and speak at a node.
func (r *running) breakSessions() {
	r.mu.Lock()
	ends := slices.Collect(maps.Values(r.sessions))
	r.mu.Unlock()
	for _, end := range ends {
		end()
	}
}

// framesOf counts what came to a node of somebody's voice.
func (r *running) framesOf(room, peer string) (n uint64) {
	for _, s := range r.view(room).Sources {
		if s.Peer == peer {
			n += s.Frames
		}
	}
	return n
}

// TestGuestSpeaks has a browser without a node raise a hand in a room of ana's at
// budi's door, be let on stage, and be heard by citra.
func TestGuestSpeaks(t *testing.T) {
	t.Parallel()
	b := launch(t)
	door := doorOverTLS(t)
	ana := start(t, "ana")
	budi := startWith(t, "budi", func(c *Config) { c.Guests = door }, ana)
	citra := start(t, "citra", ana)
	p := b.visit(t, "about:blank")
	o := ana.open(p.ctx, "Guests ask", "host")
	for _, n := range []*running{budi, citra} {
		n.eventually("the room is listed", n.sees(o.Room))
		l, err := n.Listen(p.ctx, o.Room, false)
		must(t, err)
		t.Cleanup(func() { l.Close() })
	}
	p.phone(budi.guestLink(o.Link))
	p.shows(`h1`, "Guests ask")
	if !p.is(`document.getElementById('ask').hidden`) {
		t.Error("who does not listen may ask to speak")
	}
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are listening")
	p.shows(`#hand`, "Raise your hand")
	must(t, chromedp.Run(p.ctx, chromedp.SendKeys(`#name`, "gita"), chromedp.Click(`#hand`)))
	p.shows(`#turn`, "place 1")
	ana.eventually("the host sees whose guest asks", func() bool {
		m := ana.guestNamed(o.Room, "gita")
		return m.GuestOf == budi.self.String() && m.Hand == 1
	})
	p.shoots("guest-asks.png")
	gita := ana.guestNamed(o.Room, "gita").Peer

	before, err := budi.Guests(p.ctx)
	must(t, err)
	must(t, chromedp.Run(p.ctx, chromedp.Evaluate(`document.getElementById('turn').textContent = ''; 0`, nil)))
	budi.breakSessions()
	budi.eventually("the guest comes back by itself, and is who they were", func() bool {
		g, err := budi.Guests(p.ctx)
		return err == nil && len(g.Guests) == 1 && g.Guests[0].ID != before.Guests[0].ID && g.Guests[0].Peer == gita
	})
	p.shows(`#turn`, "place 1")
	ana.eventually("the hand is up again", func() bool { return ana.guestNamed(o.Room, "gita").Hand == 1 })
	must(t, ana.Grant(p.ctx, o.Room, "gita", "speaker"))
	p.shows(`#turn`, "You may speak now")
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#mic`)))
	p.shows(`#turn`, "microphone is on")
	citra.eventually("citra hears the guest", func() bool { return citra.framesOf(o.Room, gita) > 50 })
	p.shoots("guest-speaks.png")
	if m := citra.guestNamed(o.Room, "gita"); m.Role != "speaker" || !m.Speaking {
		t.Errorf("citra has the guest for %+v", m)
	}
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#mic`)))
	p.shows(`#mic`, "Turn the microphone on")
	citra.eventually("the guest's voice has ended", func() bool { return citra.framesOf(o.Room, gita) == 0 })

	must(t, chromedp.Run(p.ctx, chromedp.Click(`#mic`)))
	citra.eventually("citra hears the guest again", func() bool { return citra.framesOf(o.Room, gita) > 50 })
	g, err := budi.Guests(p.ctx)
	must(t, err)
	if len(g.Guests) != 1 || g.Guests[0].Name != "gita" || g.Guests[0].Peer != gita {
		t.Errorf("the door has %+v", g.Guests)
	}
	must(t, budi.RemoveGuest(p.ctx, g.Guests[0].ID))
	p.shows(`#state`, "asked to leave")
	citra.eventually("the room forgets who was sent away", func() bool {
		return citra.guestNamed(o.Room, "gita").Peer == "" && citra.framesOf(o.Room, gita) == 0
	})
	p.mayComplain("403", "404", "429")
}

// TestOldBrowserOnlyListens: where a browser can't sign, the page says so.
func TestOldBrowserOnlyListens(t *testing.T) {
	t.Parallel()
	b := launch(t)
	door := doorOverTLS(t)
	ana := startWith(t, "ana", func(c *Config) { c.Guests = door })
	p := b.visit(t, "about:blank")
	o := ana.open(p.ctx, "No key", "open")
	p.phone(o.GuestLink)
	p.shows(`h1`, "No key")
	must(t, chromedp.Run(p.ctx, chromedp.Evaluate(`SubtleCrypto.prototype.generateKey = () => Promise.reject(new DOMException('', 'NotSupportedError')); 0`, nil),
		chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are listening")
	p.shows(`#note`, "can’t sign")
	if !p.is(`document.getElementById('ask').hidden`) || !strings.HasPrefix(o.GuestLink, "https:") {
		t.Error("it may ask all the same")
	}
}
