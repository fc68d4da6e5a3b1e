package room

import (
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
	"github.com/earshot-audio/earshot/protocol/roster"
)

// Links reaches other nodes. Its methods don't block.
type Links interface {
	// Want keeps a path to a node, until Release.
	Want(info peer.AddrInfo)
	Release(p protocol.PeerID)
	Send(p protocol.PeerID, m *pb.LinkMessage) bool
	// Path gives the way of frames to a node; nil while there is none. It
	// compares equal for as long as the link is the same.
	Path(p protocol.PeerID) Path
	// Addresses gives what is known of a node's addresses.
	Addresses(p protocol.PeerID) []multiaddr.Multiaddr
}

// Path carries frames to and from one node.
type Path interface {
	// Handle gives a handle that nothing on this path uses yet.
	Handle() protocol.Handle
	// Accept lets frames under the far side's handle in; source 0: heartbeats.
	Accept(h protocol.Handle, s protocol.Source)
	Forget(h protocol.Handle)
	// Outlet is this room's way out, its heartbeats under the handle.
	Outlet(beats protocol.Handle) Outlet
}

// Outlet is a sink whose sources have to be bound to handles first. The room
// binds; only the forwarder sends.
type Outlet interface {
	Bind(s protocol.Source, h protocol.Handle)
	Unbind(s protocol.Source)
	Send(f *protocol.Frame) bool
	Beat(b protocol.Beat)
}

// Mode says which frames a sink is given.
type Mode uint8

const (
	Warm   Mode = iota // none, until it resumes
	Live               // the loudest few
	Mirror             // all
	Up                 // this node's own voices
)

// Forwarder is the relay's part of this room.
type Forwarder interface {
	// OpenSource lets a source's frames through: owner's voice, which by's link
	// brings.
	OpenSource(s protocol.Source, owner, by protocol.PeerID)
	CloseSource(s protocol.Source)
	AddSink(p protocol.PeerID, mode Mode, out Outlet)
	SetMode(p protocol.PeerID, mode Mode)
	RemoveSink(p protocol.PeerID)
	Enable(p protocol.PeerID, s protocol.Source)
	Disable(p protocol.PeerID, s protocol.Source)
	Resume(p protocol.PeerID, from []*pb.Position)
	// Watch names the parent whose silence matters; "": nobody's.
	Watch(parent protocol.PeerID)
	// Activity passes on a parent's word that somebody speaks there.
	Activity(from protocol.PeerID, hot bool)
}

// Topic is the room's gossip.
type Topic interface {
	Publish(raw []byte)
}

// Config is what a room needs. Functions in it don't block.
type Config struct {
	Room    protocol.RoomID
	Genesis *protocol.Genesis // nil until somebody tells
	Seeds   []peer.AddrInfo   // who may know the room

	Self    protocol.PeerID
	Key     crypto.PrivKey
	Boot    uint64
	Name    protocol.Name
	Profile protocol.Profile // Describe changes both
	Lends   bool             // would carry
	// RelayOnly: nobody but the room's relay is to learn where this node is. It
	// carries nothing, and has no second parent to fall back on.
	RelayOnly bool
	Class     func() uint8 // how well it could carry; above 0, higher is better; nil: 1

	New      bool // opened just now: relay it at once
	Speakers []protocol.PeerID
	Actions  []*pb.SignedAction // of the log, as stored
	Lives    roster.Lives       // of bans and grants, as stored
	LivesAgo time.Duration      // how long ago
	Term     protocol.Key
	TermEra  uint32

	// Noted says whether this node's person keeps a name for somebody or follows
	// them, who so are not new here; nil: nobody.
	Noted func(protocol.PeerID) bool

	Chat ChatRights // who may write and hide; nil: as the log has it

	// Place takes a place for a child in what this node's upload bears, for one
	// with a duty in any case; false: there is none. Leave gives it back. nil:
	// protocol.MaxChildren alone bounds them.
	Place func(child protocol.PeerID, duty bool) bool
	Leave func(child protocol.PeerID)

	// SendAway ends the visit of a guest of this node who is removed from the room, or
	// banned; p may be nobody's guest. nil: it has no door.
	SendAway func(p protocol.PeerID, banned bool)

	Links     Links
	Topic     Topic
	Forwarder Forwarder
	Addresses func() []multiaddr.Multiaddr // this node's own
	// SaveTerm stores a term, after those before it, and calls done, from wherever.
	SaveTerm func(era uint32, k protocol.Key, done func(error))
	// SaveActions stores new actions of the log, and SaveGenesis, before them, what it
	// takes to understand them.
	SaveActions func([]*pb.SignedAction)
	SaveGenesis func(*protocol.Genesis)
	// SaveLives stores what has passed of lives, in place of what it stored before.
	SaveLives func(roster.Lives)
	Announce  func(envelope []byte)
	// Announcers gives who announces the room, as the directory knows it now.
	Announcers func() []peer.AddrInfo
	Rooms      func() int        // how many rooms the directory has
	Sequence   func() uint64     // of announcements
	Changed    func()            // something that View shows
	Relayed    func(RelayChange) // another relay
	Now        func() time.Duration
	Wall       func() time.Time // shown with what this node does; never decides
	Log        *slog.Logger
}
