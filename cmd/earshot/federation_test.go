package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// The bounds that a federation keeps to.
const (
	listedWithin   = 2 * time.Second
	electedWithin  = 3500 * time.Millisecond
	attachedWithin = patience // how soon is for package node's tests to show
	endsWithin     = 2 * time.Second
	toldWithin     = time.Second // by a goodbye; without, suspicion alone takes 1.3 s
	longestGapMS   = 300
	firstFrameMS   = 500
)

// long says whether this is the run that takes its time.
func long() bool { return os.Getenv("EARSHOT_LONG") == "1" }

// length is how long something goes on: in the plain run, or in the long one.
func length(plain, whole time.Duration) time.Duration {
	if long() {
		return whole
	}
	return plain
}

// TestFiveNodesTwoVoices is the main job: a room that everyone finds, two people
// who speak at once, three who record every packet.
func TestFiveNodesTwoVoices(t *testing.T) {
	f := newFederation(t)
	nodes := f.five()
	var watching []*process
	for _, n := range nodes[1:] {
		watching = append(watching, n.start("rooms", "--watch"))
	}
	room, opened := nodes[0].open("Why the sky is dark", "--stage", "open")
	for _, w := range watching {
		at := w.says(listedWithin, "room", room.Room, nil)
		t.Logf("%s shows the room after %d ms", w.title, at.Sub(opened).Milliseconds())
	}
	for _, n := range nodes {
		if !n.listed(room.Room) {
			t.Errorf("%s does not list the room", n.name)
		}
	}

	span := length(6*time.Second, 20*time.Second)
	voices := []script{spokenIn(t, "ana", "demo/voices/ana.ogg"), spokenIn(t, "budi", "demo/voices/budi.ogg")}
	var ears []*ear
	for _, n := range nodes[2:] {
		ears = append(ears, n.record(room.Room, "--for", span.String()))
	}
	talks := []*talker{nodes[0].speak(room.Room, voices[0]), nodes[1].speak(room.Room, voices[1])}
	for _, e := range ears {
		s := e.ends(span + patience)
		t.Logf("%s heard %d frames, the first after %d ms, longest gap %d ms", e.by.name, s.Frames, s.FirstFrameMS, s.LongestGapMS)
		if raced || !e.complete(s) {
			continue
		}
		if s.FirstFrameMS < 0 || s.FirstFrameMS >= firstFrameMS+f.slack().Milliseconds() || len(s.Sources) != len(voices) {
			t.Errorf("%s heard %+v", e.by.name, s)
		}
		total := 0
		for _, v := range voices {
			h := e.check(voices...)[v.name]
			t.Logf("%s has the packets of %s from %d to %d", e.by.name, v.name, h.from, h.to)
			if least := int((span-2*time.Second-f.slack())/time.Second) * 50; h.to-h.from < least {
				t.Errorf("%s has %d packets of %s, want %d at least", e.by.name, h.to-h.from, v.name, least)
			}
			total += h.to - h.from
		}
		if total != int(s.Frames) {
			t.Errorf("%s says that it heard %d frames, and recorded %d", e.by.name, s.Frames, total)
		}
	}
	for _, talk := range talks {
		talk.stop(syscall.SIGINT, endsWithin)
		talk.says(0, "event", "summary", nil)
	}
}

// TestRelayKilled kills the process that relays while three speak: first the
// founder's, which comes back, then that of whoever relays then.
func TestRelayKilled(t *testing.T) {
	f := newFederation(t)
	nodes := f.five()
	ana := nodes[0]
	o, _ := ana.open("Why the sky is dark", "--stage", "open")
	room := o.Room
	f.until(listedWithin, "the room is listed", listedBy(room, nodes))
	ears := []*ear{nodes[3].record(room), nodes[4].record(room)}
	var talks []*talker
	for _, n := range nodes[:3] {
		talks = append(talks, n.speak(room, f.numbered(n.name)))
	}
	f.until(attachedWithin, "all are heard", f.heardOn(1, ears, talks))
	f.until(attachedWithin, "all are attached", ready(room, nodes))

	f.founderRelays(room, nodes)
	rest := nodes[1:]
	relay, term := f.kill(room, ana, rest)
	for _, n := range rest {
		if !n.listed(room) {
			t.Errorf("%s no longer lists the room", n.name)
		}
	}

	// Somebody who never met the founder finds the room, and hears.
	fitri := f.up("fitri", nodes[1])
	f.until(listedWithin, "the room is listed for who comes now", listedBy(room, []*liveNode{fitri}))
	ears = append(ears, fitri.record(room))
	f.until(attachedWithin, "all are heard on", f.heardOn(25, ears, talks))

	// The founder comes back by what its home remembers, finds its room, and
	// moves nobody. On a machine that is slow to connect it may claim the room
	// before it hears of the others, and yield or win: then the relay claims once more.
	ana = f.upAt(ana.home, "ana")
	back := f.until(attachedWithin, "the founder is back in its room", func() bool {
		v := ana.views[room]
		return (v.Relay == relay.PeerID || raced || f.busy()) && ana.attached(room)
	})
	t.Logf("the founder is back in its room after %d ms", back.Milliseconds())
	if v := ana.shows(room); v.Relay != relay.PeerID && !raced && !f.busy() || v.Host != ana.PeerID || !ana.listed(room) {
		t.Errorf("the founder is shown %+v", v)
	}
	nodes = append(slices.Clone(rest), fitri, ana)
	f.until(attachedWithin, "all are attached", ready(room, nodes))
	again, now := f.relayOf(room, nodes)
	if !raced && !f.busy() && again != relay {
		t.Errorf("since the founder is back %s relays (term %d), where %s did (term %d)", again.name, now, relay.name, term)
	}

	// Now founder and relay are two.
	f.kill(room, again, without(nodes, again))
	f.until(attachedWithin, "all are heard on", f.heardOn(50, ears, talks))
	for _, e := range ears {
		if !e.by.gone() {
			e.enough(talks)
		}
	}
}

// founderRelays checks that the first of these nodes does, unless the machine is busy: a node that stands still
// for a second and a half is replaced.
func (f *federation) founderRelays(room string, nodes []*liveNode) {
	f.Helper()
	if relay, term := f.relayOf(room, nodes); relay != nodes[0] && (raced || f.busy()) {
		f.Logf("the founder was too slow to relay: %s does, in term %d", relay.name, term)
	} else if relay != nodes[0] {
		f.Fatalf("%s relays in term %d, not the founder, who opened the room and has not stopped", relay.name, term)
	}
}

// kill kills a node's process, which relays a room, waits until the rest have another
// relay, and gives that and its term.
func (f *federation) kill(room string, goes *liveNode, rest []*liveNode) (*liveNode, uint64) {
	f.Helper()
	before, term := f.relayOf(room, append(slices.Clone(rest), goes))
	if before != goes {
		term = 0
	}
	goes.kill()
	took := f.until(electedWithin, "another relay", settled(room, term, rest))
	next, term := f.relayOf(room, rest)
	f.Logf("%s relays (term %d) %d ms after %s was killed", next.name, term, took.Milliseconds(), goes.name)
	return next, term
}

// TestOneAfterAnotherStops stops the standby, the relay, then each new relay
// until one speaker and one listener are left.
func TestOneAfterAnotherStops(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	nodes := f.five()
	o, _ := nodes[0].open("Musical chairs", "--stage", "open")
	room := o.Room
	f.until(listedWithin, "the room is listed", listedBy(room, nodes))
	talks := []*talker{nodes[1].speak(room, f.numbered("budi"))}
	ears := []*ear{nodes[2].record(room)}
	for _, n := range nodes[3:] {
		n.record(room)
	}
	f.until(attachedWithin, "the speaker is heard", f.heardOn(1, ears, talks))
	for i := 0; len(nodes) > 2; i++ {
		f.until(attachedWithin, "all are attached", ready(room, nodes))
		goes := nodes[0]
		for _, n := range nodes { // whose chair it is, unless it has to stay
			v := goes.views[room]
			if stays := n == talks[0].by || n == ears[0].by; !stays && (n.PeerID == v.Relay || i == 0 && n.PeerID == v.Standby) {
				goes = n
			}
		}
		if goes == talks[0].by || goes == ears[0].by {
			goes = nodes[slices.IndexFunc(nodes, func(n *liveNode) bool { return n != talks[0].by && n != ears[0].by })]
		}
		v := goes.shows(room)
		t.Logf("%s stops (relay: %v, standby: %v)", goes.name, v.Relay == goes.PeerID, v.Standby == goes.PeerID)
		goes.stop(syscall.SIGTERM, endsWithin)
		nodes = without(nodes, goes)
		f.until(attachedWithin, "the speaker is heard on", f.heardOn(100, ears, talks))
	}
	ears[0].enough(talks)
}

// TestNobodySpeaks leaves a room alone: nothing moves, and next to nothing is
// sent.
func TestNobodySpeaks(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	nodes := f.five()
	o, _ := nodes[0].open("Silence", "--stage", "open")
	f.until(listedWithin, "the room is listed", listedBy(o.Room, nodes))
	for _, n := range nodes[2:] {
		n.record(o.Room)
	}
	in := without(nodes, nodes[1])
	f.until(attachedWithin, "all are attached", ready(o.Room, in))
	relay, term := f.relayOf(o.Room, in)
	links := make([]int, len(in))
	for i, n := range in {
		links[i] = len(n.shows(o.Room).Links)
	}
	meter := f.measure(nodes)
	span := length(10*time.Second, 30*time.Second)
	f.throughout(span, func() string {
		if raced || f.busy() {
			return ""
		}
		for _, n := range in {
			if v := n.views[o.Room]; v.Relay != relay.PeerID || v.Term != term {
				return n.name + " sees another relay"
			} else if !n.attached(o.Room) {
				return n.name + " lost a link"
			}
		}
		return ""
	})
	meter.silent(span)
	for i, n := range in {
		if now := len(n.shows(o.Room).Links); now < links[i] && !raced && !f.busy() {
			t.Errorf("%s has %d links in the room, had %d", n.name, now, links[i])
		}
	}
}

// TestGoodbye ends nodes by SIGTERM: at once, and others don't wait for a
// timeout.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	ana := f.up("ana")
	nodes := []*liveNode{ana, f.up("budi", ana), f.up("citra", ana), f.up("dewi", ana)}
	o, _ := ana.open("Goodbye", "--stage", "open")
	room := o.Room
	f.until(listedWithin, "the room is listed", listedBy(room, nodes))
	ears := []*ear{nodes[2].record(room), nodes[3].record(room)}
	talks := []*talker{nodes[1].speak(room, f.numbered("budi"))}
	f.until(attachedWithin, "the speaker is heard", f.heardOn(1, ears, talks))
	f.until(attachedWithin, "all are attached", ready(room, nodes))

	// A listener goes: at once nobody shows it any more.
	dewi := nodes[3]
	dewi.signal(syscall.SIGTERM)
	rest := nodes[:3]
	told := f.until(toldWithin, "dewi has left", func() bool { return !f.anyShows(room, dewi, rest) })
	ended := dewi.endsWell(endsWithin)
	t.Logf("others saw a listener go after %d ms, its process ended %d ms later", told.Milliseconds(), ended.Milliseconds())

	// The relay goes: at once another one is there.
	f.until(attachedWithin, "all are attached", ready(room, rest))
	relay, term := f.relayOf(room, rest)
	rest = without(rest, relay)
	relay.signal(syscall.SIGTERM)
	took := f.until(toldWithin, "another relay", settled(room, term, rest))
	relay.endsWell(endsWithin)
	f.until(toldWithin, "the relay has left", func() bool { return !f.anyShows(room, relay, rest) })
	t.Logf("another node relays %d ms after the relay was told to end", took.Milliseconds())
	if relay != ears[0].by && relay != talks[0].by {
		f.until(attachedWithin, "the speaker is heard on", f.heardOn(25, ears[:1], talks))
		ears[0].enough(talks)
	}
}

// anyShows says whether one of these nodes shows a member. It is called under
// the lock.
func (f *federation) anyShows(room string, member *liveNode, to []*liveNode) bool {
	return slices.ContainsFunc(to, func(n *liveNode) bool {
		return slices.ContainsFunc(n.views[room].Members, func(m web.Member) bool { return m.Peer == member.PeerID })
	})
}

// TestStage lets on a host's stage whom the host named, shows who records, and
// closes and reopens the room.
func TestStage(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	ana := f.up("ana")
	budi, citra := f.up("budi", ana), f.up("citra", ana)
	nodes := []*liveNode{ana, budi, citra}
	o, _ := ana.open("By invitation", "--speaker", budi.PeerID)
	f.until(listedWithin, "the room is listed", listedBy(o.Room, nodes))

	talk := f.numbered("budi")
	ears := []*ear{citra.record(o.Room)}
	if code := citra.refused("speak", o.Room, talk.file); code != protocol.CodeNotOnStage {
		t.Errorf("who was not invited to speak is told %q", code)
	}
	talks := []*talker{budi.speak(o.Room, talk)}
	f.until(attachedWithin, "the guest is heard", f.heardOn(25, ears, talks))
	f.until(attachedWithin, "everyone sees who records, and who speaks", func() bool {
		return !slices.ContainsFunc(nodes, func(n *liveNode) bool {
			var right int
			for _, m := range n.views[o.Room].Members {
				if m.Peer == citra.PeerID && m.Recording || m.Peer == budi.PeerID && m.Role == "speaker" && !m.Recording {
					right++
				}
			}
			return right != 2
		})
	})
	if v := ana.shows(o.Room); !slices.ContainsFunc(v.Members, func(m web.Member) bool { return m.Name == "citra" && m.Recording }) {
		t.Errorf("the host is not shown who records: %+v", v.Members)
	}

	// Closed, it is silent and nobody's; reopened, it is there under its link.
	ana.call("close", o.Room)
	if s := ears[0].ends(patience); !raced && ears[0].complete(s) {
		ears[0].check(talk)
	}
	f.until(attachedWithin, "the room is gone from the lists", func() bool {
		return !slices.ContainsFunc(nodes[1:], func(n *liveNode) bool { _, ok := n.rooms[o.Room]; return ok })
	})
	if code := citra.refused("listen", o.Link); code != protocol.CodeClosedRoom {
		t.Errorf("who would listen to a closed room is told %q", code)
	}
	ana.call("reopen", o.Room)
	f.until(listedWithin, "the room is listed again", listedBy(o.Room, nodes))
	ears = []*ear{citra.record(o.Link, "--force")}
	talks = []*talker{budi.speak(o.Room, talk)}
	f.until(attachedWithin, "the guest is heard again", f.heardOn(25, ears, talks))
	ears[0].enough(talks)
}

// TestUnlisted finds a room by its link, and not otherwise.
func TestUnlisted(t *testing.T) {
	t.Parallel()
	f := newFederation(t)
	ana := f.up("ana")
	budi, citra := f.up("budi", ana), f.up("citra", ana)
	o, _ := ana.open("Just us", "--unlisted")
	after, _ := ana.open("For all") // what is announced later is there
	f.until(listedWithin, "the listed room is listed", listedBy(after.Room, []*liveNode{budi, citra}))
	var tries []*process
	for _, n := range []*liveNode{budi, citra} {
		if n.listed(o.Room) {
			t.Errorf("%s lists the unlisted room", n.name)
		}
		tries = append(tries, n.start("listen", o.Room))
	}
	for _, p := range tries {
		if code := p.refusal(); code != protocol.CodeUnknownRoom {
			t.Errorf("who has no link is told %q", code)
		}
	}
	ears := []*ear{budi.record(o.Link)}
	talks := []*talker{ana.speak(o.Room, f.numbered("ana"))}
	f.until(attachedWithin, "who has the link hears", f.heardOn(25, ears, talks))
	if citra.listed(o.Room) {
		t.Error("citra lists the unlisted room since budi is in it")
	}
	ears[0].enough(talks)
}
