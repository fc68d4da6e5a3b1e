// Package web is a node's face to this machine: the HTTP API of
// docs/protocol.md's "outside contract", its events, WHIP and WHEP, metrics.
package web

import (
	"context"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// Backend is what the API needs of its node. Rooms are named as people do: a
// link, an ID or a unique prefix. Errors are *protocol.Problem where a person
// can do something about them.
type Backend interface {
	Status(ctx context.Context) (Status, error)
	// Rooms gives the live listed rooms, those this node is in, and those to come.
	Rooms(ctx context.Context) ([]RoomLine, error)
	// ClosedRooms gives those of this node's own that stay closed until its person
	// reopens them.
	ClosedRooms(ctx context.Context) ([]RoomLine, error)
	// Changes returns a channel that holds a value whenever something that
	// Rooms, Room or Status show may have changed, until stop is called.
	Changes() (changed <-chan struct{}, stop func())
	Open(ctx context.Context, r OpenRequest) (Opened, error)
	Room(ctx context.Context, room string) (RoomView, error)
	// Listen joins the room and gives what is heard, in order.
	Listen(ctx context.Context, room string, recording bool) (Listening, error)
	// Speak joins the room and opens a source of this node.
	Speak(ctx context.Context, room string) (Speaking, error)
	// Hear joins the room and gives what its loudest say, at once.
	Hear(ctx context.Context, room string) (Hearing, error)
	// Publish and Play are WHIP (RFC 9725) and WHEP: they take an SDP offer.
	Publish(ctx context.Context, room, offer string) (session, answer string, err error)
	Play(ctx context.Context, room, offer string) (session, answer string, err error)
	// EndSession ends what Publish or Play began; false if there is none.
	EndSession(session string) bool
	// Mute says that this node's microphones in a room are off though what they
	// speak by goes on, or that they are on again.
	Mute(ctx context.Context, room string, muted bool) error
	// Hand raises this node's hand in a room, or lowers it.
	Hand(ctx context.Context, room string, up bool) error
	// Grant gives somebody a role, or with "listener" takes them to the audience;
	// Lower takes a hand down. The host and the moderators may. who is a name in the
	// room, the beginning of a peer ID, or one.
	Grant(ctx context.Context, room, who, role string) error
	Lower(ctx context.Context, room, who string) error
	Leave(ctx context.Context, room string) error
	// Close silences a room of this node's until it is reopened; by itself at next,
	// if that is not zero, or else at the time that is said for it already.
	Close(ctx context.Context, room string, next time.Time) error
	Reopen(ctx context.Context, room string) (Opened, error)
	// Doctor examines how this node and others reach each other; of is a room,
	// a peer or a multiaddress that cannot be reached, or "". It takes seconds.
	Doctor(ctx context.Context, of string) (Diagnosis, error)
	// Meet looks for other nodes in one way. To find nobody is no error.
	Meet(ctx context.Context, r MeetRequest) (Met, error)
	Chats
	Law
	People
	Reports
	Follows
	Reception
}

// Listening is one local listener of a room.
type Listening interface {
	// Next gives the next frame or event; io.EOF after the room closed or
	// this node left it.
	Next(ctx context.Context) (*pb.LocalEvent, error)
	// Close ends the listening and gives its figures.
	Close() Summary
}

// Hearing is one page that hears a room over a socket.
type Hearing interface {
	// Next gives the next frame of at most protocol.MaxHeard speakers. Its
	// timestamp is on a clock of the hearing's own. io.EOF as in Listening.
	Next(ctx context.Context) (*pb.LocalFrame, error)
	Close()
}

// Speaking is one local speaker of a room.
type Speaking interface {
	// Packet hands over an Opus packet. It blocks while the speaker is ahead
	// of its own pace. gap is silence before the packet.
	Packet(ctx context.Context, packet []byte, gap time.Duration) error
	// Close waits until what was handed over has been sent, unless ctx ends.
	Close(ctx context.Context) (SpeakSummary, error)
}

// Status is this node.
type Status struct {
	Peer      protocol.Name    `json:"peer"`
	PeerID    string           `json:"peer_id"`
	Version   string           `json:"version"`
	Network   string           `json:"network"`
	Addrs     []string         `json:"addrs"`
	API       string           `json:"api"`
	Home      string           `json:"home"`
	UptimeMS  int64            `json:"uptime_ms"`
	Neighbors int              `json:"neighbors"` // nodes connected
	Alone     bool             `json:"alone"`     // nobody is connected, and nobody known who could be
	Reach     Reach            `json:"reach"`
	Upload    Upload           `json:"upload"`
	Door      string           `json:"guest_door"` // its URL; "": there is none, or it is shut
	HasDoor   bool             `json:"has_guest_door"`
	Guests    int              `json:"guests"` // who listen through it
	Rooms     []string         `json:"rooms"`  // this node is in
	Links     []LinkLine       `json:"links"`
	Dropped   map[string]int64 `json:"dropped"` // by reason, since the start
	Warnings  []string         `json:"warnings"`
	Demo      bool             `json:"demo,omitempty"` // the page can switch off who carries the sound
}

// Upload is what a node sends to other nodes, and how many it can serve.
type Upload struct {
	LimitBPS int64 `json:"limit_bps"` // bits a second; 0: none
	SentBPS  int64 `json:"sent_bps"`  // over the last second; without a limit, of media alone
	Places   int   `json:"places"`    // for children
	Children int   `json:"children"`  // that take one
	Dropped  int64 `json:"dropped"`   // packets beyond the limit, since the start
}

// RoomLine is a room of the directory.
type RoomLine struct {
	Room      string    `json:"room"`
	Title     string    `json:"title"`
	Link      string    `json:"link"`
	Host      string    `json:"host"` // peer ID
	Speakers  int       `json:"speakers"`
	Listeners int       `json:"listeners"`
	Language  string    `json:"language"`
	Topics    []string  `json:"topics"`
	Started   time.Time `json:"started"`
	Stage     string    `json:"stage"` // host, open or moderators
	Listed    bool      `json:"listed"`
	Joined    bool      `json:"joined"` // this node is in it
	Closed    bool      `json:"closed"`
	State     string    `json:"state"`  // live or coming; closed, where those were asked for
	Locked    bool      `json:"locked"` // nobody new comes
	// Next is when the room is live next, if that is said: a coming one opens then, by
	// its host's clock.
	Next      *time.Time `json:"next,omitempty"`
	Following bool       `json:"following"` // this node's person follows the room
	// HostPetname is what this node's person calls its host; "": nothing. Followed
	// are those whom they follow and who opened or announce it.
	HostPetname protocol.Name `json:"host_petname"`
	Known       bool          `json:"known"` // its host is noted here, was met in a room, or is no newcomer to the directory
	Followed    []Followed    `json:"followed"`
}

// OpenRequest opens a room.
type OpenRequest struct {
	Title    string   `json:"title"`
	Language string   `json:"language,omitempty"`
	Topics   []string `json:"topics,omitempty"`
	Stage    string   `json:"stage,omitempty"` // "host" (default) or "open"
	Speakers []string `json:"speakers,omitempty"`
	Unlisted bool     `json:"unlisted,omitempty"`
	// At is when the room opens; nil: at once.
	At *time.Time `json:"at,omitempty"`
}

// Opened is a room that this node carries.
type Opened struct {
	Room string `json:"room"`
	Link string `json:"link"`
	// GuestLink is where people without a node hear the room; "" without an open
	// guest door.
	GuestLink string `json:"guest_link,omitempty"`
	// Notice says in one line who can see the room and this node's address.
	Notice string `json:"notice,omitempty"`
	// Next is when it opens, if it is to come.
	Next *time.Time `json:"next,omitempty"`
}

// RoomView is one room as this node sees it.
type RoomView struct {
	Room        string     `json:"room"`
	Title       string     `json:"title"`
	Link        string     `json:"link"`
	Host        string     `json:"host"`
	Stage       string     `json:"stage"` // host, open or moderators
	Language    string     `json:"language"`
	Topics      []string   `json:"topics"`
	Started     time.Time  `json:"started"`
	Listed      bool       `json:"listed"`
	Closed      bool       `json:"closed"`
	State       string     `json:"state"`     // live, coming or closed
	Following   bool       `json:"following"` // this node's person follows the room
	Term        uint64     `json:"term"`
	TermSinceMS int64      `json:"term_since_ms"`
	Relay       string     `json:"relay"`       // peer ID; "" while unknown
	Standby     string     `json:"standby"`     // peer ID; "" while unknown
	Independent bool       `json:"independent"` // relay and standby are not neighbours
	Guests      int        `json:"guests"`      // of this node's door
	GuestLink   string     `json:"guest_link"`  // where they hear it; "": nowhere
	Members     []Member   `json:"members"`
	Links       []LinkLine `json:"links"`
	Log         string     `json:"log"`         // hash of its heads; "" while unknown
	LogActions  int        `json:"log_actions"` // how many the log holds
	Locked      bool       `json:"locked"`      // nobody new comes
	Paused      bool       `json:"paused"`      // microphones off, nobody new, no chat
	Pinned      string     `json:"pinned"`      // a link that all are shown; "": none
	// Next is when the room is live next, if that is said.
	Next *time.Time `json:"next,omitempty"`
	// MutedAllBy is the peer ID of who turned all microphones off but moderators';
	// "": nobody.
	MutedAllBy string `json:"muted_all_by"`
	// YouMay is what this node may do here: acts of ActRequest, and speak, close, reopen.
	YouMay []string `json:"you_may"`
	// Dropped counts what this node refused to forward or play, by reason.
	Dropped map[string]int64 `json:"dropped"`
	Sources []SourceLine     `json:"sources"`
}

// Member is somebody in a room.
type Member struct {
	Peer      string        `json:"peer"` // peer ID
	Name      protocol.Name `json:"name"`
	Role      string        `json:"role"`       // host, moderator, speaker, carrier or listener
	Muted     bool          `json:"muted"`      // on the stage, and the microphone is off
	Hand      int           `json:"hand"`       // place in the queue; 0: down
	WaitingMS int64         `json:"waiting_ms"` // with the hand up
	Speaking  bool          `json:"speaking"`
	Listening bool          `json:"listening"`
	Recording bool          `json:"recording"`
	You       bool          `json:"you"`
	// LiveParent is whose sound they take, or would if they listened, WarmParent who
	// stands by for that: peer IDs, by their own word; "": nobody, or not known.
	LiveParent string `json:"live_parent"`
	WarmParent string `json:"warm_parent"`
	Lost       bool   `json:"lost"` // it carried the sound, and is silent since another does
	// Guests listen through their guest door, by their own word.
	Guests int `json:"guests"`
	// MutedBy is the peer ID of who muted them; "": nobody. They are Silenced unless
	// they may end that themselves.
	MutedBy  string `json:"muted_by"`
	Silenced bool   `json:"silenced"`
	// YouMay is what this node may do about them: acts of ActRequest.
	YouMay  []string `json:"you_may"`
	GuestOf string   `json:"guest_of"` // peer ID of whose guest they are; "": nobody's
	Text    string   `json:"text"`     // what they say of themselves
	Colour  string   `json:"colour"`   // that they chose, of protocol.Colours; "": none
	// What this node's person keeps about them; nobody else knows.
	Petname  protocol.Name `json:"petname"`  // as they call them; "": by Name
	Followed bool          `json:"followed"` // their rooms are pointed out
	Blocked  bool          `json:"blocked"`  // neither heard nor read here, in any room
	// SimilarTo are peer IDs of some whose names look like this one's: in the room, or
	// by a petname.
	SimilarTo []string `json:"similar_to"`
}

// LinkLine is one link of this node.
type LinkLine struct {
	Peer      string  `json:"peer"`
	Name      string  `json:"name"`
	Direction string  `json:"direction"` // up, down or standby
	Path      string  `json:"path"`      // udp, tcp or stream
	Via       string  `json:"via"`       // peer ID of who passes on its frames or control; "": nobody
	Control   string  `json:"control"`   // direct or circuit; "" while there is none
	RTTms     float64 `json:"rtt_ms"`
	Loss      float64 `json:"loss"` // 0 to 1
	Sent      uint64  `json:"sent"`
	Received  uint64  `json:"received"`
	// kbit/s of sound over the last seconds, of all rooms of the two nodes, without
	// what its packets are wrapped in.
	SentKbps     float64 `json:"sent_kbps"`
	ReceivedKbps float64 `json:"received_kbps"`
}

// SourceLine is one speaker's audio as it passes this node.
type SourceLine struct {
	Peer   string `json:"peer"`
	Source uint32 `json:"source"`
	Frames uint64 `json:"frames"`
	Lost   uint64 `json:"lost"`
	Hot    bool   `json:"hot"`
	Level  uint8  `json:"level"` // -dBov
}

// Summary is what one listener heard.
type Summary struct {
	Seconds      float64         `json:"seconds"`
	Frames       uint64          `json:"frames"`
	Lost         uint64          `json:"lost"`
	Late         uint64          `json:"late"`
	Resumed      uint64          `json:"resumed"`
	LongestGapMS int64           `json:"longest_gap_ms"`
	FirstFrameMS int64           `json:"first_frame_ms"` // -1: none
	Sources      []SourceSummary `json:"sources"`
}

// SourceSummary is what one listener heard of one source.
type SourceSummary struct {
	Peer         string        `json:"peer"`
	Name         string        `json:"name"`
	Petname      protocol.Name `json:"petname,omitempty"` // as this node's person calls them
	Source       uint32        `json:"source"`
	Frames       uint64        `json:"frames"`
	Lost         uint64        `json:"lost"`
	LongestGapMS int64         `json:"longest_gap_ms"`
}

// SpeakSummary is what one speaker sent.
type SpeakSummary struct {
	Frames  uint64  `json:"frames"`
	Seconds float64 `json:"seconds"`
}
