package node

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/earshot-audio/earshot/node/web"
)

// wrote gives the newest line of a name, as a node shows it.
func (r *running) wrote(room, name string) (line web.ChatLine) {
	r.t.Helper()
	chat, err := r.Chat(r.t.Context(), room, 0)
	must(r.t, err)
	for _, l := range chat.Messages {
		if l.Name == name {
			line = l
		}
	}
	return line
}

// TestGuestWritesByTheLaw has a browser without a node read and write in a room of
// ana's at budi's door; a lock keeps another one out, and not who was there; a ban ends
// what it hears, and keeps it out; removed, it goes, and may come again.
func TestGuestWritesByTheLaw(t *testing.T) {
	t.Parallel()
	b := launch(t)
	door := doorOverTLS(t)
	ana := start(t, "ana")
	budi := startWith(t, "budi", func(c *Config) { c.Guests = door }, ana)
	p := b.visit(t, "about:blank")
	o := ana.open(p.ctx, "Read and written", "open")
	budi.eventually("the room is listed", budi.sees(o.Room))
	l, err := budi.Listen(p.ctx, o.Room, false)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	act := func(r web.ActRequest) { t.Helper(); must(t, ana.Act(p.ctx, o.Room, r)) }
	comes := func(p *page) {
		t.Helper()
		p.phone(budi.guestLink(o.Link))
		p.shows(`h1`, "Read and written")
		must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	}
	_, err = ana.Write(p.ctx, o.Room, "Who is there?")
	must(t, err)
	comes(p)
	p.shows(`#state`, "You are listening")
	p.shows(`#lines`, "Who is there?")
	p.shows(`#send`, "Send")
	must(t, chromedp.Run(p.ctx, chromedp.SendKeys(`#name`, "gita"), chromedp.SendKeys(`#text`, "selamat pagi, semuanya"), chromedp.Click(`#send`)))
	ana.eventually("the host reads the guest's line", func() bool {
		l := ana.wrote(o.Room, "gita")
		return l.Text == "selamat pagi, semuanya" && l.Guest
	})
	_, err = ana.Write(p.ctx, o.Room, "selamat pagi, gita")
	must(t, err)
	must(t, ana.React(p.ctx, o.Room, "👏"))
	must(t, ana.AllowCaptions(p.ctx, o.Room, true))
	must(t, ana.Caption(p.ctx, o.Room, web.CaptionRequest{Text: "We have a guest from budi's door."}))
	p.shows(`#lines`, "selamat pagi, gita")
	p.eventually("one's own line is marked", `[...document.querySelectorAll('#lines .mark')].some(m => m.textContent === 'you')`)
	p.shows(`#reactions`, "👏 1")
	p.shows(`#captions`, "We have a guest")
	if p.is(`document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page is wider than the phone")
	}
	p.shoots("guest-writes.png")

	gita := ana.guestNamed(o.Room, "gita").Peer
	act(web.ActRequest{Act: web.ActLock})
	p.shows(`#facts`, "Nobody new may come in")
	second := b.visit(t, "about:blank")
	comes(second)
	second.shows(`#state`, "Nobody new may come in for now")
	second.shoots("guest-locked.png")
	must(t, chromedp.Run(p.ctx, chromedp.Reload()))
	p.shows(`h1`, "Read and written")
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are listening")
	if g, err := budi.Guests(p.ctx); err != nil || len(g.Guests) != 1 {
		t.Errorf("after a reload the door has %+v, %v", g.Guests, err)
	}
	act(web.ActRequest{Act: web.ActUnlock})
	act(web.ActRequest{Act: web.ActPause})
	p.shows(`#facts`, "The room is paused")
	p.eventually("nobody writes", `document.getElementById('write').hidden`)
	act(web.ActRequest{Act: web.ActResume})
	p.eventually("one may write again", `!document.getElementById('write').hidden`)

	must(t, chromedp.Run(p.ctx, chromedp.Click(`#mic`)))
	p.shows(`#turn`, "microphone is on")
	ana.eventually("the host hears the guest", func() bool { return ana.framesOf(o.Room, gita) > 20 })
	act(web.ActRequest{Act: web.ActBan, Peer: "gita"})
	p.shows(`#state`, "You are kept out")
	ana.eventually("the guest is silent", func() bool { return ana.framesOf(o.Room, gita) == 0 })
	p.shoots("guest-banned.png")
	if g, err := budi.Guests(p.ctx); err != nil || len(g.Guests) != 0 || budi.view(o.Room).Guests != 0 {
		t.Errorf("who is banned hears on: %+v, %v", g.Guests, err)
	}
	must(t, chromedp.Run(p.ctx, chromedp.Reload()))
	p.shows(`h1`, "Read and written")
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are kept out")
	act(web.ActRequest{Act: web.ActUnban, Peer: gita})
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are listening")
	act(web.ActRequest{Act: web.ActRemove, Peer: gita})
	p.shows(`#state`, "asked to leave")
	must(t, chromedp.Run(p.ctx, chromedp.Click(`#listen`)))
	p.shows(`#state`, "You are listening")
	p.mayComplain("403", "404", "429")
	second.mayComplain("403")
}
