package node

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/node/guest"
	"github.com/earshot-audio/earshot/node/relay"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/rtc"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

// Guests says how the guest door is to be.
type Guests struct {
	Listen    string // HOST:PORT, an empty host is all of them; "": no door
	Cert, Key string // PEM files, for TLS; "": none
	Domain    string // whose certificate is asked for by ACME; "": none
	Max       int    // at once; 0: guest.MaxGuests
}

// certificates is where ACME's are kept, in the home.
const certificates = "certificates"

// newDoor opens the guest door, if the person wants one.
func (n *Node) newDoor() (err error) {
	g := n.cfg.Guests
	if g.Listen == "" {
		return nil
	}
	if n.cfg.RelayOnly {
		return &protocol.Problem{Code: protocol.CodeConfig, Message: "a node that hides (relay-only) can't have guests: they would learn its address",
			Hint: "leave one of the two out"}
	}
	cfg := guest.Config{Backend: reception{n}, Name: g.Domain, Max: g.Max, Changed: n.changed, Log: n.log}
	switch {
	case g.Domain != "":
		cfg.TLS = guest.Domain(g.Domain, filepath.Join(n.cfg.Home, certificates), nil)
	case g.Cert != "":
		if cfg.TLS, cfg.Name, err = guest.Certificate(g.Cert, g.Key); err != nil {
			return err
		}
	}
	if cfg.Listener, err = guest.Listen(g.Listen); err != nil {
		return err
	}
	n.door = guest.New(cfg)
	return nil
}

// receive lets guests in, if there is a door.
func (n *Node) receive(ctx context.Context) error {
	if n.door == nil {
		return nil
	}
	return n.door.Run(ctx)
}

// doorway is where guests' sound goes: in UDP, at the door's own address and port.
func (n *Node) doorway() netip.AddrPort {
	if n.door == nil {
		return netip.AddrPort{}
	}
	tcp, ok := n.door.Addr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return tcp.AddrPort()
}

// guestLink gives the address at which guests hear a room; "" without an open door.
func (n *Node) guestLink(link string) string {
	if n.door == nil || !n.door.IsOpen() {
		return ""
	}
	return n.door.Link(link)
}

func (n *Node) guestsIn(id protocol.RoomID) int {
	if n.door == nil {
		return 0
	}
	return n.door.Count(id)
}

// reception is the node as its guest door sees it.
type reception struct{ n *Node }

// Changes tells of whatever Room gives.
func (r reception) Changes() (<-chan struct{}, func()) { return r.n.changes.watch() }

// heard gives a room that guests may hear: one that this node is in.
func (r reception) heard(id protocol.RoomID) (*carried, error) {
	if _, closed := r.n.closedUntil(id); !closed {
		if c := r.n.room(id); c != nil {
			return c, nil
		}
	}
	return nil, &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "this node is in no such room"}
}

// Room gives what guests see of a room.
func (r reception) Room(ctx context.Context, id protocol.RoomID) (guest.Room, error) {
	c, err := r.heard(id)
	if err != nil {
		return guest.Room{}, err
	}
	v, err := c.room.View(ctx)
	if err != nil {
		return guest.Room{}, err
	}
	if v.Genesis == nil {
		return guest.Room{}, &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "nobody has told this node of the room yet"}
	}
	out := shownToGuests(id, r.n.viewOf(ctx, c, v, discovery.Entry{}))
	out.Door, out.Keeper, out.Named = keyText(r.n.self), guestsWord(id, r.n.self.String()), r.n.named(id, v)
	out.Paused = v.Lawful.Paused()
	out.Shut = out.Paused || v.Lawful.Locked()
	return out, nil
}

// Law gives what the door keeps of a room's law.
func (r reception) Law(ctx context.Context, id protocol.RoomID) (guest.Law, error) {
	c, err := r.heard(id)
	if err != nil {
		return guest.Law{}, err
	}
	law, err := c.room.GuestLaw(ctx)
	return guest.Law(law), err
}

// sendAway has a guest whom the room takes out hear nothing more of it.
func (c *carried) sendAway(p protocol.PeerID, banned bool) {
	if c.n.door != nil {
		c.n.door.SendAway(c.id, p, banned)
	}
}

// shownToGuests leaves out of a room who listens, where anybody is, and their keys.
func shownToGuests(id protocol.RoomID, v web.RoomView) guest.Room {
	out := guest.Room{Title: v.Title, Language: v.Language, Open: v.Stage == protocol.StageOpen.String()}
	for _, m := range v.Members {
		if m.Listening && m.GuestOf == "" {
			out.Listeners++
		}
		if !m.You { // the door counts its own
			out.Listeners += m.Guests
		}
		if m.Role != "host" && m.Role != "speaker" && !m.Speaking {
			continue
		}
		s := guest.Speaker{Who: guestsWord(id, m.Peer), Name: m.Name, Speaking: m.Speaking}
		for _, source := range v.Sources {
			if source.Peer == m.Peer {
				s.Sources = append(s.Sources, source.Source)
			}
		}
		out.Stage = append(out.Stage, s)
	}
	return out
}

// Play lets a guest listen. It takes a place of those that the upload bears, as a
// child does.
func (r reception) Play(ctx context.Context, v guest.Visit, offer string, closed func()) (guest.Session, error) {
	n := r.n
	c, err := r.heard(v.Room)
	if err != nil {
		return guest.Session{}, err
	}
	giveBack, ok := n.capacity.guest(v.From)
	if !ok {
		return guest.Session{}, &protocol.Problem{Code: protocol.CodeFullRoom, Message: "no upload is left for another guest"}
	}
	sink := localSinks + relay.SinkID(n.listeners.Add(1))
	c.uses(func(u *room.Use) { u.Listening++; u.Guests++ })
	left := func() {
		c.relay.RemoveSink(sink)
		c.uses(func(u *room.Use) { u.Listening--; u.Guests-- })
		giveBack()
	}
	s, answer, err := n.media.PlayGuest(ctx, rtc.Entry{Offer: offer, At: v.At, From: v.From}, rtc.Playing{Closed: func() { left(); closed() }})
	if err != nil {
		left()
		return guest.Session{}, badOffer(err)
	}
	e := &ears{Sink: s, c: c}
	c.relay.AddSink(sink, "", relay.Local, e)
	n.keepSession(s, c)
	return guest.Session{ID: s.ID(), Answer: answer, End: s.Close, Known: func(p protocol.PeerID) { e.of.Store(&p) }}, nil
}

// openDoor gives the door, or says how to have one.
func (n *Node) openDoor() (*guest.Door, error) {
	if n.door == nil {
		return nil, &protocol.Problem{Code: protocol.CodeNoDoor, Message: "this node has no guest door", Hint: "start it with: earshot up --guests"}
	}
	return n.door, nil
}

// Door gives the URL of the guest door; "": there is none, or it is shut.
func (n *Node) Door() string {
	if n.door == nil || !n.door.IsOpen() {
		return ""
	}
	return n.door.Address()
}

// Guests gives the guest door and who is in.
func (n *Node) Guests(ctx context.Context) (web.Guests, error) {
	d, err := n.openDoor()
	if err != nil {
		return web.Guests{}, err
	}
	out := web.Guests{Open: d.IsOpen(), Address: d.Address(), Max: d.Max(), Guests: []web.GuestLine{}}
	for _, g := range d.Guests() {
		l := web.GuestLine{ID: g.ID, Room: g.Room.String(), Address: g.From.String(), Since: g.Since.UTC().Truncate(time.Second)}
		if g.Who != "" {
			l.Peer, l.Name = g.Who.String(), n.calledIn(ctx, g.Room, g.Who)
		}
		out.Guests = append(out.Guests, l)
	}
	if !out.Open {
		return out, nil
	}
	for _, c := range n.carriedRooms() {
		v, err := c.room.View(ctx)
		if err != nil || v.Genesis == nil {
			continue // it has ended, or is not known yet
		}
		out.Rooms = append(out.Rooms, web.GuestRoom{Room: c.id.String(), Title: v.Genesis.Title, Link: d.Link(n.linkOf(c.id, discovery.Entry{}))})
	}
	slices.SortFunc(out.Rooms, func(a, b web.GuestRoom) int { return strings.Compare(a.Title+a.Room, b.Title+b.Room) })
	return out, nil
}

// OpenDoor lets guests in again.
func (n *Node) OpenDoor(context.Context) error {
	d, err := n.openDoor()
	if err == nil {
		d.Open()
	}
	return err
}

// ShutDoor sends all guests away, and lets none in.
func (n *Node) ShutDoor(context.Context) error {
	d, err := n.openDoor()
	if err == nil {
		d.Shut()
	}
	return err
}

// RemoveGuest sends one away.
func (n *Node) RemoveGuest(_ context.Context, id string) error {
	d, err := n.openDoor()
	if err == nil && !d.Remove(id) {
		err = &protocol.Problem{Code: protocol.CodeUnknownGuest, Message: "there is no guest " + id + ", or no longer", Hint: "earshot guests list shows them"}
	}
	return err
}

var _ guest.Backend = reception{}
