// Package guest is the guest door: a page for people who have a browser and no
// node, who listen to a room that this node is in. It is apart from the node's own
// page and API (node/web): another socket, other routes, nothing that a guest could
// do but listen.
//
//	door.go     the door, open or shut
//	guests.go   who is in, and how many may be
//	census.go   what each household takes: connections, requests, offers
//	routes.go   what can be asked
//	guard.go    what is refused before that
//	rooms.go    a room, and listening to it
//	feed.go     a room's events
//	tls.go      certificates
//	page.go     the page's files
package guest

import (
	"context"
	"net/netip"

	"github.com/earshot-audio/earshot/protocol"
)

// Backend is what the door needs of its node. Guests hear rooms that the node is in,
// named by their whole IDs: whoever knows one was given it. The door never makes the
// node join a room, and what guests may not hear is CodeUnknownRoom, like what there
// is not.
type Backend interface {
	Room(ctx context.Context, id protocol.RoomID) (Room, error)
	// Changes returns a channel that holds a value whenever something that Room
	// gives may have changed, until stop is called.
	Changes() (changed <-chan struct{}, stop func())
	// Play answers an SDP offer (WHEP). closed is called once, after the session
	// has ended; if there is an error, never. CodeFullRoom: no upload to spare.
	Play(ctx context.Context, v Visit, offer string, closed func()) (Session, error)
}

// Visit is where a guest wants to go, and how it came.
type Visit struct {
	Room protocol.RoomID
	From netip.Addr // the guest's
	At   netip.Addr // this machine's, where the guest came in
}

// Session is one guest's sound.
type Session struct {
	ID     string // unguessable
	Answer string // SDP
	End    func()
}

// Room is what guests see of a room: no addresses, no identities.
type Room struct {
	Title     string    `json:"title"`
	Language  string    `json:"language"`
	Stage     []Speaker `json:"stage"`
	Listeners int       `json:"listeners"` // without those of this door
	Guests    int       `json:"guests"`    // of this door
}

// Speaker is somebody on stage.
type Speaker struct {
	Name     protocol.Name `json:"name"`
	Speaking bool          `json:"speaking"`
	Sources  []uint32      `json:"sources"` // as getContributingSources() names them
}
