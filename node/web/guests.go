package web

import (
	"context"
	"net/http"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Reception is what the API needs of a node to rule its guest door. Without one they
// give CodeNoDoor.
type Reception interface {
	Guests(ctx context.Context) (Guests, error)
	OpenDoor(ctx context.Context) error
	// ShutDoor sends all guests away, and lets none in.
	ShutDoor(ctx context.Context) error
	// RemoveGuest sends one away, whose household stays out for a while.
	RemoveGuest(ctx context.Context, id string) error
}

// Guests is a node's guest door, and who came in by it.
type Guests struct {
	Open    bool        `json:"open"`
	Address string      `json:"address"` // of the door: a URL
	Max     int         `json:"max"`     // at once
	Guests  []GuestLine `json:"guests"`
	Rooms   []GuestRoom `json:"rooms"` // that guests can hear now
}

// GuestRoom is a room, and where people without a node hear it.
type GuestRoom struct {
	Room  string `json:"room"` // ID
	Title string `json:"title"`
	Link  string `json:"link"`
}

// GuestLine is one guest.
type GuestLine struct {
	ID      string    `json:"id"`
	Room    string    `json:"room"`
	Address string    `json:"address"` // IP
	Since   time.Time `json:"since"`
	// Peer is the ID of the key under which the guest asks to speak, and Name who
	// they say they are; "": they have not said.
	Peer string        `json:"peer"`
	Name protocol.Name `json:"name"`
}

func (s *Server) guests(w http.ResponseWriter, r *http.Request) error {
	guests, err := s.backend.Guests(r.Context())
	if err != nil {
		return err
	}
	guests.Guests, guests.Rooms = list(guests.Guests), list(guests.Rooms)
	return answer(w, http.StatusOK, guests)
}

func (s *Server) openDoor(w http.ResponseWriter, r *http.Request) error {
	return doneBy(w, s.backend.OpenDoor(r.Context()))
}

func (s *Server) shutDoor(w http.ResponseWriter, r *http.Request) error {
	return doneBy(w, s.backend.ShutDoor(r.Context()))
}

func (s *Server) removeGuest(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !sane(id) {
		return refuse(http.StatusNotFound, "there is no such guest", "")
	}
	return doneBy(w, s.backend.RemoveGuest(r.Context(), id))
}
