package room

import (
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

const (
	// Sealed reports of one child: to each of the 17 who may moderate, at once. Those
	// for whom the room does not stand have lettersASecond together, and so has each
	// parent; of all twice as many are opened.
	lettersOfOne   = protocol.MaxModerators + 4
	lettersEach    = time.Second
	lettersASecond = 16

	// Reports that are kept. Of one reporter the newest, of newcomers together half.
	maxReports      = 64
	maxReportsOfOne = 4
	maxReportsOfNew = maxReports / 2
)

// CameReport is a report that came to this node.
type CameReport struct {
	*protocol.Report
	N     uint64    // names it here
	Came  time.Time // by the clock on the wall
	ByNew bool      // its reporter was new here, or the guest for whom it is

	id        protocol.ReportID
	at        time.Duration
	dismissed bool // not shown, and known when it comes again
}

// takeReport opens a sealed report, or sends it on to whom it is for.
func (r *Room) takeReport(id protocol.PeerID, m *pb.SealedReport, now time.Duration) {
	to, err := protocol.PeerOf(m.To)
	switch {
	case r.genesis == nil || !r.attached(id):
		r.drop("reports by a stranger")
	case err != nil || len(m.Sealed) > protocol.MaxSealedBytes:
		r.drop("malformed")
	case !r.lawful.MayModerate(to):
		r.drop("reports for nobody who moderates")
	case !r.mayPost(id, now):
		r.drop("reports too often")
	case to == r.cfg.Self:
		r.openReport(id, m.Sealed, now)
	default:
		r.forward(id, to, &pb.LinkMessage{What: &pb.LinkMessage_Report{Report: m}})
	}
}

// takeReceipt notes that a report was opened, or sends the word on.
func (r *Room) takeReceipt(id protocol.PeerID, m *pb.ReportReceipt, now time.Duration) {
	to, err := protocol.PeerOf(m.To)
	switch {
	case r.genesis == nil || !r.attached(id):
		r.drop("reports by a stranger")
	case err != nil || len(m.Proof) != len(protocol.ReportProof{}):
		r.drop("malformed")
	case to == r.cfg.Self:
		r.arrived(m.Proof)
	case !r.lawful.MayModerate(id):
		r.drop("reports for nobody who moderates")
	case !r.mayPost(id, now):
		r.drop("reports too often")
	default:
		r.forward(id, to, &pb.LinkMessage{What: &pb.LinkMessage_ReportReceipt{ReportReceipt: m}})
	}
}

// mayPost counts a child's letters, also those for this node: a crowd must not keep
// others' from being carried or opened. What a parent brings, that one has counted; a
// parent that has not leaves others' opened too.
func (r *Room) mayPost(from protocol.PeerID, now time.Duration) bool {
	p := r.paths[from]
	switch {
	case p.letters != nil:
	case p.child:
		p.letters = rate.NewLimiter(rate.Every(lettersEach), lettersOfOne)
	default:
		p.letters = rate.NewLimiter(lettersASecond, 4*lettersASecond)
	}
	switch {
	case !p.letters.AllowN(instant(now), 1):
		return false
	case !p.child:
		return true
	case !r.within(r.reports.posted, from, now):
		return false
	}
	r.spend(r.reports.posted, from, now)
	return true
}

// forward gives one child's letter to another, or to a parent. What a parent sends is
// for this node.
func (r *Room) forward(from, to protocol.PeerID, m *pb.LinkMessage) {
	if !r.paths[from].child || to == from || !r.attached(to) {
		r.drop("reports for nobody here")
		return
	}
	r.cfg.Links.Send(to, m)
}

// openReport takes a report for this node, and says so to whoever made it, by the way
// it came.
func (r *Room) openReport(by protocol.PeerID, sealed []byte, now time.Duration) {
	if !r.reports.opened.AllowN(instant(now), 1) {
		r.drop("reports too often")
		return
	}
	report, proof, err := protocol.OpenReport(r.cfg.Room, r.cfg.Key, sealed)
	switch {
	case err != nil:
		r.drop("malformed")
		return
	case report.Of == r.cfg.Self, r.senders[report.Reporter] == nil, r.banned(report.Reporter, now), !r.isGuestOf(report, now):
		r.drop("reports by a stranger")
		return
	case !r.keepReport(report, now):
		r.drop("reports too often")
		return
	}
	to, err := protocol.PeerKey(report.Reporter)
	if err != nil {
		return // it was verified by that key
	}
	r.cfg.Links.Send(by, &pb.LinkMessage{What: &pb.LinkMessage_ReportReceipt{ReportReceipt: &pb.ReportReceipt{Room: r.cfg.Room[:], To: to, Proof: proof[:]}}})
}

// isGuestOf says, of a report for a guest, whether that one said to be the reporter's.
func (r *Room) isGuestOf(report *protocol.Report, now time.Duration) bool {
	if report.Guest == "" {
		return true
	}
	s := r.senders[report.Guest]
	return s != nil && s.door == report.Reporter && !r.banned(report.Guest, now)
}

// keepReport keeps a report, unless its reporter says more than is listened to.
func (r *Room) keepReport(report *protocol.Report, now time.Duration) bool {
	c := &CameReport{Report: report, Came: r.cfg.Wall(), ByNew: r.isNew(report.Reporter, now) || report.Guest != "" && r.isNew(report.Guest, now), id: report.ID(r.cfg.Room), at: now}
	s := &r.reports
	if slices.ContainsFunc(s.came, func(o *CameReport) bool { return o.id == c.id }) {
		return true
	}
	byOne := func(o *CameReport) bool { return o.Reporter == c.Reporter && (o.Guest == "") == (c.Guest == "") } // guests leave a person theirs
	byNew := func(o *CameReport) bool { return o.ByNew }
	if countOf(s.came, byOne) >= maxReportsOfOne {
		if oldest := s.came[slices.IndexFunc(s.came, byOne)]; now-oldest.at < maxReportsOfOne*reportEach/2 {
			return false
		}
		s.discard(byOne)
	}
	if c.ByNew && countOf(s.came, byNew) >= maxReportsOfNew {
		s.discard(byNew)
	}
	if len(s.came) >= maxReports && !s.discard(func(o *CameReport) bool { return o.dismissed }) && !s.discard(byNew) {
		s.discard(func(*CameReport) bool { return true })
	}
	s.number++
	c.N = s.number
	s.came = append(s.came, c)
	r.changed()
	return true
}

// discard drops the oldest such report; false if there is none.
func (s *reports) discard(such func(*CameReport) bool) bool {
	i := slices.IndexFunc(s.came, such)
	if i >= 0 {
		s.came = slices.Delete(s.came, i, i+1)
	}
	return i >= 0
}

func countOf[T any](all []T, such func(T) bool) (n int) {
	for _, one := range all {
		if such(one) {
			n++
		}
	}
	return n
}

func (r *Room) dismissReport(n uint64) error {
	i := slices.IndexFunc(r.reports.came, func(c *CameReport) bool { return c.N == n && !c.dismissed })
	if i < 0 || !r.lawful.MayModerate(r.cfg.Self) {
		return ErrNoReport
	}
	r.reports.came[i].dismissed = true
	r.changed()
	return nil
}
