package node

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	document "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPageLaw has the host make a moderator by her page, and the moderator rule by
// his, all by the keyboard: who is muted is told so and not heard, who is banned
// is told so and does not come back, a room that is paused says so to all.
func TestPageLaw(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi, citra := start(t, "budi", ana), start(t, "citra", ana)
	host, moderator, guest := b.visit(t, ana.Page()), b.visit(t, budi.Page()), b.visit(t, citra.Page())
	o := ana.open(host.ctx, "Who may do what", "open")
	still := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}})
	for _, p := range []*page{host, moderator, guest} {
		must(t, chromedp.Run(p.ctx, still)) // what moves is nowhere to be measured
		p.enters(o.Room)
	}
	l := &lawful{t, host, moderator, guest, o.Room, ana, citra}
	for _, step := range []struct {
		what string
		does func(*lawful)
	}{
		{"a moderator is made", (*lawful).appoints},
		{"who is muted is told, and not heard", (*lawful).mutes},
		{"who may turn it on again does", (*lawful).hushes},
		{"who is removed is told, and a locked room", (*lawful).removes},
		{"the room is paused and goes on", (*lawful).pauses},
		{"all microphones go off, and may be on again", (*lawful).quiets},
		{"the room is called another way", (*lawful).renames},
		{"who is banned is told, and stays out", (*lawful).bans},
		{"what was done is shown, and saved", (*lawful).tells},
		{"who is let in again comes", (*lawful).letsIn},
	} {
		began := time.Now()
		step.does(l)
		t.Logf("%s: %v", step.what, time.Since(began).Round(time.Millisecond))
	}
}

// lawful are a host, a moderator and somebody else, each at their own page.
type lawful struct {
	t                      *testing.T
	host, moderator, guest *page
	room                   string
	ana, citra             *running
}

// about opens somebody's card by keyboard, and waits until it offers some words.
func (p *page) about(name, offers string) {
	p.t.Helper()
	p.tabTo(fmt.Sprintf(`button.about[aria-label*=%s]`, quoted(name)))
	p.presses(kb.Enter)
	p.shows(`dialog[open] button`, offers)
}

// mayNothing opens somebody's card, and looks that nothing of the room's law is there
// but to report them.
func (p *page) mayNothing(name string) {
	p.t.Helper()
	p.tabTo(fmt.Sprintf(`button.about[aria-label*=%s]`, quoted(name)))
	p.presses(kb.Enter)
	p.shows(`dialog[open] h2`, name)
	if p.is(`document.querySelector('dialog[open] .choices button:not(.report)')`) {
		p.t.Errorf("somebody who may not is to do something about %s", name)
	}
	p.presses(kb.Escape)
}

// chooses presses a button of what is open, by its words.
func (p *page) chooses(words string) {
	p.t.Helper()
	p.tabToWords(`dialog[open] button`, words)
	p.presses(kb.Enter)
}

// appoints has ana make budi moderator, take that back, and make him one again.
func (l *lawful) appoints() {
	l.moderator.mayNothing("citra")
	if l.moderator.is(`document.querySelector('.bar .pause').checkVisibility()`) {
		l.t.Error("somebody who may not is to pause the room")
	}
	l.host.about("budi", "Make moderator")
	l.host.judgeLaw("what can be done about somebody")
	l.host.chooses("Make moderator")
	l.moderator.shows(`.done`, "You are a moderator of this room now")
	l.host.tabTo(`.done button`)
	l.host.presses(kb.Enter)
	l.moderator.shows(`.done`, "You are no longer a moderator")
	l.host.about("budi", "Make moderator")
	l.host.chooses("Make moderator")
	l.moderator.eventually("budi may pause the room", `document.querySelector('.bar .pause')?.checkVisibility()`)
	l.guest.shows(`.seat .role`, "Moderator")
	l.moderator.mayNothing("ana")
}

// mutes has budi turn citra's microphone off while she speaks.
func (l *lawful) mutes() {
	ear := l.ana.listen(l.host.ctx, l.room)
	defer ear.cancel()
	l.guest.tabTo(`.mic`)
	l.guest.presses(kb.Enter)
	source := l.citra.speaksAs(l.room)
	l.ana.eventually("citra is heard", func() bool { return ear.heardOf(source) > 25 })

	l.moderator.about("citra", "until somebody allows it again")
	l.moderator.chooses("until somebody allows it again")
	l.moderator.shows(`.done`, "\u2068citra\u2069's microphone is off")
	l.guest.shows(`.mine`, "\u2068budi\u2069 turned your microphone off")
	l.guest.judgeLaw("muted")
	l.guest.eventually("her microphone is off, and can't be turned on", `document.querySelector('.mic').disabled && !document.querySelector('.mic').hasAttribute('data-live')`)
	l.host.eventually("all see it", seatOf("citra")+`?.textContent.includes('microphone turned off') || document.querySelector('.people')?.textContent.includes('microphone turned off')`)
	before := ear.heardOf(source)
	l.guest.tabTo(`.ring`)
	l.guest.presses("m")
	time.Sleep(500 * time.Millisecond) // in which 25 frames would come
	if n := ear.heardOf(source) - before; n > 0 {
		l.t.Errorf("%d frames of who is muted were heard", n)
	}

	l.moderator.tabTo(`.done button, button.about[aria-label*="citra"]`)
	if l.moderator.is(`document.activeElement.matches('.about')`) { // the offer to undo it is over
		l.moderator.presses(kb.Enter)
		l.moderator.chooses("Allow the microphone again")
	} else {
		l.moderator.presses(kb.Enter)
	}
	l.guest.eventually("she may speak again, once she wants to", `document.querySelector('.mine').hidden && !document.querySelector('.mic').disabled && !document.querySelector('.mic').hasAttribute('data-live')`)
}

// heardOfAll gives how many packets were heard.
func (e *ear) heardOfAll() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ps := range e.packets {
		n += len(ps)
	}
	return n
}

// hushes has budi turn citra's microphone off in a way that she may end.
func (l *lawful) hushes() {
	ear := l.ana.listen(l.host.ctx, l.room)
	defer ear.cancel()
	for range 2 { // the same moderator, once more
		l.guest.tabTo(`.mic`)
		l.guest.presses(kb.Enter)
		before := ear.heardOfAll()
		l.ana.eventually("citra is heard", func() bool { return ear.heardOfAll() > before+25 })
		l.moderator.about("citra", "they may turn it on again")
		l.moderator.chooses("they may turn it on again")
		l.guest.shows(`.mine`, "You can turn it on again")
		l.guest.eventually("it is off, and she may", `!document.querySelector('.mic').disabled && !document.querySelector('.mic').hasAttribute('data-live')`)
		time.Sleep(500 * time.Millisecond) // in which the page would have made a session anew
		if l.citra.seesSpeaking(l.room, l.citra)() {
			l.t.Error("citra's page turned her microphone on")
		}
	}
	l.guest.presses(kb.Enter)
	l.guest.eventually("nothing is said of it any more", `document.querySelector('.mine').hidden`)
	l.guest.presses(kb.Enter)
	l.citra.eventually("she speaks no more", not(l.citra.seesSpeaking(l.room, l.citra)))
}

// removes has budi send citra out, and lock the door behind her until he opens it.
func (l *lawful) removes() {
	l.guest.mayComplain("403", "409", "404")
	l.moderator.about("citra", "Remove \u2068citra\u2069")
	l.moderator.chooses("Remove \u2068citra\u2069")
	l.moderator.shows(`dialog[open]`, "may come again to listen")
	l.moderator.chooses("Remove")
	l.guest.shows(`.state`, "You were taken out of this room")
	time.Sleep(stayAway) // in which her page would have come again by itself
	l.guest.shows(`.state`, "You were taken out of this room")
	l.moderator.tabTo(`.house .lock`)
	l.moderator.presses(kb.Enter)
	l.host.shows(`.head`, "The room is locked")
	l.guest.tabTo(`.floor .acts button`)
	l.guest.presses(kb.Enter)
	l.guest.shows(`.state`, "This room is locked")
	l.guest.judgeLaw("locked out")
	l.moderator.tabTo(`.house .lock`)
	l.moderator.presses(kb.Enter)
	l.host.eventually("it is open again", `![...document.querySelectorAll('.head p')].some(p => p.checkVisibility() && p.textContent.includes('locked'))`)
	l.guest.tabTo(`.floor .acts button`)
	l.guest.presses(kb.Enter)
	l.guest.hearsRoom()
}

// pauses has budi pause the room by one key, and ana let it go on.
func (l *lawful) pauses() {
	l.moderator.tabTo(`.bar .pause`)
	l.moderator.presses(kb.Enter)
	for _, p := range []*page{l.host, l.moderator, l.guest} {
		p.shows(`.still`, "The room is paused")
	}
	l.guest.eventually("nobody speaks or writes", `document.querySelector('.mic').disabled && document.querySelector('.writing textarea').disabled`)
	if l.guest.is(`document.querySelector('.still button').checkVisibility()`) {
		l.t.Error("somebody who may not is to let the room go on")
	}
	l.moderator.judgeLaw("paused")
	l.host.tabTo(`.still button`)
	l.host.presses(kb.Enter)
	l.guest.eventually("it goes on", `document.querySelector('.still').hidden && !document.querySelector('.writing textarea').disabled`)
}

// quiets has budi turn all microphones off, ana's excepted, and ana allow them again.
func (l *lawful) quiets() {
	l.moderator.tabTo(`.house .quieten`)
	l.moderator.presses(kb.Enter)
	for _, p := range []*page{l.host, l.moderator, l.guest} {
		p.shows(`.still`, "\u2068budi\u2069 turned all microphones off")
	}
	l.guest.shows(`.mine`, "and so yours")
	l.guest.eventually("she can write, and not speak", `document.querySelector('.mic').disabled && !document.querySelector('.writing textarea').disabled`)
	if l.guest.is(`document.querySelector('.still button').checkVisibility()`) || l.host.is(`document.querySelector('.mic').disabled`) {
		l.t.Error("who may not is to allow the microphones, or the host is silenced with all")
	}
	l.host.judgeLaw("all microphones off")
	l.host.tabTo(`.still button`)
	l.host.presses(kb.Enter)
	l.guest.eventually("she may speak again", `document.querySelector('.still').hidden && document.querySelector('.mine').hidden && !document.querySelector('.mic').disabled`)
	l.host.eventually("focus is not lost with the button", `document.activeElement.matches('.ring')`)
}

// renames has budi change the room's title, and pin a link, which is shown as what
// it is: words of somebody.
func (l *lawful) renames() {
	l.moderator.tabTo(`.house .change`)
	l.moderator.presses(kb.Enter)
	l.moderator.eventually("it is asked what to change", `document.querySelector('dialog[open] form')?.checkVisibility()`)
	l.moderator.judgeLaw("changing the room")
	l.moderator.call(`(([title, , , , , pin]) => { title.value = 'By the lake'; pin.value = 'javascript:alert(1)' })([...document.querySelectorAll('dialog[open] input')])`, nil)
	l.moderator.chooses("Change it")
	for _, p := range []*page{l.host, l.guest} {
		p.shows(`h1`, "By the lake")
		p.shows(`.head`, "javascript:alert(1)")
		if p.is(`document.querySelector('.head a')`) {
			l.t.Error("a pinned script can be pressed")
		}
	}
}

// bans has budi keep citra out for an hour. She asks to come in again.
func (l *lawful) bans() {
	l.guest.mayComplain("403", "409", "404")
	l.moderator.about("citra", "and keep out")
	l.moderator.chooses("and keep out")
	l.moderator.shows(`dialog[open]`, "leaves the room at once")
	l.moderator.judgeLaw("a question before a ban")
	l.moderator.chooses("for an hour")
	l.guest.shows(`.state`, "You are kept out of this room")
	l.guest.judgeLaw("kept out")
	l.guest.tabTo(`.floor .acts button`)
	l.guest.presses(kb.Enter)
	l.guest.eventually("it was asked again", `document.querySelector('.floor .acts').dataset.state !== 'heard'`)
	l.guest.shows(`.state`, "You are kept out of this room")
	l.ana.eventually("citra is gone", func() bool {
		for _, m := range l.ana.view(l.room).Members {
			if m.Peer == l.citra.self.String() {
				return false
			}
		}
		return true
	})
}

// tells has ana read what was done, and by which right.
func (l *lawful) tells() {
	l.host.judgeLaw("a room as its host rules it")
	l.host.tabTo(`.house .look`)
	l.host.presses(kb.Enter)
	for _, words := range []string{"\u2068ana\u2069 made \u2068budi\u2069 a moderator", "\u2068budi\u2069 turned \u2068citra\u2069's microphone off", "named by \u2068ana\u2069", "\u2068budi\u2069 paused the room",
		"\u2068budi\u2069 removed \u2068citra\u2069 and keeps them out for \u20681 hr\u2069", "\u2068ana\u2069 opened the room"} {
		l.host.shows(`dialog[open] .deeds`, words)
	}
	l.host.judgeLaw("what was done")
	var saved string
	l.host.call(`fetch(document.querySelector('dialog[open] a[download]').href).then(r => r.text())`, &saved)
	want, err := l.ana.ExportLog(l.host.ctx, l.room)
	must(l.t, err)
	if saved != string(want) {
		l.t.Errorf("what is saved is not the log: %.200q", saved)
	}
}

// letsIn has ana lift the ban, in the list that is still open.
func (l *lawful) letsIn() {
	l.host.tabTo(`dialog[open] .kept button`)
	l.host.presses(kb.Enter)
	l.host.eventually("nobody is kept out", `!document.querySelector('dialog[open] .kept')`)
	l.guest.tabTo(`.floor .acts button`)
	l.guest.presses(kb.Enter)
	l.guest.hearsRoom()
}

// judgeLaw looks at a view as everybody might see and hear it, and draws it where
// EARSHOT_SCREENSHOTS names a directory.
func (p *page) judgeLaw(view string) {
	p.t.Helper()
	p.checkNames(view)
	p.checkWidth(view, 320)
	if os.Getenv("EARSHOT_AXE") != "" {
		p.judge(axeCore(p.t), view)
	}
	dir := os.Getenv("EARSHOT_SCREENSHOTS")
	for _, s := range allShots() {
		if dir == "" || len(s.media) > 0 || s.language != "en" {
			continue
		}
		p.draw(s, dir, "law-"+strings.ReplaceAll(view, " ", "-"))
	}
	p.call(`delete document.documentElement.dataset.theme`, nil)
	must(p.t, chromedp.Run(p.ctx, chromedp.EmulateReset()))
}

// draw draws a page as it stands.
func (p *page) draw(s shot, dir, state string) {
	p.t.Helper()
	var png []byte
	must(p.t, os.MkdirAll(dir, 0o755))
	must(p.t, chromedp.Run(p.ctx, document.BringToFront(), chromedp.EmulateViewport(s.width, s.height), chromedp.Evaluate(`document.documentElement.dataset.theme = '`+s.theme+`'`, nil), chromedp.CaptureScreenshot(&png)))
	must(p.t, os.WriteFile(dir+"/"+state+"-"+s.name+".png", png, 0o644))
}
