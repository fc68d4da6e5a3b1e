package node

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	chrome "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
)

// TestPagePeople has budi, by his page and its keys, follow ana, give her a name, block
// her and take that back, say something of himself, and be told of what she opens.
func TestPagePeople(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	a := &acquainted{t: t, ana: ana, budi: budi, hers: b.visit(t, ana.Page()), his: b.visit(t, budi.Page())}
	o := ana.open(t.Context(), "Who is who", "open")
	a.room = o.Room
	still := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}})
	for _, p := range []*page{a.hers, a.his} {
		must(t, chromedp.Run(p.ctx, still)) // what moves is nowhere to be measured
		p.enters(o.Room)
	}
	for _, step := range []struct {
		what string
		does func(*acquainted)
	}{
		{"somebody is followed, and has a name", (*acquainted).follows},
		{"who is blocked is neither heard nor read, until that is undone", (*acquainted).blocks},
		{"what one says of oneself is seen", (*acquainted).describes},
		{"a name that looks like another's is pointed out", (*acquainted).mistakes},
		{"what is kept is listed, and undone", (*acquainted).lists},
		{"a room of somebody followed is told of", (*acquainted).isTold},
		{"so is a room that is followed, a place on stage, a report", (*acquainted).isToldMore},
	} {
		began := time.Now()
		step.does(a)
		t.Logf("%s: %v", step.what, time.Since(began).Round(time.Millisecond))
	}
}

// acquainted are two people in a room, each at their own page.
type acquainted struct {
	t         *testing.T
	ana, budi *running
	hers, his *page
	room      string
}

// knows opens somebody's card by keyboard.
func (p *page) knows(name string) {
	p.t.Helper()
	p.tabTo(fmt.Sprintf(`button.about[aria-label*=%s]`, quoted(name)))
	p.presses(kb.Enter)
	p.shows(`dialog[open] h2`, name)
}

// follows has budi follow ana, who keeps the name that she has, and call her another.
func (a *acquainted) follows() {
	a.his.knows("ana")
	a.his.judgePeople("card")
	a.his.chooses("Follow")
	a.his.shows(`dialog[open] .deed`, "You follow them")
	a.his.eventually("the name that she has is kept", `document.querySelector('dialog[open] form input').value === 'ana'`)
	a.his.tabTo(`dialog[open] form input`)
	a.his.presses(strings.Repeat(kb.Backspace, len("ana")))
	a.his.types("Ana of the choir" + kb.Enter)
	a.his.shows(`dialog[open] .says`, "Calls themselves \u2068ana\u2069")
	a.his.shows(`dialog[open] h2`, "Ana of the choir")
	a.his.presses(kb.Escape)
	a.his.shows(`.seat .name`, "Ana of the choir")
	a.hers.shows(`.seat .name`, "ana")
	if a.hers.is(`document.body.textContent.includes('choir')`) {
		a.t.Error("what one calls somebody is told to them")
	}
	for _, says := range []string{"Tell me no more of this room", "Tell me when this room is live"} {
		a.his.tabTo(`.house .telling button`)
		a.his.presses(kb.Enter)
		a.his.shows(`.house .telling`, says)
	}
	if a.hers.is(`document.querySelector('.telling').checkVisibility()`) {
		a.t.Error("a host is to follow her own room")
	}
}

// blocks has budi block ana while she speaks and writes, and take it back.
func (a *acquainted) blocks() {
	a.hers.tabTo(`.writing textarea`)
	a.hers.types("Can you hear me?" + kb.Enter)
	a.hers.types("Hello?" + kb.Enter)
	a.his.shows(`.lines li`, "Hello?")
	a.hers.tabTo(`.mic`)
	a.hers.presses(kb.Enter)
	seat := seatOf("Ana of the choir")
	a.his.eventually("ana is heard", seat+`?.style.getPropertyValue('--level') > 0.2`)

	a.his.tabTo(`.lines li:last-child .name`) // which is where Tab comes to
	a.his.presses(kb.ArrowUp)
	if !a.his.is(`document.activeElement.matches('.lines li:first-child .name')`) {
		a.t.Error("an arrow does not lead to who wrote the line before")
	}
	a.his.presses(kb.Enter)
	a.his.chooses("Block")
	a.his.shows(`dialog[open] .deed`, "You neither hear nor read them")
	a.his.judgePeople("blocked")
	a.his.presses(kb.Escape)
	a.his.shows(`.seat[data-blocked] .role`, "blocked by you")
	a.his.shows(`.lines li`, "Not shown, since you blocked them: 2")
	if a.his.is(`document.querySelector('.lines').textContent.includes('Can you hear me?')`) {
		a.t.Error("who is blocked is read")
	}
	a.his.eventually("her ring is still", seat+`.style.getPropertyValue('--level') === '0.00'`)
	a.his.call(`window.moved = false, new MutationObserver(() => { window.moved ||= `+seat+`?.hasAttribute('data-heard') }).observe(`+seat+`, {attributes: true})`, nil)
	time.Sleep(phrase) // in which she speaks, and pauses
	if a.his.is(`moved`) {
		a.t.Error("who is blocked is heard")
	}
	if v, err := a.budi.Room(a.his.ctx, a.room); err != nil || !a.ana.seesSpeaking(a.room, a.ana)() {
		a.t.Errorf("ana speaks no more, which nobody may learn: %+v, %v", v.Members, err)
	}
	a.his.tabTo(`.lines button[aria-label^="Unblock"]`)
	a.his.presses(kb.Enter)
	a.his.shows(`.lines li`, "Can you hear me?")
	a.his.eventually("ana is heard again", seat+`?.style.getPropertyValue('--level') > 0.2`)
	a.hers.tabTo(`.mic`)
	a.hers.presses(kb.Enter)
}

// describes has budi say something of himself by his own card, which ana reads in hers.
func (a *acquainted) describes() {
	a.his.tabTo(`button.about[aria-label*="budi"]`)
	a.his.presses(kb.Enter)
	a.his.eventually("his name is there", `document.querySelector('dialog[open] input')?.value === 'budi'`)
	a.his.tabTo(`dialog[open] textarea`)
	a.his.call(`document.querySelector('dialog[open] textarea').value = 'é'.repeat(80)`, nil)
	a.his.types("x")
	a.his.shows(`dialog[open] .count`, "Too long")
	if !a.his.is(`document.querySelector('dialog[open] .main').disabled`) {
		a.t.Error("what is too long can be said")
	}
	a.his.call(`document.querySelector('dialog[open] textarea').value = ''`, nil)
	a.his.types("I read old newspapers aloud")
	a.his.shows(`dialog[open] .count`, "133 left")
	a.his.tabTo(`dialog[open] [type=radio]`)
	a.his.presses(kb.ArrowLeft) // from none to the last
	a.his.judgePeople("profile")
	a.his.chooses("Change it")
	a.hers.eventually("his face is pink", `document.querySelector('.hue-pink')`)
	a.hers.knows("budi")
	a.hers.shows(`dialog[open] .says`, "I read old newspapers aloud")
	a.hers.presses(kb.Escape)
}

// mistakes has somebody come by a name that looks like budi's, but for a letter.
func (a *acquainted) mistakes() {
	forger := start(a.t, "Вudi", a.ana) // with a Cyrillic letter
	going := forger.listen(a.hers.ctx, a.room)
	defer going.cancel()
	tail := forger.self.String()[len(forger.self.String())-4:]
	a.hers.shows(`.people li`, "Вudi ·"+tail+"name like another's")
	a.hers.shows(`.people li`, "budi ·")
	a.his.knows("Вudi ·" + tail)
	a.his.shows(`dialog[open] .notice`, "It is not the same person as: \u2068budi ·")
	a.his.judgePeople("look-alike")
	a.his.presses(kb.Escape)
}

// lists has budi look at all that he keeps, and undo a part of it.
func (a *acquainted) lists() {
	a.his.call(`location.hash = ''`, nil)
	a.his.shows(`.row .facts`, "you follow \u2068Ana of the choir\u2069")
	a.his.tabTo(`#top button:last-child`)
	a.his.presses(kb.Enter)
	a.his.chooses("People you know")
	a.his.shows(`.noted li`, "Ana of the choir")
	a.his.shows(`.noted li`, "you follow them")
	a.his.judgePeople("people")
	a.his.chooses("Forget your name")
	a.his.eventually("she has the name that she gave herself", `document.querySelector('.noted .name').textContent === 'ana'`)
	a.his.chooses("Unfollow")
	a.his.shows(`dialog[open]`, "Nobody yet")
	follow := true
	_, err := a.budi.Note(a.his.ctx, web.NoteRequest{Who: a.ana.self.String(), Follow: &follow, Petname: &a.ana.name})
	must(a.t, err)
	a.his.presses(kb.Escape)
	a.his.presses(kb.Escape)
}

// isTold has ana open another room while budi is in the hallway, and one more, which
// his system tells him too, once he has asked for that.
func (a *acquainted) isTold() {
	a.ana.open(a.his.ctx, "Frogs at dusk", "open")
	a.his.shows(`.news a`, "\u2068ana\u2069 opened \u2068Frogs at dusk\u2069")
	a.his.judgePeople("news")
	a.his.notifies(chrome.PermissionSettingDenied)
	a.his.tabTo(`#top button:last-child`)
	a.his.presses(kb.Enter)
	a.his.chooses("Tell me")
	a.his.shows(`dialog[open] .deed`, "The browser does not let this page notify you")
	a.his.notifies(chrome.PermissionSettingGranted)
	a.his.chooses("Tell me")
	a.his.shows(`dialog[open] .deed`, "You get notifications")
	a.his.presses(kb.Escape)
	o := a.ana.open(a.his.ctx, "Kites", "open")
	a.his.eventually("the system tells of it", `shownToMe.some(n => n.body.includes('opened \u2068Kites'))`)
	a.his.call(`location.hash = 'room/`+o.Room+`'`, nil)
	a.his.asks()
	a.his.mayComplain("404") // it asks what has become of the room
	must(a.t, a.ana.Close(a.his.ctx, o.Room, time.Time{}))
	a.budi.eventually("it has ended", not(a.isLive(o.Room)))
	_, err := a.ana.Reopen(a.his.ctx, o.Room)
	must(a.t, err)
	a.budi.eventually("it is live again", a.isLive(o.Room))
	a.ana.open(a.his.ctx, "Lanterns", "open")
	a.his.eventually("the system tells of a room elsewhere", `shownToMe.some(n => n.body.includes('Lanterns'))`)
	if told := a.his.text(`shownToMe.map(n => n.body).join()`); strings.Count(told, "Kites") != 1 {
		a.t.Errorf("the system tells of the room that one looks at: %s", told)
	}
	a.his.call(`location.hash = ''`, nil)
	a.his.eventually("what one has looked at is no news", `[...document.querySelectorAll('.news a')].every(a => !a.textContent.includes('Kites'))`)
}

// isLive says whether budi's node knows a room to be live.
func (a *acquainted) isLive(room string) func() bool {
	return func() bool {
		lines, err := a.budi.Rooms(a.his.ctx)
		return err == nil && slices.ContainsFunc(lines, func(l web.RoomLine) bool { return l.Room == room && !l.Closed })
	}
}

// isToldMore has budi, in the hallway, follow a room that ana closes until a time, and
// be let on stage in another; and ana, in hers, get a report.
func (a *acquainted) isToldMore() {
	o := a.ana.open(a.his.ctx, "Rain on tin roofs", "open")
	a.his.shows(`.rows`, "Rain on tin roofs")
	must(a.t, a.budi.FollowRoom(a.his.ctx, o.Room, true))
	a.his.shows(`.rows .facts`, "you follow it")
	must(a.t, a.ana.Close(a.his.ctx, o.Room, time.Now().Add(time.Hour)))
	a.his.shows(`.news a`, "\u2068Rain on tin roofs\u2069 is live next")
	a.his.tabTo(`#top button:last-child`)
	a.his.presses(kb.Enter)
	a.his.chooses("People you know")
	a.his.shows(`.noted a`, "Rain on tin roofs")
	a.his.judgePeople("rooms followed")
	a.his.tabTo(`dialog[open] [aria-label="Unfollow: Rain on tin roofs"]`)
	a.his.presses(kb.Enter)
	a.his.eventually("no room is followed", `!document.querySelector('.noted a')`)
	a.his.presses(kb.Escape)
	a.his.presses(kb.Escape)

	must(a.t, a.ana.Grant(a.his.ctx, a.room, "budi", "speaker"))
	a.his.shows(`.news a`, "You may speak in \u2068Who is who\u2069")
	a.hers.call(`location.hash = ''`, nil)
	sent, err := a.budi.Report(a.his.ctx, a.room, web.ReportRequest{Peer: "Вudi", Why: "goes by my name"})
	if err != nil || len(sent.Told) == 0 {
		a.t.Fatalf("nobody has the report: %+v, %v", sent, err)
	}
	a.hers.shows(`.news a`, "\u2068budi\u2069 reported \u2068Вudi\u2069 in \u2068Who is who\u2069")
}

// notifies says whether the page may notify, and keeps what it does.
func (p *page) notifies(may chrome.PermissionSetting) {
	p.t.Helper()
	must(p.t, chromedp.Run(p.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		c := chromedp.FromContext(ctx)
		return chrome.SetPermission(&chrome.PermissionDescriptor{Name: "notifications"}, may).Do(cdp.WithExecutor(ctx, c.Browser))
	})))
	p.call(`(() => {
		const real = window.Notification.real ?? window.Notification
		window.shownToMe = []
		window.Notification = class { constructor(title, options) { shownToMe.push({title, ...options}) } close() {} }
		Notification.real = real
		Notification.requestPermission = () => real.requestPermission()
		Object.defineProperty(Notification, 'permission', {get: () => real.permission})
	})()`, nil)
}

// judgePeople looks at a view as everybody might see and hear it, and draws it where
// EARSHOT_SCREENSHOTS names a directory.
func (p *page) judgePeople(view string) {
	p.t.Helper()
	p.checkNames(view)
	p.checkWidth(view, 320)
	if os.Getenv("EARSHOT_AXE") != "" {
		p.judge(axeCore(p.t), view)
	}
	if dir := os.Getenv("EARSHOT_SCREENSHOTS"); dir != "" {
		for _, s := range []shot{{"desktop-light", "en", "light", 1280, 900, nil}, {"phone-dark", "en", "dark", 390, 844, nil}, {"phone-light", "en", "light", 390, 844, nil}} {
			p.draw(s, dir, "people-"+strings.ReplaceAll(view, " ", "-"))
		}
	}
	p.call(`delete document.documentElement.dataset.theme`, nil)
	must(p.t, chromedp.Run(p.ctx, chromedp.EmulateReset()))
}
