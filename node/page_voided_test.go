package node

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// TestPageShowsWhatIsVoid has the host take moderating back from somebody who did
// not know yet when they turned a microphone off: the page strikes that through,
// says why, and nobody is muted.
func TestPageShowsWhatIsVoid(t *testing.T) {
	t.Parallel()
	b := launch(t)
	ana := start(t, "ana")
	budi := start(t, "budi", ana)
	p := b.visit(t, ana.Page())
	o := ana.open(p.ctx, "Voided", "open")
	room := roomID(t, o.Room)
	budi.eventually("the room is in the directory", budi.sees(o.Room))
	budi.listen(p.ctx, o.Room)
	h := newEnemy(t)
	h.at(ana)
	h.child(ana, room, pb.Attach_LIVE)
	p.enters(o.Room)

	moderates := web.ActRequest{Act: web.ActGrant, Peer: h.id.String(), Role: "moderator"}
	must(t, ana.Act(p.ctx, o.Room, moderates))
	export, err := ana.ExportLog(p.ctx, o.Room)
	must(t, err)
	moderates.Act = web.ActRevoke
	must(t, ana.Act(p.ctx, o.Room, moderates))
	h.feed(ana, room, h.sign(room, &protocol.Message{Action: h.act(export, protocol.Mute{Peer: budi.self})}))
	ana.eventually("the log has all three", func() bool { return ana.view(o.Room).LogActions == 3 })

	p.tabTo(`.house .look`)
	p.presses(kb.Enter)
	p.shows(`dialog[open] .deeds s`, "turned \u2068budi\u2069's microphone off")
	p.shows(`dialog[open] .deeds`, "does not stand: \u2068ana\u2069 had ended")
	if p.is(`document.querySelectorAll('dialog[open] .deeds s').length !== 1 || document.querySelector('.room').textContent.includes('microphone turned off')`) {
		t.Error("what stands is struck through, or what does not mutes somebody")
	}
	p.judgeLaw("a log with what is void")
}

// act signs what the enemy does in a room, whose log it knows as exported.
func (h *enemy) act(export []byte, deed protocol.Deed) *pb.SignedAction {
	h.t.Helper()
	log, err := roster.Verify(export)
	must(h.t, err)
	a, err := log.Draft(h.id)
	must(h.t, err)
	a.At, a.Deed = time.Now(), deed
	must(h.t, a.Seal(h.key))
	return a.Signed()
}
