package node

import (
	"context"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/discovery"
	"github.com/earshot-audio/earshot/node/room"
	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
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
		out.Title, out.Language, out.Topics, out.Locked, out.Next = asShown(as)
	}
	if closed && e.genesis.Founder == n.self {
		out.YouMay = append([]string{"reopen"}, actsWhileClosed()...)
	}
	if listed && len(d.Announcers) > 0 && !closed {
		out.Relay = d.Announcers[0].Peer.String()
	}
	return out, nil
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
		return nil, e, &protocol.Problem{Code: protocol.CodeNotInRoom, Message: "this node is not in that room", Hint: "earshot listen joins it"}
	}
	return c, e, nil
}

var _ web.Backend = (*Node)(nil)
