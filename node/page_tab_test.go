package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	document "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/protocol"
)

// watchScript keeps what comes and goes while nobody looks: connections, whose
// ring was lit, what was said politely.
const watchScript = `
const connections = []
window.RTCPeerConnection = class extends RTCPeerConnection {
	constructor(...settings) {
		super(...settings)
		connections.push(this)
	}
}
const lit = new Set(), told = []
new MutationObserver(changes => {
	for (const {target} of changes) {
		if (target.id === 'voice') told.push(target.textContent)
		else if (target.matches?.('.seat[data-heard]')) lit.add(target.querySelector('.name').textContent)
	}
}).observe(document, {subtree: true, childList: true, attributeFilter: ['data-heard']})
`

// page is a node's page in a tab.
type page struct {
	*tab
	streams    atomic.Int64  // of events, opened so far
	slow       time.Duration // the longest that one look at it took: the machine's own
	mu         sync.Mutex
	complaints []string // of the console: errors, and what the policy forbids
	expected   []string // words of those that are none
}

// visit opens a tab, which closes with the test, and checks at its end that
// nothing was wrong in its console.
func (b *browser) visit(t *testing.T, address string, options ...chromedp.ContextOption) *page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx, options...)
	t.Cleanup(closeTab)
	p := &page{tab: &tab{t, ctx}}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if e.Type == network.ResourceTypeEventSource {
				p.streams.Add(1)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError || e.Entry.Source == log.SourceSecurity {
				p.complain(e.Entry.Text + " " + e.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				p.complain(fmt.Sprint(e.Args))
			}
		case *runtime.EventExceptionThrown:
			p.complain(e.ExceptionDetails.Error())
		}
	})
	watching := chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := document.AddScriptToEvaluateOnNewDocument(playedScript + watchScript).Do(ctx)
		return err
	})
	must(t, chromedp.Run(ctx, log.Enable(), network.Enable(), watching, chromedp.Navigate(address)))
	t.Cleanup(func() {
		for _, c := range p.problems() {
			t.Errorf("the console: %s", c)
		}
	})
	return p
}

func (p *page) complain(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, what)
}

// problems gives what the console told so far and should not have.
func (p *page) problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(p.complaints, func(c string) bool {
		return slices.ContainsFunc(p.expected, func(w string) bool { return strings.Contains(c, w) })
	})
}

// mayComplain says which complaints are none, by words in them.
func (p *page) mayComplain(words ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, words...)
}

// is says whether an expression is true in the page.
func (p *page) is(expression string) (yes bool) {
	p.t.Helper()
	p.call("Boolean("+expression+")", &yes)
	return yes
}

func (p *page) text(expression string) (text string) {
	p.t.Helper()
	p.call(expression, &text)
	return text
}

// eventually waits until an expression is true.
func (p *page) eventually(what, expression string) {
	p.t.Helper()
	look := time.NewTicker(25 * time.Millisecond)
	defer look.Stop()
	for late := time.Now().Add(patience); !p.looks(expression); <-look.C {
		if time.Now().After(late) {
			p.t.Fatalf("not in time: %s; the page says: %.600s", what, p.text(`document.body.innerText`))
		}
	}
}

// looks is is, and notes how long that took.
func (p *page) looks(expression string) bool {
	p.t.Helper()
	began := time.Now()
	defer func() { p.slow = max(p.slow, time.Since(began)) }()
	return p.is(expression)
}

// shows waits for words in an element that can be seen.
func (p *page) shows(element, words string) {
	p.t.Helper()
	p.eventually(element+" says "+words, fmt.Sprintf(`[...document.querySelectorAll(%s)].some(e => e.checkVisibility() && e.textContent.includes(%s))`, quoted(element), quoted(words)))
}

// presses and types send keys to what has focus.
func (p *page) presses(keys string) {
	p.t.Helper()
	must(p.t, chromedp.Run(p.ctx, chromedp.KeyEvent(keys)))
}

func (p *page) types(text string) { p.t.Helper(); p.presses(text) }

// key sends one half of a key, by its KeyboardEvent.code.
func (p *page) key(half input.KeyType, code string) {
	p.t.Helper()
	must(p.t, chromedp.Run(p.ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		return input.DispatchKeyEvent(half).WithCode(code).WithKey(" ").WithWindowsVirtualKeyCode(32).Do(ctx)
	})))
}

// tabTo goes on by Tab until focus is on an element; by arrows within a list that has
// one stop for Tab.
func (p *page) tabTo(element string) {
	p.t.Helper()
	p.tabToWords(element, "")
}

// tabToWords is tabTo where more than one element may be meant: it is the one that has
// these words. The page may draw it anew meanwhile.
func (p *page) tabToWords(element, words string) {
	p.t.Helper()
	what := element
	if words != "" {
		what += " that says " + words
	}
	p.eventually(what+" is there", fmt.Sprintf(meant, quoted(element), quoted(words))+`.some(e => e.checkVisibility())`)
	for range 60 {
		key := p.text(fmt.Sprintf(towards, fmt.Sprintf(meant, quoted(element), quoted(words))))
		if key == "" {
			return
		}
		p.presses(map[string]string{"up": kb.ArrowUp, "down": kb.ArrowDown, "tab": kb.Tab}[key])
	}
	p.t.Fatalf("Tab does not come to %s", what)
}

const (
	// meant are the elements that a selector and words name.
	meant = `[...document.querySelectorAll(%s)].filter(e => e.textContent.includes(%s))`
	// towards gives the key that leads on to one of some elements; '': it has focus.
	towards = `(() => {
		const meant = %s, at = document.activeElement, [to] = meant, list = at.closest('ul, ol')
		if (meant.includes(at)) return ''
		if (!to || to.tabIndex >= 0 || !list?.contains(to) || !at.matches('button[tabindex]')) return 'tab'
		return at.compareDocumentPosition(to) & Node.DOCUMENT_POSITION_PRECEDING ? 'up' : 'down'
	})()`
)

// opens fills in the form for a room, to where the link is shown.
func (p *page) opens(title, stage string) (link string) {
	p.t.Helper()
	p.tabTo(`aside button.main`)
	p.presses(kb.Enter)
	p.eventually("it asks for a title", `document.activeElement.name === 'title'`)
	p.types(title)
	if stage == "open" {
		p.tabTo(`input[name=stage]`)
		p.presses(kb.ArrowDown)
	}
	p.tabTo(`dialog button.main`)
	p.presses(kb.Enter)
	p.eventually("the link is shown", `document.querySelector('dialog .sharing input')?.value.startsWith('earshot:room/')`)
	return p.text(`document.querySelector('dialog .sharing input').value`)
}

// follows pastes a link into the hallway and goes where it leads.
func (p *page) follows(link string) {
	p.t.Helper()
	p.tabTo(`.pasting input`)
	p.types(link)
	p.presses(kb.Enter)
}

// enters goes to a room and listens.
func (p *page) enters(room string) {
	p.t.Helper()
	p.eventually("the room is in the list", fmt.Sprintf(`document.querySelector('.row a[href="#room/%s"]')`, room))
	p.tabTo(fmt.Sprintf(`.row a[href="#room/%s"]`, room))
	p.presses(kb.Enter)
	p.listens()
}

// asks waits until the page asks whether to listen to a room.
func (p *page) asks() {
	p.t.Helper()
	p.shows(`.state`, "You join only when you press Listen")
}

// listens presses Listen, once it is asked, and waits for the sound.
func (p *page) listens() {
	p.t.Helper()
	p.asks()
	p.tabTo(`.floor .acts button`)
	p.presses(kb.Enter)
	p.hearsRoom()
}

// hearsRoom waits for a session in which sound would come.
func (p *page) hearsRoom() {
	p.t.Helper()
	p.eventually("it is heard", `document.querySelector('.floor .acts')?.dataset.state === 'heard'`)
}

// seatOf is somebody's place on stage, as an expression.
func seatOf(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.seat')].find(s => s.querySelector('.name').textContent === %s)`, quoted(name))
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

func roomID(t *testing.T, text string) protocol.RoomID {
	t.Helper()
	id, err := protocol.ParseRoomID(text)
	must(t, err)
	return id
}

// heardOf gives how many packets of a source were heard.
func (e *ear) heardOf(s protocol.Source) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.packets[uint32(s)])
}
