// Package guest is the guest door: a page for people who have a browser and no
// node, who listen to a room that this node is in. It is apart from the node's own
// page and API (node/web): another socket, other routes, nothing that a guest could
// do but listen, read along and, over TLS, write, react and ask to speak under a key of
// their own, and report somebody. It keeps the room's law.
//
//	door.go     the door, open or shut
//	guests.go   who is in, and how many may be
//	law.go      who may be by the room's law, and who comes back
//	census.go   what each household takes: connections, requests, offers, lines
//	routes.go   what can be asked
//	guard.go    what is refused before that
//	rooms.go    a room, and listening to it
//	speak.go    what a guest says, and speaking
//	report.go   telling who moderates of somebody
//	talk.go     what is written in it
//	feed.go     its events
//	tls.go      certificates
//	page.go     the page's files
package guest

import (
	"context"
	"errors"
	"net/netip"

	"github.com/earshot-audio/earshot/protocol"
)

// Backend is what the door needs of its node. Guests hear rooms that the node is in,
// named by their whole IDs: whoever knows one was given it. The door never makes the
// node join a room, and what guests may not hear is CodeUnknownRoom, like what there
// is not.
type Backend interface {
	Room(ctx context.Context, id protocol.RoomID) (Room, error)
	// Talk gives what is written there; of many lines the newest are enough.
	Talk(ctx context.Context, id protocol.RoomID) (Talk, error)
	// Law gives what the door keeps. Whom the room sends away, Door.SendAway is told.
	Law(ctx context.Context, id protocol.RoomID) (Law, error)
	// Changes returns a channel that holds a value whenever something that Room
	// or Talk gives may have changed, until stop is called.
	Changes() (changed <-chan struct{}, stop func())
	// Play answers an SDP offer (WHEP). closed is called once, after the session
	// has ended; if there is an error, never. CodeFullRoom: no upload to spare.
	Play(ctx context.Context, v Visit, offer string, closed func()) (Session, error)
	// Say passes on what a guest says under its own key. The error is ErrHurry, or
	// one whose code tells why not: CodeBanned, of one whose signature holds.
	Say(ctx context.Context, room protocol.RoomID, m *protocol.Message) error
	// Report tells who moderates a room of somebody there, for a guest of whom Say
	// told, and waits a moment for them to have it. CodeNotAllowed: nobody moderates
	// there who could be told; CodeTooFast.
	Report(ctx context.Context, room protocol.RoomID, by protocol.PeerID, r Report) (Told, error)
	// Publish answers the SDP offer (WHIP) of a guest who speaks: voice is the
	// guest's word for it, which names the offer's certificate.
	Publish(ctx context.Context, v Visit, voice *protocol.Message, offer string) (Session, error)
	// Gone says that a guest of whom Say told has left.
	Gone(room protocol.RoomID, guest protocol.PeerID)
}

// ErrHurry is for a guest who is to say it again in a moment.
var ErrHurry = errors.New("guest: say it again in a moment")

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
	// Known tells who listens, of one that plays: their own voice is left out.
	Known func(protocol.PeerID)
}

// Room is what guests see of a room: no addresses, no identities.
type Room struct {
	Title     string    `json:"title"`
	Language  string    `json:"language"`
	Open      bool      `json:"open"`   // whoever comes may speak
	Shut      bool      `json:"shut"`   // locked or paused: nobody new comes in
	Paused    bool      `json:"paused"` // nobody speaks or writes
	Stage     []Speaker `json:"stage"`
	Listeners int       `json:"listeners"` // without those of this door
	Guests    int       `json:"guests"`    // of this door
	Door      string    `json:"door"`      // this node's key, in hexadecimal
	Keeper    string    `json:"keeper"`    // the door's own person, as Who names them
	Named     []Named   `json:"named"`     // of this door
}

// Named is a guest who has said who they are.
type Named struct {
	Key      string `json:"key"`  // in hexadecimal
	Who      string `json:"who"`  // as of a Speaker
	Hand     int    `json:"hand"` // place in the queue; 0: down, or not stamped yet
	MaySpeak bool   `json:"may_speak"`
}

// Speaker is somebody on stage.
type Speaker struct {
	Who      string        `json:"who"` // names them in this room, without their key
	Name     protocol.Name `json:"name"`
	Speaking bool          `json:"speaking"`
	Sources  []uint32      `json:"sources"` // as getContributingSources() names them
}
