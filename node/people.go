package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/node/people"
	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// maxBlock bounds a block's life, if it has one.
const maxBlock = 366 * 24 * time.Hour

// People gives whom this node's person has noted.
func (n *Node) People(ctx context.Context) ([]web.Person, error) {
	names := n.namesHere(ctx)
	out := []web.Person{}
	for _, note := range n.people.Notes() {
		out = append(out, shownPerson(note, names[note.Peer]))
	}
	return out, nil
}

func shownPerson(note people.Note, name protocol.Name) web.Person {
	p := web.Person{Peer: note.Peer.String(), Name: name, Petname: note.Petname, Followed: note.Followed, Blocked: note.Blocked}
	if note.Blocked && !note.Until.IsZero() {
		until := note.Until.UTC()
		p.BlockedUntil = &until
	}
	return p
}

// namesHere gives what those call themselves who are, or were, in a room that this
// node is in.
func (n *Node) namesHere(ctx context.Context) map[protocol.PeerID]protocol.Name {
	names := map[protocol.PeerID]protocol.Name{}
	for _, c := range n.carriedRooms() {
		v, err := c.room.View(ctx)
		if err != nil {
			continue // it has ended
		}
		for p, name := range v.Names {
			if name != "" {
				names[p] = name
			}
		}
	}
	return names
}

// Note changes what this node's person keeps about somebody.
func (n *Node) Note(ctx context.Context, r web.NoteRequest) (web.Person, error) {
	names := n.namesHere(ctx)
	p, err := n.who(r.Who, names)
	if err != nil {
		return web.Person{}, err
	}
	if p == n.self {
		return web.Person{}, badRequest("that is you", nil)
	}
	alter, err := n.alteration(p, r)
	if err != nil {
		return web.Person{}, err
	}
	note, err := n.people.Change(p, alter)
	if errors.Is(err, people.ErrFull) {
		return web.Person{}, &protocol.Problem{Code: protocol.CodeBadRequest, Message: fmt.Sprintf("you keep notes about %d people, and more don't fit", people.MaxNotes),
			Hint: "let some go: earshot unfollow, earshot unblock", Cause: err}
	}
	if err != nil {
		return web.Person{}, err
	}
	if r.Block != nil {
		for _, c := range n.carriedRooms() {
			c.room.ShowAgain(p)
		}
	}
	n.changed()
	return shownPerson(note, names[p]), nil
}

// alteration reads what a request is to change.
func (n *Node) alteration(p protocol.PeerID, r web.NoteRequest) (func(*people.Note), error) {
	life := time.Duration(r.ForMS) * time.Millisecond
	if r.ForMS < 0 || r.ForMS > maxBlock.Milliseconds() {
		return nil, badRequest(fmt.Sprintf("a block lasts at most %.0f days; without a time, until it is lifted", maxBlock.Hours()/24), nil)
	}
	petname := protocol.Name("")
	if r.Petname != nil && *r.Petname != "" {
		var err error
		if petname, err = protocol.ParseName(string(*r.Petname)); err != nil {
			return nil, badRequest(fmt.Sprintf("a name has 1 to %d bytes of printable text", protocol.MaxNameBytes), err)
		}
		if others := slices.DeleteFunc(n.people.Called(string(petname)), func(q protocol.PeerID) bool { return q == p }); len(others) > 0 {
			return nil, badRequest(fmt.Sprintf("you call somebody else %q already", petname), nil)
		}
	}
	return func(note *people.Note) {
		if r.Petname != nil {
			note.Petname = petname
		}
		if r.Follow != nil {
			note.Followed = *r.Follow
		}
		if r.Block != nil {
			note.Blocked, note.Until = *r.Block, time.Time{}
		}
		if life > 0 {
			note.Until = n.cfg.Wall().Add(life)
		}
	}, nil
}

// who finds the one whom a person means: by peer ID or the beginning of one, by
// petname, or by a name in a room here. Two whom it fits are one too many: somebody
// may have taken the name in order to be meant.
func (n *Node) who(word string, names map[protocol.PeerID]protocol.Name) (protocol.PeerID, error) {
	if p, err := peer.Decode(word); err == nil {
		if _, err := protocol.PeerKey(p); err == nil {
			return p, nil
		}
	}
	if word == "" {
		return "", n.nobodyCalled(word) // what has no name is not meant
	}
	found := n.people.Called(word)
	add := func(p protocol.PeerID, name protocol.Name) {
		if (strings.EqualFold(string(name), word) || len(word) >= 8 && strings.HasPrefix(p.String(), word)) && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	for p, name := range names {
		add(p, name)
	}
	for _, note := range n.people.Notes() {
		add(note.Peer, note.Petname)
	}
	for _, e := range n.directory.Rooms() {
		add(e.Genesis.Founder, "")
	}
	switch len(found) {
	case 0:
		return "", n.nobodyCalled(word)
	case 1:
		return found[0], nil
	}
	ids := make([]string, len(found))
	for i, p := range found {
		ids[i] = p.String()
	}
	slices.Sort(ids)
	return "", &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: fmt.Sprintf("%d are called %q", len(found), word), Hint: "give one's peer ID: " + strings.Join(ids[:min(len(ids), 4)], ", ")}
}

// nobodyCalled says that nobody is called so. Announcements carry nobody's name: who
// looks at the list of rooms may give a room's title, or its ID, for its host.
func (n *Node) nobodyCalled(word string) error {
	p := &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: fmt.Sprintf("nobody here is called %q", word),
		Hint: "give the peer ID: earshot room ROOM --json lists those who are in a room, earshot rooms --json the hosts of all"}
	var meant []discovery.Entry
	for _, e := range n.directory.Rooms() {
		if strings.EqualFold(e.Listing.Title, word) || len(word) >= 4 && strings.HasPrefix(e.Room.String(), strings.ToLower(word)) {
			meant = append(meant, e)
		}
	}
	if len(meant) == 1 {
		p.Hint = fmt.Sprintf("a room is: its host is %s; the room itself is followed by: earshot follow --room %s", meant[0].Genesis.Founder, meant[0].Room.Short())
	}
	return p
}

// addPeople shows in a room what this node's person keeps about those in it, and
// whose names look alike. The view's members are these, in this order.
func (n *Node) addPeople(v *web.RoomView, members []room.Member) {
	var all []people.Named
	for _, note := range n.people.Notes() {
		if note.Petname != "" {
			all = append(all, people.Named{Peer: note.Peer, Name: note.Petname})
		}
	}
	for _, m := range members {
		all = append(all, people.Named{Peer: m.Peer, Name: m.Presence.Name})
	}
	alike := people.Alike(all)
	for i := range v.Members {
		m, note := &v.Members[i], n.people.Of(members[i].Peer)
		m.Petname, m.Followed, m.Blocked, m.SimilarTo = note.Petname, note.Followed, note.Blocked, []string{}
		for _, other := range alike[members[i].Peer] {
			m.SimilarTo = append(m.SimilarTo, other.String())
		}
		if note.Blocked {
			m.Hand, m.WaitingMS = 0, 0
		}
	}
}

// noted says whether this node's person keeps a name for somebody, or follows them.
func (n *Node) noted(p protocol.PeerID) bool {
	note := n.people.Of(p)
	return note.Petname != "" || note.Followed
}

// addKnown shows of each room whether its founder is anybody to this node's person:
// noted, themselves, met in a room that this node is in, whose names these are, or
// heard of before for a while.
func (n *Node) addKnown(lines []web.RoomLine, names map[protocol.PeerID]protocol.Name) {
	for i := range lines {
		p, err := peer.Decode(lines[i].Host)
		_, met := names[p]
		lines[i].Known = err == nil && (met || p == n.self || n.noted(p) || n.met.Before(p))
	}
}

// addFollowed shows of a room in the directory who of those whom this node's person
// follows opened or announces it; more announcements don't say.
func (n *Node) addFollowed(l *web.RoomLine, founder protocol.PeerID, announcers []discovery.Announcer) {
	host := n.people.Of(founder)
	l.HostPetname, l.Followed = host.Petname, []web.Followed{}
	if host.Followed {
		l.Followed = append(l.Followed, web.Followed{Peer: l.Host, Petname: host.Petname, Host: true})
	}
	for _, a := range announcers {
		if note := n.people.Of(a.Peer); note.Followed && a.Peer != founder {
			l.Followed = append(l.Followed, web.Followed{Peer: a.Peer.String(), Petname: note.Petname})
		}
	}
}

// unblocked is a listener on this machine that is not given the voices of those
// whom this node's person has blocked. To other nodes they go on.
type unblocked struct {
	relay.Sink
	c *carried
}

// Send passes on what is to be heard.
func (u *unblocked) Send(f *protocol.Frame) bool {
	by, _ := u.c.opened.get(f.Source)
	return u.c.n.people.Blocked(by.owner) || u.Sink.Send(f)
}
