package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// What people do in a room of a federation.

// open opens a room, and gives what is said of it, and when.
func (n *liveNode) open(args ...string) (o openedLine, at time.Time) {
	n.f.Helper()
	lines := n.call(append([]string{"open"}, args...)...)
	if len(lines) != 1 {
		n.f.Fatalf("open says %v", lines)
	}
	n.f.must(json.Unmarshal([]byte(lines[0].text), &o))
	return o, lines[0].at
}

// listed says whether `earshot rooms` shows the room.
func (n *liveNode) listed(room string) bool {
	n.f.Helper()
	return slices.ContainsFunc(n.call("rooms"), func(l spoken) bool {
		var line web.RoomLine
		n.f.must(json.Unmarshal([]byte(l.text), &line))
		return line.Room == room
	})
}

// shows gives what `earshot room` shows.
func (n *liveNode) shows(room string) (v web.RoomView) {
	n.f.Helper()
	for _, l := range n.call("room", room) {
		n.f.must(json.Unmarshal([]byte(l.text), &v))
	}
	return v
}

// talker is a node's person who speaks.
type talker struct {
	*process
	by     *liveNode
	script script
}

// speak starts a talk and waits until it goes out.
func (n *liveNode) speak(room string, s script) *talker {
	n.f.Helper()
	t := &talker{n.start("speak", room, s.file), n, s}
	t.says(attachedWithin, "event", "speaking", nil)
	return t
}

// ear is a node's person who records.
type ear struct {
	*process
	by   *liveNode
	file string
}

// record starts a recording and waits until it has joined.
func (n *liveNode) record(room string, more ...string) *ear {
	n.f.Helper()
	e := &ear{by: n, file: n.f.dir + "/" + n.name + ".ogg"}
	e.process = n.start(append([]string{"listen", room, "--out", e.file}, more...)...)
	e.says(attachedWithin, "event", "joined", nil)
	return e
}

// ends waits for the recording's end, and gives its figures.
func (e *ear) ends(within time.Duration) (s web.Summary) {
	e.f.Helper()
	e.endsWell(within)
	e.says(0, "event", "summary", &s)
	return s
}

// enough ends a recording and checks it: nothing was lost, and of those who
// still speak nothing was late.
func (e *ear) enough(talks []*talker) {
	e.f.Helper()
	e.signal(syscall.SIGINT)
	s := e.ends(endsWithin)
	if raced {
		return
	}
	complete := e.complete(s)
	var scripts []script
	for _, t := range talks {
		scripts = append(scripts, t.script)
		i := slices.IndexFunc(s.Sources, func(one web.SourceSummary) bool { return one.Peer == t.by.PeerID })
		switch {
		case i >= 0 && !t.by.gone():
			one := s.Sources[i]
			e.f.Logf("%s heard %d frames of %s, longest gap %d ms", e.by.name, one.Frames, t.by.name, one.LongestGapMS)
			if most := longestGapMS + e.f.slack().Milliseconds(); one.LongestGapMS >= most {
				e.f.Errorf("%s heard nothing of %s for %d ms, where %d is the most", e.by.name, t.by.name, one.LongestGapMS, most)
			}
		case !t.by.gone():
			e.f.Errorf("%s did not hear %s", e.by.name, t.by.name)
		}
	}
	if complete {
		e.check(scripts...)
	}
}

// excused is how many frames may be lost where the machine was busy all the time.
const excused = 25

// complete says whether nothing was lost, which must be so unless the machine is at fault.
func (e *ear) complete(s web.Summary) bool {
	e.f.Helper()
	switch {
	case s.Lost == 0:
		return true
	case s.Lost <= excused && e.f.busy():
		e.f.Logf("the machine was too busy: %s lost %d frames: %+v", e.by.name, s.Lost, s)
	default:
		e.f.Errorf("%s lost %d frames: %+v", e.by.name, s.Lost, s)
	}
	return false
}

// check walks the recording, in which each stream must be one speaker's, and
// each speaker have one, without a hole. It gives what is there of each.
func (e *ear) check(scripts ...script) map[string]passage {
	e.f.Helper()
	b, err := os.ReadFile(e.file)
	e.f.must(err)
	streams, err := walk(b)
	if err != nil {
		e.f.Errorf("%s: %v", e.file, err)
	}
	found := map[string]passage{}
	for _, stream := range streams {
		if !stream.ended || stream.goesOn {
			e.f.Errorf("%s: stream %08x has no end", e.file, stream.serial)
		}
		i := slices.IndexFunc(scripts, func(s script) bool { _, ok := s.in(stream); return ok })
		if i < 0 {
			e.f.Errorf("%s: the %d packets of stream %08x are nobody's without a hole", e.file, len(stream.sound()), stream.serial)
			continue
		}
		s := scripts[i]
		if _, twice := found[s.name]; twice {
			e.f.Errorf("%s: %s has two streams", e.file, s.name)
		}
		if head := stream.packets[:2]; !bytes.HasPrefix(head[0], []byte("OpusHead")) || !bytes.Contains(head[1], []byte("ARTIST="+s.name)) {
			e.f.Errorf("%s: the head of %s is %.80q", e.file, s.name, head)
		}
		found[s.name], _ = s.in(stream)
	}
	return found
}

// heardOn says whether everyone who still records has got so many more packets
// of everyone who still speaks.
func (f *federation) heardOn(more int, ears []*ear, talks []*talker) func() bool {
	type pair struct {
		e *ear
		t *talker
	}
	had := map[pair]int{}
	return func() bool {
		all := true
		for _, e := range ears {
			for _, t := range talks {
				if e.ended || t.ended || e.by.ended || t.by.ended {
					continue
				}
				n := t.script.heard(e.file)
				if before, known := had[pair{e, t}]; !known {
					had[pair{e, t}] = n
					all = false
				} else if n-before < more {
					all = false
				}
			}
		}
		return all
	}
}

// without gives the nodes but for one.
func without(nodes []*liveNode, one *liveNode) []*liveNode {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *liveNode) bool { return n == one })
}
