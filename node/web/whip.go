package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// WHIP (RFC 9725) brings a speaker in, WHEP (draft-ietf-wish-whep) a listener
// out; they differ in nothing but who sends. Candidates do not trickle and ICE
// does not restart, so a session takes no PATCH (RFC 9725 section 4.3.1).

// negotiate answers an SDP offer and makes a session.
func (s *Server) negotiate(begin func(ctx context.Context, room, offer string) (session, answer string, err error)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		room, err := roomOf(r)
		if err != nil {
			return err
		}
		offer, err := whole(w, r, maxSDPBytes)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(offer), "v=0") { // RFC 8866 section 5.1
			return malformed("the body is not an SDP offer", "", nil)
		}
		session, sdp, err := begin(r.Context(), room, string(offer))
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", typeSDP)
		w.Header().Set("Location", "/api/v1/sessions/"+url.PathEscape(session))
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, sdp)
		return nil
	}
}

// acceptsSDP tells a client what to send (RFC 9725 section 4.2). It says
// nothing of other origins: none may.
func acceptsSDP(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Allow", "OPTIONS, POST")
	w.Header().Set("Accept-Post", typeSDP)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request) error {
	if !s.backend.EndSession(r.PathValue("sid")) {
		return refuse(http.StatusNotFound, "there is no such session, or no longer", "")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
