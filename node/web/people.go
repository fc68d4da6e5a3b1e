package web

import (
	"context"
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// People is what the API needs of a node to keep what its person notes about
// others. Nothing of it is told to anybody else.
type People interface {
	// People gives whom this node's person has noted.
	People(ctx context.Context) ([]Person, error)
	// Note changes what is noted about somebody.
	Note(ctx context.Context, r NoteRequest) (Person, error)
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
	text, err := whole(w, r, maxJSONBytes)
	if err != nil {
		return err
	}
	var request NoteRequest
	if err := decode(text, &request); err != nil {
		return err
	}
	switch {
	case request.Who == "", !sane(request.Who):
		return &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: "nobody can be called that", Hint: "give a petname, a name in a room, or a peer ID"}
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
