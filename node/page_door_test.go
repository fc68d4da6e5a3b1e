package node

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestDoorOnThePage has the person of a node with a guest door see who came in by it,
// send somebody away, shut it and open it, on their page.
func TestDoorOnThePage(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := startWithDoor(t, "ana", "127.0.0.1:0")
	p := b.visit(t, ana.Page())
	o := ana.open(p.ctx, "By the door", "open")
	must(t, chromedp.Run(p.ctx, chromedp.Evaluate(`location.hash = 'room/`+o.Room+`'; 0`, nil)))
	p.shows(`h1`, "By the door")
	p.eventually("the link is there", `!document.querySelector('aside details').hidden`)
	p.tabTo(`aside details > summary`) // what comes into view above moves it away under a mouse
	p.presses(kb.Enter)
	p.shows(`.door h3`, "0")
	p.eventually("the guests' link is there, as a code too",
		`document.querySelector('.door input').value === '`+o.GuestLink+`' && document.querySelector('.door img.qr').naturalWidth > 0`)
	v, err := visit(p.ctx, ana.Door(), o.Room, 1)
	must(t, err)
	defer func() { must(t, v.pc.GracefulClose()) }()
	p.shows(`.door h3`, "1")
	p.shows(`.guests`, "127.0.0.3")
	if text, err := os.ReadFile(os.Getenv("EARSHOT_AXE")); err == nil {
		p.judge(string(text), "the guest door")
	}
	p.shoots("door.png")
	must(t, chromedp.Run(p.ctx, chromedp.Click(`.guests button`)))
	p.shows(`.door h3`, "0")
	ana.eventually("the guest is gone", func() bool { return ana.view(o.Room).Guests == 0 })
	must(t, chromedp.Run(p.ctx, chromedp.Click(`.door > button`)))
	p.shows(`.door h3`, "Nobody comes in")
	if ana.Door() != "" {
		t.Error("the door is open")
	}
	must(t, chromedp.Run(p.ctx, chromedp.Click(`.door > button`)))
	p.shows(`.door h3`, "0")
	if ana.Door() == "" {
		t.Error("the door is shut")
	}
}
