package guest

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/earshot-audio/earshot/protocol"
)

// Codes of what the door tells guests; the page has words for each.
const (
	codeRequest   = protocol.CodeBadRequest
	codeUnknown   = protocol.CodeUnknownRoom
	codeFull      = protocol.CodeFullRoom
	codeInternal  = protocol.CodeInternal
	codeShut      = "door_shut" // by who runs the node
	codeRemoved   = "removed"   // the guest was
	codeHousehold = "household" // too many from there
	codeRate      = "rate"      // too many requests
	codePlain     = "plain"     // not over TLS, so only listening
	codeStage     = protocol.CodeNotOnStage
	codeBanned    = protocol.CodeBanned     // from the room
	codeLocked    = protocol.CodeLocked     // or paused: the room takes nobody new
	codeTooFast   = protocol.CodeTooFast    // more than a door passes on
	codeNobody    = protocol.CodeNotAllowed // moderates who could be told
)

// retryAfter is when a guest who finds no place may ask again, in seconds.
const retryAfter = 10

// refusal is why a request is not served, with the status that tells it.
type refusal struct {
	status        int
	code, message string
}

func (r *refusal) Error() string { return r.message }

func refuse(status int, code, message string) error { return &refusal{status, code, message} }

var (
	errNothing = refuse(http.StatusNotFound, codeRequest, "there is nothing at this path")
	errUnknown = refuse(http.StatusNotFound, codeUnknown, "no such room can be heard here")
	errShut    = refuse(http.StatusServiceUnavailable, codeShut, "the door is shut for now")
	errPlain   = refuse(http.StatusForbidden, codePlain, "this connection is not encrypted: you can only listen")
	errGone    = refuse(http.StatusNotFound, codeRequest, "there is no such session, or no longer")
	// Who is sent away by the door's own person stays out for a while; who is removed
	// from the room may come again, if that is what they want.
	errRemoved  = refuse(http.StatusForbidden, codeRemoved, "who runs this door has sent you away")
	errSentAway = refuse(http.StatusForbidden, codeRemoved, "somebody who may has removed you from the room")
	errBanned   = refuse(http.StatusForbidden, codeBanned, "somebody from your address is banned from this room")
	errLocked   = refuse(http.StatusForbidden, codeLocked, "this room takes nobody new for now")
	errTooFast  = refuse(http.StatusTooManyRequests, codeTooFast, "that is more at once than this door passes on: wait a few seconds")
	errNameless = refuse(http.StatusForbidden, codeStage, "say who you are first")
	errRate     = refuse(http.StatusTooManyRequests, codeRate, "too many requests from your address: wait a moment")
)

// refusalOf finds what to tell a guest of an error: less than a node's own person is
// told.
func refusalOf(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if errors.Is(err, ErrHurry) {
		return &refusal{http.StatusTooManyRequests, codeRate, "say it again in a moment"}
	}
	p, ok := errors.AsType[*protocol.Problem](err)
	if !ok {
		return &refusal{http.StatusInternalServerError, codeInternal, "something went wrong inside the node"}
	}
	switch p.Code {
	case protocol.CodeBadRequest:
		return &refusal{http.StatusBadRequest, codeRequest, "the request can't be served"}
	case protocol.CodeNotOnStage:
		return &refusal{http.StatusForbidden, codeStage, "the room does not let you"}
	case protocol.CodeBanned:
		return &refusal{http.StatusForbidden, codeBanned, "you are banned from this room"}
	case protocol.CodeNotAllowed:
		return &refusal{http.StatusForbidden, codeNobody, "nobody moderates this room who could be told"}
	case protocol.CodeTooFast:
		return &refusal{http.StatusTooManyRequests, codeTooFast, "that is more at once than this door passes on: wait a few seconds"}
	case protocol.CodeFullRoom:
		return &refusal{http.StatusServiceUnavailable, codeFull, "this node has no upload to spare for another guest"}
	}
	return &refusal{http.StatusNotFound, codeUnknown, "no such room can be heard here"}
}

// Failure is how the door tells a problem.
type Failure struct {
	Event   string `json:"event"` // "error"
	Code    string `json:"code"`
	Message string `json:"message"`
}

// fail answers a request with a problem.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, err error) {
	told := refusalOf(err)
	if told.status == http.StatusInternalServerError && r.Context().Err() == nil {
		d.log.Error("a guest's request failed", "method", r.Method, "pattern", r.Pattern, "err", err)
	}
	if told.status == http.StatusServiceUnavailable || told.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // of the body some may be unread
	}
	answer(w, told.status, Failure{"error", told.code, told.message})
}
