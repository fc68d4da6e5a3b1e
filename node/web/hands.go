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
	var request HandRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	if request.Up == nil {
		return malformed("it is not said whether the hand goes up", `send {"up":true} or {"up":false}`, nil)
	}
	return doneBy(w, s.backend.Hand(r.Context(), room, *request.Up))
}

func (s *Server) member(w http.ResponseWriter, r *http.Request) error {
	who := r.PathValue("peer")
	if !sane(who) || strings.Trim(who, ".") == "" {
		return &protocol.Problem{Code: protocol.CodeUnknownPeer, Message: "nobody can be called that", Hint: "give a name in the room, or a peer ID"}
	}
	var request MemberRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	switch {
	case (request.Role == "") == (request.Hand == nil), request.Hand != nil && *request.Hand:
		return malformed("it is not said what to do about them", `send {"role":"speaker"} or {"hand":false}`, nil)
	case request.Hand != nil:
		return doneBy(w, s.backend.Lower(r.Context(), room, who))
	default:
		return doneBy(w, s.backend.Grant(r.Context(), room, who, request.Role))
	}
}
