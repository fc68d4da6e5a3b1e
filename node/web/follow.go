package web

import (
	"context"
	"net/http"
	"time"
)

// Follows is what the API needs of a node to point rooms out to its person, which
// nobody else is told.
type Follows interface {
	// FollowRoom notes that this node's person follows a room, or no longer does.
	FollowRoom(ctx context.Context, room string, on bool) error
	// Following gives the rooms that they follow.
	Following(ctx context.Context) ([]FollowedRoom, error)
}

// FollowRequest says whether this node's person follows a room.
type FollowRequest struct {
	On *bool `json:"on"`
}

// FollowedRoom is a room that this node's person follows, as far as the node knows.
type FollowedRoom struct {
	Room  string     `json:"room"`
	Title string     `json:"title"` // as it was last heard
	State string     `json:"state"` // live, coming or closed
	Next  *time.Time `json:"next,omitempty"`
}

func (s *Server) followRoom(w http.ResponseWriter, r *http.Request) error {
	var request FollowRequest
	if err := read(w, r, &request); err != nil {
		return err
	}
	if request.On == nil {
		return malformed("it is not said whether to follow the room", `send {"on":true} or {"on":false}`, nil)
	}
	return done(w, r, func(ctx context.Context, room string) error { return s.backend.FollowRoom(ctx, room, *request.On) })
}

func (s *Server) following(w http.ResponseWriter, r *http.Request) error {
	rooms, err := s.backend.Following(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, list(rooms))
}
