package web

import (
	"context"
	"net/http"
	"time"
)

// Law is what the API needs of a node to keep a room's log. Errors that say that
// this node may not are CodeNotAllowed.
type Law interface {
	// Act does one thing in a room that its log keeps.
	Act(ctx context.Context, room string, r ActRequest) error
	// Log gives a room's log and what it comes to; ExportLog the same as text that
	// whoever has it can check.
	Log(ctx context.Context, room string) (RoomLog, error)
	ExportLog(ctx context.Context, room string) ([]byte, error)
}

// The acts of ActRequest, and of LogLine.
const (
	ActGrant    = "grant"    // gives Peer the Role
	ActRevoke   = "revoke"   // takes the Role from Peer; without one, to the audience
	ActMute     = "mute"     // Peer, or everybody
	ActUnmute   = "unmute"   // Peer, or everybody
	ActRemove   = "remove"   // Peer, who may come again to listen
	ActBan      = "ban"      // Peer, for ForMS or until lifted
	ActUnban    = "unban"    // Peer
	ActLock     = "lock"     // nobody new comes
	ActUnlock   = "unlock"   //
	ActPause    = "pause"    // microphones off, nobody new, no chat
	ActResume   = "resume"   //
	ActTitle    = "title"    // to Text
	ActTopics   = "topics"   // to Topics
	ActLanguage = "language" // to Text
	ActStage    = "stage"    // to Text: open, host or moderators
	ActPin      = "pin"      // the link Text; "": none
	ActNext     = "next"     // is At; none: not said
	ActClose    = "close"    // in logs alone: the room has a request of its own
	ActReopen   = "reopen"   //
	ActUnknown  = "unknown"  // in logs alone: of a later version
)

// ActRequest is one thing done in a room that its log keeps.
type ActRequest struct {
	Act       string     `json:"act"`
	Peer      string     `json:"peer,omitempty"`       // a name in the room, the beginning of a peer ID, or one
	Role      string     `json:"role,omitempty"`       // speaker, moderator or carrier
	MayUnmute bool       `json:"may_unmute,omitempty"` // who is muted may end it
	ForMS     int64      `json:"for_ms,omitempty"`     // a ban's life
	Text      string     `json:"text,omitempty"`
	Topics    []string   `json:"topics,omitempty"`
	At        *time.Time `json:"at,omitempty"`
}

func (s *Server) doAct(w http.ResponseWriter, r *http.Request) error {
	var request ActRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	if request.Act == "" {
		return malformed("it is not said what to do", `send {"act":"mute","peer":"budi"} or the like`, nil)
	}
	return doneBy(w, s.backend.Act(r.Context(), room, request))
}
