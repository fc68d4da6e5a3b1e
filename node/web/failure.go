package web

import (
	"errors"
	"net/http"

	"github.com/earshot-audio/earshot/protocol"
)

// Failure is how the API tells a problem: as a response, or as a line of a
// stream that had begun.
type Failure struct {
	Event   string `json:"event"` // "error"
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Problem is what the failure tells.
func (f Failure) Problem() *protocol.Problem {
	return &protocol.Problem{Code: f.Code, Message: f.Message, Hint: f.Hint}
}

func failureOf(p *protocol.Problem) Failure { return Failure{"error", p.Code, p.Message, p.Hint} }

// refusal is a problem with a request's form, whose status its code alone
// does not give.
type refusal struct {
	status  int
	problem *protocol.Problem
}

func (r *refusal) Error() string { return r.problem.Error() }
func (r *refusal) Unwrap() error { return r.problem }

func refuse(status int, message, hint string) error {
	return &refusal{status, &protocol.Problem{Code: protocol.CodeBadRequest, Message: message, Hint: hint}}
}

// malformed is a body that is not what its route takes.
func malformed(message, hint string, cause error) error {
	return &protocol.Problem{Code: protocol.CodeBadRequest, Message: message, Hint: hint, Cause: cause}
}

func badToken(message string) error {
	return &protocol.Problem{
		Code: protocol.CodeBadToken, Message: message,
		Hint: "api.json in the node's home holds it",
	}
}

// problemOf finds what to tell of an error, and with which status. What is no
// person's problem is CodeInternal and keeps its text for the log.
func problemOf(err error) (*protocol.Problem, int) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.problem, r.status
	}
	if p, ok := errors.AsType[*protocol.Problem](err); ok {
		return p, statusOf(p.Code)
	}
	return &protocol.Problem{
		Code: protocol.CodeInternal, Message: "something went wrong inside the node",
		Hint: "its log says what", Cause: err,
	}, http.StatusInternalServerError
}

// statusOf is the table of codes and statuses.
func statusOf(code string) int {
	switch code {
	case protocol.CodeBadRequest, protocol.CodeUsage, protocol.CodeLinkCut, protocol.CodeLinkForm,
		protocol.CodeOtherNetwork, protocol.CodeBadAddress:
		return http.StatusBadRequest
	case protocol.CodeBadToken:
		return http.StatusUnauthorized
	case protocol.CodeNotOnStage, protocol.CodeNotHost, protocol.CodeNoConsent, protocol.CodeNotAllowed,
		protocol.CodeBanned, protocol.CodeRemoved, protocol.CodeMuted, protocol.CodeLocked, protocol.CodePaused:
		return http.StatusForbidden
	case protocol.CodeTooFast:
		return http.StatusTooManyRequests
	case protocol.CodeUnknownRoom, protocol.CodeUnknownPeer, protocol.CodeUnknownGuest, protocol.CodeNoFile:
		return http.StatusNotFound
	case protocol.CodeAmbiguousRoom, protocol.CodeClosedRoom, protocol.CodeOpensLater, protocol.CodeNeedsLog, protocol.CodeNotInRoom, protocol.CodeNoDoor, protocol.CodeFullLog:
		return http.StatusConflict
	case protocol.CodeNotOggOpus, protocol.CodeBadAudio:
		return http.StatusUnprocessableEntity
	case protocol.CodeUnreachable:
		return http.StatusBadGateway
	case protocol.CodeFullRoom:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// fail answers a request with a problem.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, status := problemOf(err)
	if status == http.StatusInternalServerError && r.Context().Err() == nil {
		s.log.Error("a request failed", "method", r.Method, "pattern", r.Pattern, "err", err, "cause", p.Cause)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // of the body some may be unread
	}
	answer(w, status, failureOf(p))
}
