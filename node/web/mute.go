package web

import "net/http"

// MuteRequest says whether this node's microphones in a room are off.
type MuteRequest struct {
	Muted *bool `json:"muted"`
}

func (s *Server) mute(w http.ResponseWriter, r *http.Request) error {
	var request MuteRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	if request.Muted == nil {
		return malformed("it is not said whether the microphone is off", `send {"muted":true} or {"muted":false}`, nil)
	}
	return doneBy(w, s.backend.Mute(r.Context(), room, *request.Muted))
}
