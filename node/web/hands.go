package web

import (
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/protocol"
)

// HandRequest raises this node's hand, or lowers it.
type HandRequest struct {
	Up *bool `json:"up"`
}

// MemberRequest is what is done about somebody: just one of these.
type MemberRequest struct {
	Role string `json:"role,omitempty"` // given to them; "listener": to the audience
	Hand *bool  `json:"hand,omitempty"` // false lowers it
}

func (s *Server) hand(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	text, err := whole(w, r, maxJSONBytes)
	if err != nil {
		return err
	}
	var request HandRequest
	if err := decode(text, &request); err != nil {
		return err
	}
	if request.Up == nil {
		return malformed("it is not said whether the hand goes up", `send {"up":true} or {"up":false}`, nil)
	}
	if err := s.backend.Hand(r.Context(), room, *request.Up); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) member(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	who := r.PathValue("peer")
	if !sane(who) || strings.Trim(who, ".") == "" {
		return &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: "nobody can be called that", Hint: "give a name in the room, or a peer ID"}
	}
	text, err := whole(w, r, maxJSONBytes)
	if err != nil {
		return err
	}
	var request MemberRequest
	if err := decode(text, &request); err != nil {
		return err
	}
	switch {
	case (request.Role == "") == (request.Hand == nil), request.Hand != nil && *request.Hand:
		return malformed("it is not said what to do about them", `send {"role":"speaker"} or {"hand":false}`, nil)
	case request.Hand != nil:
		err = s.backend.Lower(r.Context(), room, who)
	default:
		err = s.backend.Grant(r.Context(), room, who, request.Role)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
