package web

import "net/http"

// MuteRequest says whether this node's microphones in a room are off.
type MuteRequest struct {
	Muted *bool `json:"muted"`
}

func (s *Server) mute(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	text, err := whole(w, r, maxJSONBytes)
	if err != nil {
		return err
	}
	var request MuteRequest
	if err := decode(text, &request); err != nil {
		return err
	}
	if request.Muted == nil {
		return malformed("it is not said whether the microphone is off", `send {"muted":true} or {"muted":false}`, nil)
	}
	if err := s.backend.Mute(r.Context(), room, *request.Muted); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
