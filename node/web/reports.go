package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/protocol"
)

// Reports is what people tell who moderates a room about somebody in it.
type Reports interface {
	// Report tells the room's host and moderators of somebody, and waits a moment
	// for them to have it. CodeNotAllowed: nobody but this node, and who is meant,
	// moderates there.
	Report(ctx context.Context, room string, r ReportRequest) (SentReport, error)
	// Reports gives those that came to this node, which moderates the room, and
	// those that it sent.
	Reports(ctx context.Context, room string) (RoomReports, error)
	// DismissReport takes one of those that came off the list.
	DismissReport(ctx context.Context, room string, n uint64) error
}

// ReportRequest tells of somebody.
type ReportRequest struct {
	Peer string `json:"peer"`          // a name in the room, the beginning of a peer ID, or one
	Why  string `json:"why,omitempty"` // the person's own words
}

// SentReport is a report by this node's person, and who has it.
type SentReport struct {
	Room    string           `json:"room"`
	Of      ReportedPerson   `json:"of"`
	Why     string           `json:"why"`
	Made    time.Time        `json:"made"`
	Told    []ReportedPerson `json:"told"`    // the host and moderators who have it
	Waiting []ReportedPerson `json:"waiting"` // who gets it if they come while this node is in the room
}

// ReportedPerson is whom a report is of, by or for.
type ReportedPerson struct {
	Peer    string        `json:"peer"` // peer ID
	Name    string        `json:"name"` // as they call themselves; "": not known
	Petname protocol.Name `json:"petname,omitempty"`
	You     bool          `json:"you"`
}

// RoomReports is what this node has of a room's reports.
type RoomReports struct {
	Room    string       `json:"room"`
	MayRead bool         `json:"may_read"` // this node moderates the room
	Reports []ReportLine `json:"reports"`  // that came to it, the newest first
	Sent    []SentReport `json:"sent"`     // by it, the newest first
}

// ReportLine is what somebody says of another, as their node noted it in the
// minute before. It is their word; but what is in Said was signed by who is meant.
type ReportLine struct {
	N         uint64          `json:"n"` // names it at this node
	Came      time.Time       `json:"came"`
	By        ReportedPerson  `json:"by"`
	Door      *ReportedPerson `json:"door,omitempty"` // by is its guest, for whom it says so
	ByNew     bool            `json:"by_new"`         // they came to the room a short while ago, and nobody here knows them
	Of        ReportedPerson  `json:"of"`
	Why       string          `json:"why"`
	Role      string          `json:"role"` // host, moderator, speaker, carrier or listener
	Muted     bool            `json:"muted"`
	Hand      bool            `json:"hand"` // it was up
	Spoke     []SpokeLine     `json:"spoke"`
	SpokeMS   int64           `json:"spoke_ms"` // together
	Said      []SaidLine      `json:"said"`
	Reactions []ReactedLine   `json:"reactions"`
}

// SpokeLine says that somebody spoke.
type SpokeLine struct {
	AgoMS    int64 `json:"ago_ms"` // it began so long before the report
	LastedMS int64 `json:"lasted_ms"`
}

// SaidLine is what somebody wrote, or said as a caption has it.
type SaidLine struct {
	Kind  string `json:"kind"` // chat or caption
	Text  string `json:"text"`
	AgoMS int64  `json:"ago_ms"`
}

// ReactedLine is one emoji that somebody showed.
type ReactedLine struct {
	Emoji string `json:"emoji"`
	AgoMS int64  `json:"ago_ms"`
}

func (s *Server) report(w http.ResponseWriter, r *http.Request) error {
	var request ReportRequest
	room, err := asked(w, r, &request)
	if err != nil {
		return err
	}
	if request.Peer == "" {
		return malformed("it is not said who is meant", `send {"peer":"budi","why":"shouts at people"}`, nil)
	}
	sent, err := s.backend.Report(r.Context(), room, request)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, sent.whole())
}

func (s *Server) reports(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	reports, err := s.backend.Reports(r.Context(), room)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, reports.whole())
}

func (s *Server) dismissReport(w http.ResponseWriter, r *http.Request) error {
	room, err := roomOf(r)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 64)
	if err != nil {
		return malformed("this is not a report's number", "the list of reports gives each its n", err)
	}
	return doneBy(w, s.backend.DismissReport(r.Context(), room, n))
}

func (s SentReport) whole() SentReport {
	s.Told, s.Waiting = list(s.Told), list(s.Waiting)
	return s
}

func (r RoomReports) whole() RoomReports {
	r.Reports, r.Sent = list(slices.Clone(r.Reports)), list(slices.Clone(r.Sent))
	for i := range r.Reports {
		l := &r.Reports[i]
		l.Spoke, l.Said, l.Reactions = list(l.Spoke), list(l.Said), list(l.Reactions)
	}
	for i := range r.Sent {
		r.Sent[i] = r.Sent[i].whole()
	}
	return r
}
