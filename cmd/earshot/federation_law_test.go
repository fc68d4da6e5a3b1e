package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// lawWithin is how long what a moderator did may take to hold everywhere.
const lawWithin = 5 * time.Second

// oneLog says whether all of these nodes hold the same log, of at least so many
// actions.
func oneLog(room string, least int, nodes []*liveNode) func() bool {
	return func() bool {
		first := nodes[0].views[room]
		return first.LogActions >= least && !slices.ContainsFunc(nodes, func(n *liveNode) bool { return n.views[room].Log != first.Log })
	}
}

// shown says whether all of these nodes show somebody so.
func shownAs(room string, who *liveNode, is func(web.Member) bool, nodes []*liveNode) func() bool {
	return func() bool {
		return !slices.ContainsFunc(nodes, func(n *liveNode) bool {
			return !slices.ContainsFunc(n.views[room].Members, func(m web.Member) bool { return m.Peer == who.PeerID && is(m) })
		})
	}
}

// silent says whether nothing more of a talk is heard.
func (f *federation) silent(talk *talker, ears []*ear) {
	f.Helper()
	quiet, last := time.Now(), -1
	f.until(lawWithin, talk.by.name+" is heard by nobody", func() bool {
		n := 0
		for _, e := range ears {
			n += talk.script.heard(e.file)
		}
		if n != last {
			quiet, last = time.Now(), n
		}
		return time.Since(quiet) > time.Second
	})
}

// ousted waits until a listening has ended because somebody wanted it so.
func (e *ear) ousted(code string) {
	e.f.Helper()
	e.f.until(lawWithin, e.by.name+"'s listening ends", func() bool { return e.ended })
	if want := `"code":"` + code + `"`; !strings.Contains(e.said(), want) {
		e.f.Errorf("%s is not told %s: %s", e.by.name, want, tail(e.said()))
	}
}

// TestLaw has one person do everything that hosts and moderators do: let
// somebody speak, mute, let them speak again, remove, ban; with the relay, which
// is the founder's node, killed in between.
func TestLaw(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	nodes := f.five()
	ana, budi, citra, dewi, eko := nodes[0], nodes[1], nodes[2], nodes[3], nodes[4]
	o, _ := ana.open("By law")
	room := o.Room
	f.until(listedWithin, "the room is listed", listedBy(room, nodes))
	ears := []*ear{citra.record(room), dewi.record(room), eko.record(room)}
	budi.record(room)
	f.until(attachedWithin, "all are attached", ready(room, nodes))

	if code := dewi.refused("stage", "mute", room, "budi"); code != protocol.CodeNotAllowed {
		t.Errorf("who mutes without a right is told %q", code)
	}
	ana.call("stage", "grant", room, "budi")
	ana.call("stage", "grant", room, "citra", "--role", "moderator")
	f.until(lawWithin, "citra moderates", shownAs(room, citra, func(m web.Member) bool { return m.Role == "moderator" }, nodes))
	talks := []*talker{budi.speak(room, f.numbered("budi"))}
	f.until(attachedWithin, "budi is heard", f.heardOn(25, ears, talks))

	citra.call("stage", "mute", room, "budi")
	f.silent(talks[0], ears)
	f.until(lawWithin, "all see who muted budi", shownAs(room, budi, func(m web.Member) bool { return m.Silenced && m.MutedBy == citra.PeerID }, nodes))
	if code := budi.refused("speak", room, talks[0].script.file); code != protocol.CodeMuted {
		t.Errorf("who speaks while muted is told %q", code)
	}
	citra.call("stage", "unmute", room, "budi")
	f.until(attachedWithin, "budi is heard again", f.heardOn(25, ears, talks))

	// The founder, who relays, lets dewi speak and dies; she speaks all the same.
	if code := dewi.refused("speak", room, f.numbered("dewi").file); code != protocol.CodeNotOnStage {
		t.Errorf("who was not let on stage is told %q", code)
	}
	ana.call("stage", "grant", room, "dewi")
	f.until(lawWithin, "all hold the grant", oneLog(room, 5, nodes))
	f.founderRelays(room, nodes)
	f.kill(room, ana, nodes[1:])
	rest := nodes[1:]
	talks = append(talks, dewi.speak(room, f.numbered("dewi")))
	f.until(attachedWithin, "who was let on stage before is heard", f.heardOn(25, []*ear{ears[0], ears[2]}, talks))

	// A moderator goes on without the founder.
	citra.call("stage", "remove", room, "eko")
	ears[2].ousted(protocol.CodeRemoved)
	again := eko.record(o.Link, "--force")
	f.until(attachedWithin, "who was removed hears again", f.heardOn(25, []*ear{again}, talks))
	citra.call("stage", "ban", room, "eko")
	again.ousted(protocol.CodeBanned)
	if code := eko.refused("listen", o.Link); code != protocol.CodeBanned {
		t.Errorf("who is banned and comes again is told %q", code)
	}
	rest = without(rest, eko)
	f.until(lawWithin, "all hold the same log", oneLog(room, 7, rest))
	f.until(attachedWithin, "the others are heard on", f.heardOn(25, ears[:1], talks))

	// The founder comes back and knows all of it; no other node lets eko in.
	ana = f.upAt(ana.home, "ana")
	nodes = append(rest, ana)
	f.until(attachedWithin, "the founder has the same log", oneLog(room, 7, nodes))
	if code := eko.refused("listen", o.Link); code != protocol.CodeBanned {
		t.Errorf("who is banned and comes to the founder is told %q", code)
	}
	ana.call("log", room, "--export", f.dir+"/room.log")
	lines := eko.call("log", "verify", f.dir+"/room.log")
	if last := lines[len(lines)-1].text; !strings.Contains(last, ana.views[room].Log) || !strings.Contains(last, eko.PeerID) {
		t.Errorf("the exported log comes to %s", last)
	}
}
