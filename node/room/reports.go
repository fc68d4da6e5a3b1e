package room

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// A report goes to the founder and the moderators of the moment, but not to whom it
// is of, each sealed for their key: over a link where there is one, else by way of a
// parent, to which they are attached too. Nobody else learns what it says, and nobody
// but that parent that there is one.

const (
	// What this node's person reports, and what its guests do together: so many at
	// once, and one each reportEach.
	reportsAtOnce = 3
	reportEach    = 20 * time.Second

	maxSent     = 16 // that are remembered
	reportAgain = 2 * time.Second
	reportPause = 30 * time.Second // the longest, between two tries
)

var (
	// ErrNobodyElse is for one who reports where nobody could be told.
	ErrNobodyElse = errors.New("nobody else moderates the room")
	// ErrNoReport is for one who dismisses a report that is not there.
	ErrNoReport = errors.New("no such report")
)

// reports are those of this node's person, and those that came to them.
type reports struct {
	sent          []*sentReport // the oldest first
	own, ofGuests *rate.Limiter

	came   []*CameReport // the oldest first
	number uint64        // of the last one
	posted allowance     // by children
	opened *rate.Limiter
}

type sentReport struct {
	*protocol.Report
	letters []*letter
}

// letter is a report on its way to one who moderates.
type letter struct {
	to     protocol.PeerID
	sealed []byte
	proof  protocol.ReportProof
	told   bool
	tries  int
	next   time.Duration
}

func newReports() reports {
	return reports{
		own:      rate.NewLimiter(rate.Every(reportEach), reportsAtOnce),
		ofGuests: rate.NewLimiter(rate.Every(reportEach), reportsAtOnce),
		posted:   newAllowance("reports", lettersASecond),
		opened:   rate.NewLimiter(2*lettersASecond, 8*lettersASecond),
	}
}

// SentReport is one of this node's person, or of a guest of theirs.
type SentReport struct {
	*protocol.Report
	Told, Waiting []protocol.PeerID
	UnderWay      bool // to one of those who wait
}

// Reports is what a room has of them, the newest first.
type Reports struct {
	MayRead bool         // this node moderates
	Came    []CameReport // if it may
	Sent    []SentReport
}

// Report tells whoever moderates the room what this node knows of somebody, and why
// its person says so; made is the clock on the wall. ErrText: why is no line that can
// be sent; ErrNobodyElse; ErrTooFast.
func (r *Room) Report(ctx context.Context, of protocol.PeerID, why string, made time.Time) (id protocol.ReportID, err error) {
	if e := r.ask(ctx, func(r *Room) { id, err = r.report(&protocol.Report{Of: of, Why: why, Made: made}, r.cfg.Now()) }); e != nil {
		return id, e
	}
	return id, err
}

// GuestReport is Report for a guest of this node, who has no node that could: this one
// says that it is theirs. It is told itself, if it moderates. ErrNoRight: they are not
// its guest, or they mean it, and who is meant carries no report.
func (r *Room) GuestReport(ctx context.Context, guest, of protocol.PeerID, why string, made time.Time) (id protocol.ReportID, err error) {
	if e := r.ask(ctx, func(r *Room) {
		id, err = r.report(&protocol.Report{Guest: guest, Of: of, Why: why, Made: made}, r.cfg.Now())
	}); e != nil {
		return id, e
	}
	return id, err
}

// Reports gives what came, and what was sent.
func (r *Room) Reports(ctx context.Context) (all Reports, err error) {
	err = r.ask(ctx, func(r *Room) { all = r.viewReports() })
	return all, err
}

// DismissReport takes one that came off the list.
func (r *Room) DismissReport(ctx context.Context, n uint64) (err error) {
	if e := r.ask(ctx, func(r *Room) { err = r.dismissReport(n) }); e != nil {
		return e
	}
	return err
}

func (r *Room) report(word *protocol.Report, now time.Duration) (protocol.ReportID, error) {
	why, err := protocol.CleanWhy(word.Why)
	switch {
	case err != nil:
		return protocol.ReportID{}, err
	case r.genesis == nil || word.Guest != "" && !r.mayReportFor(word.Guest, word.Of):
		return protocol.ReportID{}, protocol.ErrNoRight
	}
	to := slices.DeleteFunc(append(r.lawful.Moderators(), r.lawful.Founder()), func(p protocol.PeerID) bool {
		return p == word.Of || p == r.cfg.Self && word.Guest == ""
	})
	if len(to) == 0 {
		return protocol.ReportID{}, ErrNobodyElse
	}
	pace := r.reports.own
	if word.Guest != "" {
		pace = r.reports.ofGuests
	}
	if !pace.AllowN(instant(now), 1) {
		return protocol.ReportID{}, ErrTooFast
	}
	s := &sentReport{Report: r.lastMinute(word.Of, now)}
	s.Guest, s.Made, s.Why = word.Guest, word.Made, why
	if err := s.Sign(r.cfg.Room, r.cfg.Key); err != nil {
		return protocol.ReportID{}, err
	}
	for _, p := range to {
		l, err := r.letterTo(p, s.Report, now)
		if err != nil {
			return protocol.ReportID{}, err
		}
		s.letters = append(s.letters, l)
	}
	r.reports.sent = append(r.reports.sent[max(0, len(r.reports.sent)-maxSent+1):], s)
	r.tendReports(now)
	r.changed()
	return s.ID(r.cfg.Room), nil
}

// mayReportFor says whether this node may say that a guest reports somebody.
func (r *Room) mayReportFor(guest, of protocol.PeerID) bool {
	return r.doorOf(guest) == r.cfg.Self && of != r.cfg.Self && of != guest
}

// letterTo seals a report for one who moderates. This node itself has it at once.
func (r *Room) letterTo(p protocol.PeerID, report *protocol.Report, now time.Duration) (l *letter, err error) {
	l = &letter{to: p}
	if p != r.cfg.Self {
		l.sealed, l.proof, err = report.SealFor(r.cfg.Room, p)
		return l, err
	}
	if !r.keepReport(report, now) {
		return nil, ErrTooFast
	}
	l.told = true
	return l, nil
}

// tendReports sends what has not arrived, to those who are here.
func (r *Room) tendReports(now time.Duration) {
	r.forgetMinutes(now)
	for _, s := range r.reports.sent {
		for _, l := range s.letters {
			if !l.told && now >= l.next && r.lawful.MayModerate(l.to) && (r.members[l.to] != nil || r.attached(l.to)) {
				r.sendLetter(s.Of, l, now)
			}
		}
	}
}

// sendLetter sends a letter on its way, never by way of whom it is about.
func (r *Room) sendLetter(about protocol.PeerID, l *letter, now time.Duration) {
	via, ok := r.wayTo(l.to, about, l.tries)
	if !ok {
		return
	}
	to, err := protocol.PeerKey(l.to)
	if err != nil {
		return // it was sealed for that key
	}
	l.next = now + min(reportAgain<<min(l.tries, 8), reportPause)
	l.tries++
	r.cfg.Links.Send(via, &pb.LinkMessage{What: &pb.LinkMessage_Report{Report: &pb.SealedReport{Room: r.cfg.Room[:], To: to, Sealed: l.sealed}}})
}

// wayTo gives whom to send to what is for p: itself, or a parent other than not, in
// turn.
func (r *Room) wayTo(p, not protocol.PeerID, turn int) (via protocol.PeerID, ok bool) {
	if r.attached(p) {
		return p, true
	}
	var ways []protocol.PeerID
	for _, id := range []protocol.PeerID{r.relay, r.standby} {
		if id != not && r.attached(id) {
			ways = append(ways, id)
		}
	}
	if len(ways) == 0 {
		return "", false
	}
	return ways[turn%len(ways)], true
}

// attached says whether p is a child of this node, or a parent.
func (r *Room) attached(p protocol.PeerID) bool {
	at := r.paths[p]
	return at != nil && (at.child || r.isParent(p))
}

// arrived notes by its proof which letter did.
func (r *Room) arrived(proof []byte) {
	for _, s := range r.reports.sent {
		for _, l := range s.letters {
			if !l.told && l.proof.Is(proof) {
				l.told = true
				r.changed()
			}
		}
	}
}

func (r *Room) viewReports() Reports {
	v := Reports{MayRead: r.genesis != nil && r.lawful.MayModerate(r.cfg.Self)}
	for _, c := range slices.Backward(r.reports.came) {
		if v.MayRead && !c.dismissed {
			v.Came = append(v.Came, *c)
		}
	}
	for _, s := range slices.Backward(r.reports.sent) {
		sent := SentReport{Report: s.Report}
		for _, l := range s.letters {
			switch {
			case l.told:
				sent.Told = append(sent.Told, l.to)
			case r.lawful.MayModerate(l.to):
				sent.Waiting = append(sent.Waiting, l.to)
				sent.UnderWay = sent.UnderWay || l.tries > 0
			}
		}
		v.Sent = append(v.Sent, sent)
	}
	return v
}
