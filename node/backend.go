package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// Status gives this node as it stands.
func (n *Node) Status(ctx context.Context) (web.Status, error) {
	name, _ := n.Peer()
	s := web.Status{Peer: name, PeerID: n.self.String(), Version: n.cfg.Version, Network: n.cfg.Network, API: n.web.Address(), Home: n.cfg.Home,
		UptimeMS: n.now().Milliseconds(), Neighbors: len(n.host.Network().Peers()), Addrs: []string{}, Rooms: []string{}, Links: []web.LinkLine{}, Warnings: []string{}}
	for _, a := range n.Addresses() {
		s.Addrs = append(s.Addrs, a.String())
	}
	for _, c := range n.carriedRooms() {
		s.Rooms = append(s.Rooms, c.id.String())
	}
	for _, p := range n.pairs.list() {
		s.Links = append(s.Links, n.linkLine(p, room.PathView{Peer: p}, ""))
	}
	s.Dropped, s.Upload = n.dropped(), n.capacity.status()
	if s.Door, s.HasDoor = n.Door(), n.door != nil; s.Door != "" {
		s.Guests = len(n.door.Guests())
	}
	s.Reach, s.Alone = shownReach(n.reach.State()), s.Neighbors == 0 && n.knows() == 0
	s.Demo = n.cfg.Cut != nil
	n.mu.Lock()
	s.Warnings = append(s.Warnings, n.warnings...)
	n.mu.Unlock()
	return s, nil
}

// Rooms gives what is live in the directory, what this node is in, and what is to
// come.
func (n *Node) Rooms(ctx context.Context) ([]web.RoomLine, error) {
	lines, names := []web.RoomLine{}, map[protocol.PeerID]protocol.Name{}
	seen := map[protocol.RoomID]bool{}
	for _, e := range n.directory.Rooms() {
		if e.Closed {
			continue
		}
		seen[e.Room] = true
		l := n.lineOf(e)
		n.addFollowed(&l, e.Genesis.Founder, e.Announcers)
		l.Speakers, l.Listeners = int(e.Speakers), int(e.Listeners)
		if c := n.room(e.Room); c != nil {
			l.Joined = true
			if v, err := c.room.View(ctx); err == nil {
				n.asIs(&l, v.Lawful)
				maps.Copy(names, v.Names)
			}
		}
		lines = append(lines, l)
	}
	for _, c := range n.carriedRooms() {
		v, err := c.room.View(ctx)
		if err != nil || v.Genesis == nil || seen[c.id] {
			continue
		}
		l := n.roomLine(v.Genesis, n.linkOf(c.id, discovery.Entry{}))
		n.addFollowed(&l, v.Genesis.Founder, nil)
		l.Joined = true
		n.asIs(&l, v.Lawful)
		maps.Copy(names, v.Names)
		for _, m := range v.Members {
			if m.Presence.Speaking || m.Role == "host" {
				l.Speakers++
			} else if m.Presence.Listening {
				l.Listeners++
			}
		}
		lines = append(lines, l)
	}
	lines = append(lines, n.comingLines()...)
	n.addKnown(lines, names)
	return lines, nil
}

// comingLines gives the rooms that are closed until a time.
func (n *Node) comingLines() (lines []web.RoomLine) {
	add := func(l web.RoomLine) {
		l.State, l.Closed = web.StateComing, true
		lines = append(lines, l)
	}
	own := n.calendar.all()
	for _, e := range n.directory.Coming() {
		if _, ours := own[e.Room]; ours || n.room(e.Room) != nil {
			continue
		}
		l := n.lineOf(e)
		n.addFollowed(&l, e.Genesis.Founder, nil)
		add(l)
	}
	for id, a := range own {
		l := n.roomLine(a.genesis, n.linkOf(id, discovery.Entry{}))
		n.addFollowed(&l, n.self, nil)
		show(&l, a.listing)
		add(l)
	}
	slices.SortFunc(lines, func(a, b web.RoomLine) int {
		return cmp.Or(a.Next.Compare(*b.Next), strings.Compare(a.Room, b.Room))
	})
	return lines
}

// lineOf gives a room as the directory has it.
func (n *Node) lineOf(e discovery.Entry) web.RoomLine {
	l := n.roomLine(e.Genesis, n.linkOf(e.Room, e))
	show(&l, e.Listing)
	l.Listed = true
	return l
}

func (n *Node) roomLine(g *protocol.Genesis, link string) web.RoomLine {
	return web.RoomLine{Room: g.Room.String(), Title: g.Title, Link: link, Host: g.Founder.String(), Language: g.Language,
		Topics: slices.Concat([]string{}, g.Topics), Started: g.Created, Stage: g.Stage.String(), Listed: !g.Unlisted, State: web.StateLive, Following: n.followed.Follows(g.Room)}
}

// show shows what is announced of a room.
func show(l *web.RoomLine, as protocol.Listing) {
	l.Title, l.Language, l.Topics, l.Locked, l.Next = as.Title, as.Language, append([]string{}, as.Topics...), as.Locked, said(as.Next)
}

// said gives a time as JSON shows it; nil if it is not said.
func said(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// asIs shows what the log has made of a room since its genesis.
func (n *Node) asIs(l *web.RoomLine, lawful *roster.Roster) {
	if lawful != nil {
		show(l, n.ahead(lawful.Listing()))
		l.Stage = lawful.Stage().String()
	}
}

// ahead leaves out a next time that is over by now.
func (n *Node) ahead(l protocol.Listing) protocol.Listing {
	if !l.Next.After(n.cfg.Wall()) {
		l.Next = time.Time{}
	}
	return l
}

// linkOf makes a link to a room: its hints are this node, if it is in the room or
// is to open it, those who announce it, and neighbours that anybody can reach.
func (n *Node) linkOf(id protocol.RoomID, e discovery.Entry) string {
	l := protocol.Link{Room: id, Network: n.cfg.Network}
	_, coming := n.calendar.listing(id)
	if (n.room(id) != nil || coming) && !n.cfg.RelayOnly {
		l.Peers = append(l.Peers, peer.AddrInfo{ID: n.self, Addrs: n.addresses()})
	}
	for _, a := range e.Announcers {
		if a.Peer != n.self {
			l.Peers = append(l.Peers, peer.AddrInfo{ID: a.Peer, Addrs: a.Addresses})
		}
	}
	// Whoever knows nobody gets in through anyone; those that anybody can reach
	// outlast the rest.
	for _, p := range n.reach.PublicNeighbours() {
		if !slices.ContainsFunc(l.Peers, func(q peer.AddrInfo) bool { return q.ID == p.ID }) {
			p.Addrs = protocol.BestFirst(p.Addrs)
			l.Peers = append(l.Peers, p)
		}
	}
	return l.String()
}

// Changes tells of whatever Rooms, Room or Status show.
func (n *Node) Changes() (<-chan struct{}, func()) { return n.changes.watch() }

// Open founds a room.
func (n *Node) Open(ctx context.Context, r web.OpenRequest) (web.Opened, error) {
	g := &protocol.Genesis{Language: strings.TrimSpace(r.Language), Unlisted: r.Unlisted, Created: n.cfg.Wall(), Network: n.cfg.Network}
	err := n.mayHost()
	if err != nil {
		return web.Opened{}, err
	}
	if g.Title, err = protocol.CleanTitle(r.Title); err != nil || g.Title == "" {
		return web.Opened{}, badRequest("a title has 1 to 120 bytes of printable text", err)
	}
	if g.Stage, err = protocol.ParseStage(r.Stage); err != nil {
		return web.Opened{}, badRequest("a stage is host or open", err)
	}
	for _, t := range r.Topics {
		t, err := protocol.CleanTopic(t)
		if err != nil {
			return web.Opened{}, badRequest("a topic has 1 to 20 bytes of printable text", err)
		}
		g.Topics = append(g.Topics, t)
	}
	next, err := n.timeToCome(r.At)
	if err != nil {
		return web.Opened{}, err
	}
	if !next.IsZero() {
		g.Created = next // it is shown as since when the room is live
	}
	var speakers []protocol.PeerID
	for _, s := range r.Speakers {
		p, err := n.peerNamed(ctx, s)
		if err != nil {
			return web.Opened{}, err
		}
		speakers = append(speakers, p)
	}
	_, _ = rand.Read(g.Salt[:]) // never fails (crypto/rand)
	if err := g.Seal(n.key); err != nil {
		return web.Opened{}, badRequest("title, language and topics must be short printable text (at most 3 topics)", err)
	}
	kept, err := n.keepFounded(g, speakers, next)
	if next.IsZero() {
		return n.enterOwn(ctx, entry{id: g.Room, genesis: g, fresh: true, speakers: speakers})
	}
	if err != nil {
		return web.Opened{}, err
	}
	n.desk.Lock()
	defer n.desk.Unlock()
	if err := n.schedule(kept); err != nil {
		return web.Opened{}, err
	}
	n.changed()
	return n.opened(g, said(next)), nil
}

// mayHost says whether this node may have rooms of its own: who hides can't.
func (n *Node) mayHost() error {
	if !n.cfg.RelayOnly {
		return nil
	}
	return &protocol.Problem{Code: protocol.CodeBadRequest, Message: "with --relay-only this node carries no room, not its own either",
		Hint: "start it without, or let a friend's node open the room"}
}

func (n *Node) enterOwn(ctx context.Context, e entry) (web.Opened, error) {
	c, err := n.enter(e)
	if err != nil {
		return web.Opened{}, err
	}
	wait, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	if err := c.room.Joined(wait); err != nil {
		return web.Opened{}, err
	}
	return n.opened(e.genesis, nil), nil
}

// opened tells who opened a room of it.
func (n *Node) opened(g *protocol.Genesis, next *time.Time) web.Opened {
	o := web.Opened{Room: g.Room.String(), Link: n.linkOf(g.Room, discovery.Entry{}), Next: next}
	o.GuestLink = n.guestLink(o.Link)
	o.Notice = "Anyone can see this room and your Internet address."
	if g.Unlisted {
		o.Notice = "Only people with the link find this room; they can see your Internet address."
	}
	return o
}

func badRequest(message string, cause error) error {
	return &protocol.Problem{Code: protocol.CodeBadRequest, Message: message, Cause: cause}
}

// peerNamed reads a peer ID, or the name of somebody in a room here.
func (n *Node) peerNamed(ctx context.Context, s string) (protocol.PeerID, error) {
	if p, err := peer.Decode(s); err == nil {
		if _, err := protocol.PeerKey(p); err == nil {
			return p, nil
		}
	}
	found := map[protocol.PeerID]bool{}
	for _, c := range n.carriedRooms() {
		v, err := c.room.View(ctx)
		if err != nil {
			continue
		}
		for _, m := range v.Members {
			if strings.EqualFold(string(m.Presence.Name), s) || len(s) >= 8 && strings.HasPrefix(m.Peer.String(), s) {
				found[m.Peer] = true
			}
		}
	}
	for p := range found {
		if len(found) == 1 {
			return p, nil
		}
	}
	return "", &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: "nobody here is called " + s, Hint: "give the peer ID that their earshot status shows"}
}

// Room gives a room as this node sees it; one that it is not in, as the
// directory does.
func (n *Node) Room(ctx context.Context, name string) (web.RoomView, error) {
	e, err := n.find(name)
	if err != nil {
		return web.RoomView{}, err
	}
	d, listed := n.directory.Room(e.id)
	c := n.room(e.id)
	if c == nil {
		return n.viewFromAfar(e, d, listed)
	}
	v, err := c.room.View(ctx)
	if err != nil {
		return web.RoomView{}, err
	}
	if v.Genesis == nil {
		return web.RoomView{}, unknownRoom(nil)
	}
	return n.viewOf(ctx, c, v, d), nil
}

func (n *Node) viewFromAfar(e entry, d discovery.Entry, listed bool) (web.RoomView, error) {
	if e.genesis == nil {
		return web.RoomView{}, &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "this room is not known here", Hint: "earshot listen joins it by its link"}
	}
	out := emptyView(e.genesis)
	out.Link, out.Following, out.State = n.linkOf(e.id, d), n.followed.Follows(e.id), web.StateLive
	next, closed := n.closedUntil(e.id)
	switch {
	case closed && next.IsZero():
		out.Closed, out.State = true, web.StateClosed
	case closed:
		out.Closed, out.State = true, web.StateComing
	}
	if as, ok := n.listing(e.id, d, listed); ok {
		out.Title, out.Language, out.Topics, out.Locked, out.Next = as.Title, as.Language, append([]string{}, as.Topics...), as.Locked, said(as.Next)
	}
	if closed && e.genesis.Founder == n.self {
		out.YouMay = append([]string{"reopen"}, actsWhileClosed()...)
	}
	if listed && len(d.Announcers) > 0 && !closed {
		out.Relay = d.Announcers[0].Peer.String()
	}
	return out, nil
}

// listing gives what a room that this node is not in is now: its own by its log,
// another's by the directory.
func (n *Node) listing(id protocol.RoomID, d discovery.Entry, listed bool) (protocol.Listing, bool) {
	if l, coming := n.calendar.listing(id); coming {
		return l, true
	}
	if r, ok := n.stored(id); ok && r.Mine && r.Closed {
		if log, err := n.shelvedLog(r); err == nil {
			return n.ahead(log.Roster().Listing()), true
		}
	}
	return d.Listing, listed
}

func emptyView(g *protocol.Genesis) web.RoomView {
	return web.RoomView{Room: g.Room.String(), Title: g.Title, Host: g.Founder.String(), Stage: g.Stage.String(), Language: g.Language,
		Topics: slices.Concat([]string{}, g.Topics), Started: g.Created, Listed: !g.Unlisted,
		Members: []web.Member{}, Links: []web.LinkLine{}, Sources: []web.SourceLine{}, Dropped: map[string]int64{}}
}

func (n *Node) viewOf(ctx context.Context, c *carried, v room.View, d discovery.Entry) web.RoomView {
	out := emptyView(v.Genesis)
	n.addLaw(&out, v)
	out.Link, out.State, out.Following = n.linkOf(c.id, d), web.StateLive, n.followed.Follows(c.id)
	out.Guests, out.GuestLink = n.guestsIn(c.id), n.guestLink(out.Link)
	out.Term, out.TermSinceMS, out.Independent = v.Term, v.TermFor.Milliseconds(), v.Independent
	out.Relay, out.Standby = idString(v.Relay), idString(v.Standby)
	for _, m := range v.Members {
		by, silenced := mutedBy(v.Lawful, m.Peer)
		out.Members = append(out.Members, web.Member{Peer: m.Peer.String(), Name: m.Presence.Name, Text: m.Profile.Text, Colour: m.Profile.Colour.String(), Role: m.Role, Muted: m.Muted, Hand: m.Hand, WaitingMS: m.Waiting.Milliseconds(),
			Speaking: m.Presence.Speaking, Listening: m.Presence.Listening, Recording: m.Presence.Recording, Lost: m.Lost, You: m.Peer == n.self,
			LiveParent: idString(m.Presence.LiveParent), WarmParent: idString(m.Presence.WarmParent),
			Guests: m.Presence.Guests.Count, GuestOf: idString(m.Presence.Door),
			MutedBy: by, Silenced: silenced, YouMay: youMayAbout(v.Lawful, n.self, m.Peer)})
	}
	n.addPeople(&out, v.Members)
	slices.SortFunc(out.Members, func(a, b web.Member) int {
		return strings.Compare(roleOrder(a.Role)+string(a.Name)+a.Peer, roleOrder(b.Role)+string(b.Name)+b.Peer)
	})
	for _, p := range v.Paths {
		out.Links = append(out.Links, n.linkLine(p.Peer, p, nameIn(v.Names, p.Peer)))
	}
	slices.SortFunc(out.Links, func(a, b web.LinkLine) int { return strings.Compare(a.Direction+a.Peer, b.Direction+b.Peer) })
	for why, count := range v.Dropped {
		out.Dropped[why] = count
	}
	n.addForwarding(ctx, c, &out)
	return out
}

func idString(p protocol.PeerID) string {
	if p == "" {
		return ""
	}
	return p.String()
}

func roleOrder(role string) string {
	return string(rune('0' + slices.Index([]string{"host", "moderator", "speaker", "carrier", "listener"}, role)))
}

// linkLine gives a link as a room uses it.
func (n *Node) linkLine(p protocol.PeerID, v room.PathView, name string) web.LinkLine {
	l := web.LinkLine{Peer: p.String(), Name: name, Path: "udp"}
	switch {
	case v.Parent && v.Live:
		l.Direction = "up"
	case v.Child && v.Live, v.Child && !v.Parent:
		l.Direction = "down"
	default:
		l.Direction = "standby"
	}
	if control, ok := n.links.Peer(p); ok {
		l.RTTms = float64(control.RTT.Microseconds()) / 1000
		l.Control = "direct"
		if control.Circuit {
			l.Control, l.Via = "circuit", relayOf(control.Remote)
		}
		if control.Frames.Open && control.Frames.Circuit {
			l.Via = relayOf(control.Frames.Remote)
		}
	}
	if at := n.pairs.at(p); at != nil {
		s := at.media.Stats()
		l.Path, l.Sent, l.Received = s.Path, s.PacketsSent, s.PacketsReceived
		if all := s.PacketsReceived + s.Lost; all > 0 {
			l.Loss = float64(s.Lost) / float64(all)
		}
		l.SentKbps, l.ReceivedKbps = n.rates.of(p)
	}
	return l
}

// relayOf gives the peer ID of the relay that a circuit leads through.
func relayOf(circuit multiaddr.Multiaddr) string {
	relay, err := circuit.ValueForProtocol(multiaddr.P_P2P)
	if err != nil {
		return ""
	}
	return relay
}

// carriedRoom gives a room that this node is in.
func (n *Node) carriedRoom(name string) (*carried, entry, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, e, err
	}
	c := n.room(e.id)
	if c == nil {
		return nil, e, &protocol.Problem{Code: protocol.CodeNotInRoom, Message: "this node is not in that room"}
	}
	return c, e, nil
}

// Leave takes this node out of a room.
func (n *Node) Leave(ctx context.Context, name string) error {
	c, _, err := n.carriedRoom(name)
	if err != nil {
		return err
	}
	c.room.Leave()
	return c.wait(ctx)
}

// wait waits until all of a room has ended here.
func (c *carried) wait(ctx context.Context) error {
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes a room of this node's own, until next, or else until the time that its
// log says. One that is closed already gets another time.
func (n *Node) Close(ctx context.Context, name string, next time.Time) error {
	if !next.IsZero() {
		var err error
		if next, err = n.timeToCome(&next); err != nil {
			return err
		}
	}
	c, e, err := n.carriedRoom(name)
	if c == nil {
		r, ok := n.stored(e.id)
		switch {
		case !ok || !r.Mine || !r.Closed:
			return err
		case next.IsZero() && !r.Next.IsZero():
			return &protocol.Problem{Code: protocol.CodeOpensLater, Message: fmt.Sprintf("the room is closed, and opens at %s", shownTime(r.Next)),
				Hint: `earshot room set ROOM --at "" takes that back`}
		case next.IsZero():
			return n.closedProblem(next, nil)
		}
		return n.actWhileClosed(e.id, web.ActRequest{Act: web.ActNext, At: &next})
	}
	if _, lawful, err := c.room.Log(ctx); err == nil && lawful != nil && next.IsZero() {
		next = n.ahead(lawful.Listing()).Next
	}
	if err := c.room.Close(ctx, next); errors.Is(err, protocol.ErrNoRight) {
		return notHost(err)
	} else if err != nil && !errors.Is(err, room.ErrClosed) {
		return err
	}
	return c.wait(ctx)
}

func notHost(cause error) error {
	return &protocol.Problem{Code: protocol.CodeNotHost, Message: "only the room's host can do that", Hint: "earshot leave takes this node out of it", Cause: cause}
}

// Reopen opens a room of this node's own again, under the same link.
func (n *Node) Reopen(ctx context.Context, name string) (web.Opened, error) {
	e, err := n.find(name)
	if err != nil {
		return web.Opened{}, err
	}
	r, ok := n.stored(e.id)
	if !ok || !r.Mine {
		return web.Opened{}, notHost(nil)
	}
	if err := n.mayHost(); err != nil {
		return web.Opened{}, err
	}
	n.desk.Lock()
	e, err = n.unshelve(ctx, r)
	n.desk.Unlock()
	if err != nil {
		return web.Opened{}, err
	}
	return n.enterOwn(ctx, e)
}

var _ web.Backend = (*Node)(nil)
