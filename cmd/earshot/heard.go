package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/node/web"
)

// told is an event of a listening; which fields mean something, its name says.
type told struct {
	web.Failure
	Peer    string `json:"peer"` // peer ID
	Name    string `json:"name"`
	Petname string `json:"petname"`
	Source  uint32 `json:"source"`
	MS      int64  `json:"ms"`
	Relay   string `json:"relay"` // peer ID
	Term    uint64 `json:"term"`
	web.Summary
}

// tell passes an event on: as it is to a script, in words to a person.
func (h *hearing) tell(text []byte) error {
	var e told
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("the node sent an event that is none: %w", err)
	}
	switch e.Event {
	case "summary":
		h.summary = &e.Summary
		return h.pass(text)
	case "joined":
		if h.joined {
			return h.pass(text)
		}
		h.joined = true
	case "error":
		return e.Failure.Problem()
	case "first_frame":
		h.names.learn(e.Source, speaker{e.Peer, e.Name})
	}
	if h.json {
		return h.pass(text)
	}
	return h.words(e)
}

// pass hands an event on to a script.
func (h *hearing) pass(text []byte) error {
	if !h.json {
		return nil
	}
	_, err := h.out.Write(append(text, '\n'))
	return err
}

// words tells a person of an event.
func (h *hearing) words(e told) error {
	at := h.faint(time.Now().Format("15:04:05"))
	switch e.Event {
	case "joined":
		return h.greet()
	case "first_frame":
		return h.sayTo("%s  hearing %s after %d ms\n", at, h.names.person(e.Peer, cmp.Or(e.Petname, e.Name)), e.MS)
	case "relay":
		if e.Relay == "" {
			return h.sayTo("%s  nobody carries the sound now\n", at)
		}
		return h.sayTo("%s  %s carries the sound\n", at, h.names.person(e.Relay, e.Name))
	case "gap":
		return h.sayTo("%s  a gap of %d ms in %s's voice\n", at, e.MS, h.names.person(e.Peer, e.Name))
	}
	return nil
}

// greet says where one is, and how to hear it.
func (h *hearing) greet() error {
	title := h.room
	view, err := h.names.view()
	if err == nil {
		title = view.Title
	}
	if h.recording != nil {
		return h.sayTo("Recording %s to %s; everybody there can see that. Ctrl-C ends it.\n", h.bold(title), h.recording.called())
	}
	return h.sayTo("In %s. The page plays it: %s\nOr hear it with: earshot listen %s --out - | ffplay -nodisp -\n",
		h.bold(title), h.pageAt(view.Room), shellWord(cmp.Or(shortRoom(view.Room), h.room)))
}

// pageAt opens the page at a room where a browser can show up, and says where it is.
func (h *hearing) pageAt(room string) string {
	address, err := h.page()
	if err != nil {
		return "earshot up" // says where it is
	}
	api, _, _ := strings.Cut(address, "/#")
	return h.openPage(readyLine{Page: address + "&room/" + room, API: api})
}

// sum tells a person what was heard.
func (h *hearing) sum(s web.Summary) error {
	if h.json {
		return nil // passed on as it came
	}
	if s.Frames == 0 {
		if err := h.sayTo("Nobody spoke in %s.\n", seconds(s.Seconds)); err != nil {
			return err
		}
	} else {
		if err := h.sayTo("Heard %s: %s frames, %s lost, %s resumed, longest gap %d ms.\n",
			seconds(s.Seconds), number(s.Frames), number(s.Lost), number(s.Resumed), s.LongestGapMS); err != nil {
			return err
		}
		for _, one := range s.Sources {
			if err := h.sayTo("  %-12s %s frames, %s lost\n", h.names.person(one.Peer, cmp.Or(string(one.Petname), one.Name)), number(one.Frames), number(one.Lost)); err != nil {
				return err
			}
		}
	}
	if h.recording == nil || !h.recording.toFile() {
		return nil
	}
	if !h.recording.begun {
		return h.sayTo("There is no recording: nothing was spoken.\n")
	}
	return h.sayTo("Recorded to %s. Play it: ffplay -nodisp %s\n", h.recording.name, shellWord(h.recording.name))
}

func seconds(s float64) string {
	if s < 60 {
		return fmt.Sprintf("%.1f s", s)
	}
	return clock(time.Duration(s * float64(time.Second)))
}

// speaker is whose a source is.
type speaker struct{ peer, name string }

// names knows whose sources are, and what people are called. What it was not
// told it asks the node for, once a source.
type names struct {
	ask     func() (web.RoomView, error)
	sources map[uint32]speaker
	people  map[string]string
}

func (n *names) learn(source uint32, who speaker) {
	if n.sources == nil {
		n.sources, n.people = make(map[uint32]speaker), make(map[string]string)
	}
	if who.name != "" {
		n.people[who.peer] = who.name
	}
	n.sources[source] = who
}

// of gives whose a source is.
func (n *names) of(source uint32) speaker {
	who, ok := n.sources[source]
	if ok && (who.name != "" || n.people[who.peer] != "") {
		if who.name == "" {
			who.name = n.people[who.peer]
			n.sources[source] = who
		}
		return who
	}
	view, err := n.view()
	if err == nil && !ok {
		for _, s := range view.Sources {
			if s.Source == source {
				who.peer = s.Peer
			}
		}
	}
	who.name = n.people[who.peer]
	if who.name == "" {
		who.name = shortPeer(who.peer)
	}
	n.learn(source, who)
	return who
}

// view asks for the room, and remembers what its people are called.
func (n *names) view() (web.RoomView, error) {
	view, err := n.ask()
	if err != nil {
		return view, err
	}
	if n.people == nil {
		n.sources, n.people = make(map[uint32]speaker), make(map[string]string)
	}
	for _, m := range view.Members {
		if m.Name != "" {
			n.people[m.Peer] = string(m.Name)
		}
	}
	return view, nil
}

// person is what to call a peer.
func (n *names) person(peer, name string) string {
	if name != "" {
		return name
	}
	if n.people[peer] == "" {
		_, _ = n.view() // its short ID will do if the node does not say
	}
	if known := n.people[peer]; known != "" {
		return known
	}
	return shortPeer(peer)
}
