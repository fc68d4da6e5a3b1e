package node

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
)

// TestPageLater has ana plan a room by her page: budi's lists it with its time, and
// he asks to be told. He waits in another one, which he then hears without more
// ado; once it is ended, it says when it is live next.
func TestPageLater(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	host, guest := b.visit(t, ana.Page()), b.visit(t, budi.Page())
	plans(host, guest)
	tells(ana, guest)
	soon := time.Now().Add(time.Minute)
	o, err := ana.Open(host.ctx, web.OpenRequest{Title: "In a moment", Stage: "open", At: &soon})
	must(t, err)
	waits(budi, host, guest, o)
	endsUntil(ana, host, guest, o.Room)
	tries(ana, guest)
}

// plans has a room planned for tomorrow, and found by another.
func plans(host, guest *page) {
	host.shows(`h1`, "Live now")
	host.tabTo(`aside button.main`)
	host.presses(kb.Enter)
	host.eventually("it asks for a title", `document.activeElement.name === 'title'`)
	host.types("Kites at dawn")
	host.tabTo(`input[name=find]`)
	host.presses(kb.ArrowDown)
	host.tabTo(`input[name=when]`)
	if host.is(`document.querySelector('dialog input[type=datetime-local]').checkVisibility()`) {
		host.t.Error("whoever opens a room now is asked for a time")
	}
	host.presses(kb.ArrowDown)
	host.shows(`dialog button.main`, "Plan the room")
	host.call(`(at => { at.setDate(at.getDate() + 1); at.setHours(19, 0); document.querySelector('dialog input[type=datetime-local]').value = new Date(at - at.getTimezoneOffset() * 6e4).toISOString().slice(0, 16) })(new Date())`, nil)
	host.judgeLaw("planning a room")
	host.tabTo(`dialog button.main`)
	host.presses(kb.Enter)
	host.shows(`dialog h2`, "Your room opens \u2068tomorrow 7:00")
	host.presses(kb.Escape)
	for _, p := range []*page{host, guest} {
		p.shows(`.later .row`, "Kites at dawn")
		p.shows(`.later time`, "tomorrow 7:00")
	}
	if guest.is(`[...document.querySelectorAll('.list > .rows .row')].some(r => r.textContent.includes('Kites'))`) {
		host.t.Error("a room to come is among the live ones")
	}
	if !guest.is(`document.querySelector('.later [data-strange]')`) {
		host.t.Error("the room of somebody whom nobody here knows looks like others")
	}
	guest.tabTo(`.later .telling button`)
	guest.presses(kb.Enter)
	guest.shows(`.later .telling button`, "Tell me no more")
	guest.judgeLaw("rooms to come")
}

// tells has budi ask to be told of a room that has a time: nothing is said of that until
// there is another time, and once it is open.
func tells(ana *running, guest *page) {
	at := time.Now().Add(48 * time.Hour)
	o, err := ana.Open(guest.ctx, web.OpenRequest{Title: "Owls", Stage: "open", At: &at})
	must(guest.t, err)
	ask := `.later .telling button[aria-label$="Owls"]`
	guest.tabTo(ask)
	guest.presses(kb.Enter)
	guest.shows(ask, "Tell me no more") // which is shown with what news there is
	if told := guest.text(`document.querySelector('.news').textContent`); told != "" {
		guest.t.Errorf("who asks to be told is told at once: %q", told)
	}
	at = at.Add(24 * time.Hour)
	must(guest.t, ana.Act(guest.ctx, o.Room, web.ActRequest{Act: web.ActNext, At: &at}))
	guest.shows(`.news a`, "\u2068Owls\u2069 is live next")
	_, err = ana.Reopen(guest.ctx, o.Room)
	must(guest.t, err)
	guest.eventually("it is told that it is live", `[...document.querySelectorAll('.news a')].some(a => a.textContent === '\u2068Owls\u2069 is live')`)
	must(guest.t, ana.Close(guest.ctx, o.Room, time.Time{}))
}

// waits has budi come by the link before the room is open, which ana then opens
// before its time.
func waits(budi *running, host, guest *page, o web.Opened) {
	guest.shows(`.later .row`, "In a moment")
	guest.tabTo(`.pasting input`)
	guest.follows(o.Link)
	guest.shows(`.state`, "This room opens")
	guest.judgeLaw("a room to come")
	guest.tabTo(`.floor .acts button`)
	guest.presses(kb.Enter)
	guest.shows(`.state`, "You hear it then")
	if budi.Node.room(roomID(guest.t, o.Room)) != nil {
		guest.t.Error("a room that is not open is joined")
	}
	host.follows(o.Link)
	host.shows(`.floor .acts`, "Open it now")
	host.tabTo(`.floor .acts > button:last-child`)
	host.presses(kb.Enter)
	guest.shows(`#voice`, "is open now")
	guest.hearsRoom()
}

// endsUntil has ana end the room, and say when it is live next.
func endsUntil(ana *running, host, guest *page, room string) {
	guest.mayComplain("409") // who listened asks whether it is so
	host.mayComplain("409")
	host.listens()
	host.tabTo(`.bar button.danger`)
	host.presses(kb.Enter)
	host.eventually("it is asked when it is live next", `document.querySelector('dialog input[type=datetime-local]')?.checkVisibility()`)
	host.judgeLaw("ending a room")
	host.call(`document.querySelector('dialog input[type=datetime-local]').value = '2099-01-01T19:00'`, nil)
	host.chooses("End the room")
	for _, p := range []*page{host, guest} {
		p.shows(`.state`, "Thursday, January 1, 2099")
	}
	host.shows(`.floor .acts`, "Open it now")
	if v, err := ana.Room(host.ctx, room); err != nil || v.State != web.StateComing {
		host.t.Errorf("the room is not to come: %+v, %v", v, err)
	}
}

// tries has budi come to a room that only its link finds: his page asks again until
// it is open.
func tries(ana *running, guest *page) {
	guest.mayComplain("404", "409") // until then it is refused
	soon := time.Now().Add(time.Hour)
	o, err := ana.Open(guest.ctx, web.OpenRequest{Title: "Just us", Stage: "open", Unlisted: true, At: &soon})
	must(guest.t, err)
	guest.call(`location.hash = ''`, nil)
	guest.follows(o.Link)
	guest.asks()
	guest.call(`window.setTimeout = (set => (does, ms) => set(does, Math.min(ms, 1000)))(setTimeout), 0`, nil) // it would ask again in 20 s
	guest.tabTo(`.floor .acts button`)
	guest.presses(kb.Enter)
	guest.shows(`.state`, "This room is not open yet")
	_, err = ana.Reopen(guest.ctx, o.Room)
	must(guest.t, err)
	guest.hearsRoom()
}
