package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// shot is how a screenshot is taken.
type shot struct {
	name, language, theme string
	width, height         int64
	media                 []*emulation.MediaFeature
}

func allShots() []shot {
	return []shot{
		{"desktop-light-en", "en", "light", 1280, 900, nil},
		{"phone-dark-en", "en", "dark", 390, 844, nil},
		{"desktop-light-zh", "zh-Hans", "light", 1280, 900, nil},
		{"phone-dark-zh", "zh-Hans", "dark", 390, 844, nil},
		{"forced-colours", "en", "system", 1280, 900, []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}},
		{"reduced-motion", "vi", "dark", 1280, 900, []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}},
	}
}

// TestScreenshots draws the states of the page into the directory that
// EARSHOT_SCREENSHOTS names, as PNG.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("EARSHOT_SCREENSHOTS")
	if dir == "" {
		t.Skip("EARSHOT_SCREENSHOTS=DIR draws into DIR")
	}
	must(t, os.MkdirAll(dir, 0o755))
	for _, s := range allShots() {
		t.Run(s.name, func(t *testing.T) { testShots(t, launch(t), s, dir) })
	}
}

func testShots(t *testing.T, b *browser, s shot, dir string) {
	alone, n := start(t, "dewi"), start(t, "ana")
	start(t, "budi", n)
	o := n.open(t.Context(), "Frogs at dusk", "open")
	draw := func(p *page, state string) {
		var png []byte
		must(t, chromedp.Run(p.ctx, chromedp.CaptureScreenshot(&png)))
		must(t, os.WriteFile(filepath.Join(dir, state+"-"+s.name+".png"), png, 0o644))
	}
	empty := s.visit(t, b, alone)
	empty.eventually("the empty world is shown", `document.querySelector('.empty .trial')?.checkVisibility()`)
	draw(empty, "empty")

	s.visit(t, b, n) // holds the stream: what another tab is told stays as it is
	p := s.visit(t, b, n)
	p.tell("rooms", web.RoomsChange{Changed: manyRooms(), Gone: []string{}})
	p.eventually("the rooms are shown", `document.querySelectorAll('.row').length > 7`)
	draw(p, "hallway")
	p.tabTo(`aside button.main`)
	p.presses(kb.Enter)
	draw(p, "opening")
	p.types("Rain on tin roofs")
	p.presses(kb.Enter)
	p.eventually("the link is shown", `document.querySelector('dialog .qr')?.naturalWidth > 0`)
	draw(p, "opened")
	p.presses(kb.Escape)
	p.call(`location.hash = 'room/`+o.Room+`'`, nil)
	p.eventually("the room asks", `document.querySelector('.floor .acts button')`)
	draw(p, "asked")
	p.tabTo(`.floor .acts button`)
	p.presses(kb.Enter)
	p.eventually("it is heard", `document.querySelector('.floor .acts').dataset.state === 'heard'`)
	p.call(`for (let i = setInterval(() => {}, 1e6); i > 0; i--) clearInterval(i)`, nil)
	for state, members := range map[string][]web.Member{"few": roomful(3, 4), "eight": roomful(8, 60), "many": roomful(12, 60), "quiet": roomful(1, 0), "hands": asking(roomful(3, 9), 5)} {
		p.tell("room", viewWith(o, n, members))
		p.eventually("they are shown", fmt.Sprintf(`document.querySelectorAll('.seat').length === %d`, stageOf(members)))
		if state != "quiet" {
			p.call(`document.querySelectorAll('.seat').forEach((s, i) => { if (i % 3 === 2) return; s.style.setProperty('--level', i % 3 ? 0.5 : 1); s.setAttribute('data-heard', '') })`, nil)
		}
		time.Sleep(700 * time.Millisecond) // for its transitions
		draw(p, "room-"+state)
		p.call(`document.querySelectorAll('.seat').forEach(s => { s.style.setProperty('--level', 0); s.removeAttribute('data-heard') })`, nil)
	}
	p.tell("room", viewWith(o, n, roomful(5, 9)))
	p.call(`document.querySelector('.bar .buttons button:nth-child(4)').click()`, nil)
	time.Sleep(700 * time.Millisecond)
	draw(p, "network")
	p.call(`document.querySelector('.drawer').scrollTo(0, 1e6)`, nil)
	draw(p, "network-words")
	p.call(`document.querySelector('.drawer').scrollTo(0, 0)`, nil)
	p.tell("room", viewWith(o, n, roomful(4, 48)))
	time.Sleep(700 * time.Millisecond)
	draw(p, "network-crowd")
	p.presses(kb.Escape)
	p.tabTo(`.mic`)
	draw(p, "focus")
	p.presses("?")
	p.eventually("the settings are open", `document.querySelector('dialog.settings')?.checkVisibility()`)
	draw(p, "settings")
	p.presses(kb.Escape)
	p.call(`location.hash = ''`, nil)
	p.eventually("the strip is shown", `document.querySelector('.strip').checkVisibility()`)
	draw(p, "strip")
}

// asking has the last few of these people ask to speak, the host's listeners.
func asking(members []web.Member, hands int) []web.Member {
	for i := range hands {
		m := &members[len(members)-hands+i]
		m.Hand, m.WaitingMS = i+1, int64(hands-i)*170_000
	}
	return members
}

// visit opens a node's page as this shot wants it.
func (s shot) visit(t *testing.T, b *browser, n *running) *page {
	t.Helper()
	p := b.visit(t, n.Page())
	must(t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.width < 500), emulation.SetEmulatedMedia().WithFeatures(s.media)))
	p.eventually("the page is there", `document.querySelector('.hallway')`)
	p.call(fmt.Sprintf(`localStorage.setItem('language', %s), localStorage.setItem('theme', %s)`, quoted(s.language), quoted(s.theme)), nil)
	must(t, chromedp.Run(p.ctx, chromedp.Reload()))
	p.eventually("the page is there", fmt.Sprintf(`document.querySelector('.me bdi')?.textContent === %s`, quoted(string(n.name))))
	return p
}

// tell tells a tab an event, as the tab does that holds the stream.
func (p *page) tell(kind string, data any) {
	p.t.Helper()
	text, err := json.Marshal(map[string]any{"kind": kind, "data": data})
	must(p.t, err)
	p.call(fmt.Sprintf(`new BroadcastChannel('earshot events').postMessage(%s)`, text), nil)
}

// manyRooms are rooms as people might title them, and as people who are up to no
// good might.
func manyRooms() (lines []web.RoomLine) {
	add := func(title, language string, speakers, listeners int, ago time.Duration, topics ...string) {
		id := strings.Repeat(string(rune('a'+len(lines))), protocol.RoomIDLetters)
		lines = append(lines, web.RoomLine{Room: id, Title: title, Language: language, Topics: append([]string{}, topics...), Speakers: speakers, Listeners: listeners,
			Started: time.Now().Add(-ago), Stage: "host", Listed: true, Link: "earshot:room/" + id})
	}
	add("Why the sky is dark at night", "en", 4, 1200, 2*time.Hour, "astronomy", "evenings")
	add("Ngobrol santai malam minggu", "id", 3, 28, 18*time.Minute, "musik")
	add("Đêm thơ ở Huế", "vi", 6, 75, 49*time.Hour, "thơ")
	add("深夜闲聊：今天你读了什么书", "zh", 8, 9, 5*time.Minute, "读书", "闲聊")
	add("مساء الخير من الخرطوم", "ar", 2, 3, 8*time.Minute, "أخبار")
	add(strings.Repeat("A title that goes on and on ", 4)+"until 120.", "en", 1, 0, time.Minute, "patience", "length", "the third topic")
	add("z\u0351\u0349\u0324a\u0363\u0329\u033cl\u0352\u0321\u0325g\u0346\u0325\u0316o\u0351\u0349\u0324 \u202eright to left", "en", 1, 1, time.Minute)
	return lines
}

var peopleNames = []string{"Sari", "Nguyễn Thị Ánh Nguyệt", "王小明", "Budi", "عبد الرحمن", strings.Repeat("W", 32), "z\u0351\u0349\u0324a\u0363\u0329l\u0352go", "👩🏽‍🚀 Ada", "Ingrid"}

// roomful is so many on stage and so many who listen.
func roomful(stage, audience int) (members []web.Member) {
	for i := range stage + audience {
		m := web.Member{Peer: fmt.Sprintf("12D3KooW%06d", 7919*i), Name: protocol.Name(peopleNames[i%len(peopleNames)]), Role: "listener", YouMay: []string{}}
		switch {
		case i == 0:
			m.Role, m.Speaking = "host", true
		case i < stage:
			m.Role, m.Speaking, m.Muted = "speaker", i%3 != 2, i%3 == 2
		}
		members = append(members, m)
	}
	return members
}

func stageOf(members []web.Member) (n int) {
	for _, m := range members {
		if m.Role != "listener" {
			n++
		}
	}
	return n
}

// viewWith is a room with these people; n is the last one.
func viewWith(o web.Opened, n *running, members []web.Member) web.RoomView {
	last := &members[len(members)-1]
	last.Peer, last.Name, last.You = n.self.String(), n.name, true
	v := web.RoomView{Room: o.Room, Title: "Frogs at dusk", Link: o.Link, Stage: "open", Language: "en", Started: time.Now().Add(-time.Hour), Listed: true, Topics: []string{}, Members: members, YouMay: []string{"speak"},
		Relay: members[0].Peer, Links: []web.LinkLine{}, Sources: []web.SourceLine{{Peer: members[0].Peer, Hot: true}}}
	if len(members) > 2 {
		v.Standby, v.Term, v.TermSinceMS = members[1].Peer, 3, 760_000
		for i := range members[1:] {
			m := &members[i+1]
			m.Listening, m.LiveParent = true, v.Relay
			if i > 0 {
				m.WarmParent = v.Standby
			}
		}
		v.Links = []web.LinkLine{
			{Peer: members[0].Peer, Name: string(members[0].Name), Direction: "up", Path: "udp", RTTms: 23, Loss: 0.002, SentKbps: 1, ReceivedKbps: 64},
			{Peer: members[1].Peer, Name: string(members[1].Name), Direction: "standby", Path: "tcp", RTTms: 81, SentKbps: 1},
			{Peer: members[2].Peer, Name: string(members[2].Name), Direction: "down", Path: "stream", Via: members[1].Peer, RTTms: 140, Loss: 0.031, SentKbps: 64},
		}
	}
	return v
}
