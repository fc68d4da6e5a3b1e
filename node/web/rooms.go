package web

import (
	"context"
	_ "embed"
	"net/http"
	"slices"
	"time"
)

//go:embed openapi.json
var openapi []byte

// States of a room, as far as a node knows.
const (
	StateLive   = "live"
	StateComing = "coming" // closed, and opens by itself at its Next
	StateClosed = "closed" // or nothing is heard of it
)

// Page is an address that opens the page once.
type Page struct {
	Page string `json:"page"`
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	s.metrics.ServeHTTP(w, r)
	return nil
}

func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", typeJSON)
	w.Write(openapi)
	return nil
}

func (s *Server) node(w http.ResponseWriter, r *http.Request) error {
	status, err := s.backend.Status(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, status.whole())
}

func (s *Server) newPage(w http.ResponseWriter, r *http.Request) error {
	return answer(w, http.StatusCreated, Page{s.PageURL()})
}

func (s *Server) rooms(w http.ResponseWriter, r *http.Request) error {
	state, ask := r.URL.Query().Get("state"), s.backend.Rooms
	switch state {
	case "":
		state = StateLive
	case StateLive, StateComing, "all":
	case StateClosed:
		ask = s.backend.ClosedRooms
	default:
		return malformed("there is no such state of a room", "ask for state=live, coming, all or closed", nil)
	}
	rooms, err := ask(r.Context())
	if err != nil {
		return err
	}
	rooms = slices.DeleteFunc(wholeRooms(rooms), func(l RoomLine) bool { return state != "all" && l.State != state })
	return answer(w, http.StatusOK, rooms)
}

func (s *Server) openRoom(w http.ResponseWriter, r *http.Request) error {
	var request OpenRequest
	if err := read(w, r, &request); err != nil {
		return err
	}
	opened, err := s.backend.Open(r.Context(), request)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/rooms/"+opened.Room)
	return answer(w, http.StatusCreated, opened)
}

func (s *Server) room(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	view, err := s.backend.Room(r.Context(), room)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, view.whole())
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request) error {
	return done(w, r, s.backend.Leave)
}

func (s *Server) closeRoom(w http.ResponseWriter, r *http.Request) error {
	request := CloseRequest{}
	text, err := whole(w, r, maxJSONBytes)
	if err == nil && len(text) > 0 {
		err = decode(text, &request)
	}
	if err != nil {
		return err
	}
	return done(w, r, func(ctx context.Context, room string) error { return s.backend.Close(ctx, room, orZero(request.At)) })
}

// CloseRequest says when a room that is closed opens again; nil: when its host
// reopens it, or as is said already.
type CloseRequest struct {
	At *time.Time `json:"at,omitempty"`
}

// orZero gives a time that may be left out.
func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

func (s *Server) reopen(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	opened, err := s.backend.Reopen(r.Context(), room)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, opened)
}
