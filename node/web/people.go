package web

import (
	"context"
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// People is what the API needs of a node to keep what its person notes about
// others, which nobody else is told, and what people say of themselves.
type People interface {
	// People gives whom this node's person has noted.
	People(ctx context.Context) ([]Person, error)
	// Note changes what is noted about somebody.
	Note(ctx context.Context, r NoteRequest) (Person, error)
	// Profile gives what somebody in a room here says of themselves; "": this node's
	// person.
	Profile(ctx context.Context, who string) (Profile, error)
	// Describe changes what this node's person says of themselves, to all in the rooms
	// that they are in.
	Describe(ctx context.Context, r ProfileRequest) (Profile, error)
}

// Person is somebody of whom this node's person keeps a note.
type Person struct {
	Peer     string        `json:"peer"`     // peer ID
	Name     protocol.Name `json:"name"`     // as they call themselves; "": they are in no room here
	Petname  protocol.Name `json:"petname"`  // as this node's person calls them; "": so
	Followed bool          `json:"followed"` // their rooms are pointed out
	Blocked  bool          `json:"blocked"`  // neither heard nor read here, in any room
	// BlockedUntil is when that ends, if it ends by itself.
	BlockedUntil *time.Time `json:"blocked_until,omitempty"`
}

// NoteRequest says what is to be noted: what is left out stays.
type NoteRequest struct {
	Who     string         `json:"who"`               // a petname, a name in a room here, the beginning of a peer ID, or one
	Petname *protocol.Name `json:"petname,omitempty"` // "": none any more
	Follow  *bool          `json:"follow,omitempty"`
	Block   *bool          `json:"block,omitempty"`
	ForMS   int64          `json:"for_ms,omitempty"` // the block's life; 0: until lifted
}

// Profile is what somebody says of themselves.
type Profile struct {
	Peer    string        `json:"peer"` // peer ID
	Name    protocol.Name `json:"name"`
	Petname protocol.Name `json:"petname"` // as this node's person calls them; "": by Name
	Text    string        `json:"text"`    // "": nothing
	Colour  string        `json:"colour"`  // of protocol.Colours; "": none
}

// ProfileRequest says what this node's person is to say of themselves: what is left
// out stays.
type ProfileRequest struct {
	Name   *string `json:"name,omitempty"`
	Text   *string `json:"text,omitempty"`
	Colour *string `json:"colour,omitempty"`
}

// Followed is somebody whom this node's person follows, as to a room.
type Followed struct {
	Peer    string        `json:"peer"`
	Petname protocol.Name `json:"petname"`
	Host    bool          `json:"host"` // they opened the room; else they announce it, from its stage or carrying it
}

func (s *Server) people(w http.ResponseWriter, r *http.Request) error {
	people, err := s.backend.People(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, list(people))
}

func (s *Server) note(w http.ResponseWriter, r *http.Request) error {
	var request NoteRequest
	if err := read(w, r, &request); err != nil {
		return err
	}
	switch {
	case request.Who == "", !sane(request.Who):
		return nobody()
	case request.Petname == nil && request.Follow == nil && request.Block == nil:
		return malformed("it is not said what to note", `send {"who":"budi","block":true}, "follow" or "petname"`, nil)
	case request.ForMS != 0 && (request.Block == nil || !*request.Block):
		return malformed("for_ms is a block's life", `send {"who":"budi","block":true,"for_ms":3600000}`, nil)
	}
	person, err := s.backend.Note(r.Context(), request)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, person)
}

func (s *Server) profile(w http.ResponseWriter, r *http.Request) error {
	who := r.URL.Query().Get("who")
	if !sane(who) {
		return nobody()
	}
	profile, err := s.backend.Profile(r.Context(), who)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, profile)
}

func (s *Server) describe(w http.ResponseWriter, r *http.Request) error {
	var request ProfileRequest
	if err := read(w, r, &request); err != nil {
		return err
	}
	if request == (ProfileRequest{}) {
		return malformed("it is not said what to change", `send {"text":"I read old newspapers aloud"}, "colour" or "name"`, nil)
	}
	profile, err := s.backend.Describe(r.Context(), request)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, profile)
}

// nobody is for words that can't name anybody.
func nobody() error {
	return &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: "nobody can be called that", Hint: "give a petname, a name in a room, or a peer ID"}
}
