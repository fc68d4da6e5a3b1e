package protocol

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// Report is what somebody tells who moderates a room about another in it: what
// their node knows of that one's last minute. It is the reporter's word, also where it
// is said for a guest; what is
// in Said was signed by who is meant. Each Ago is back from when it was made, at
// most ReportSpan.
type Report struct {
	Reporter PeerID // set by Sign
	Guest    PeerID // the reporter's, whose word it passes on; "": it is its own person's
	Of       PeerID
	Made     time.Time // by the reporter's clock; shown, never decides
	Why      string    // as CleanWhy gives it; "": not said
	Name     Name      // as who is meant calls themselves; "": not known
	Role     Role
	Muted    bool // by who moderates
	Hand     bool // is up
	Spoke    []Spurt
	Said     []Saying
	Reacted  []Reacted

	body, signature []byte
}

// Spurt says that somebody spoke.
type Spurt struct {
	Ago    time.Duration // when they began
	Lasted time.Duration // at most Ago
}

// Saying is what somebody wrote to all, or a caption of what they said.
type Saying struct {
	Ago     time.Duration
	Message *Message // Chat or Caption; verified by OpenReport
}

// Reacted is an emoji that somebody showed.
type Reacted struct {
	Ago   time.Duration
	Emoji string
}

// ReportID names a report: the SHA-256 of its reporter and of what was signed.
type ReportID [sha256.Size]byte

// CleanWhy trims and normalises what a person says of why they report. ErrText:
// too long or not printable.
func CleanWhy(s string) (string, error) {
	return text(strings.Join(strings.Fields(s), " "), MaxWhyBytes)
}

// Sign signs r for a room as its reporter, which it sets. Of what does not fit
// MaxReportBytes the oldest is left out.
func (r *Report) Sign(room RoomID, key crypto.PrivKey) error {
	signer, err := key.GetPublic().Raw()
	if err != nil {
		return err
	}
	if r.Reporter, err = PeerOf(signer); err != nil {
		return err
	}
	body, err := r.wire(reportRoom)
	if err != nil {
		return err
	}
	if r.body, err = (proto.MarshalOptions{Deterministic: true}).Marshal(body); err != nil {
		return err
	}
	r.signature, err = sign(key, domainReport, room[:], r.body)
	return err
}

// ID gives the name of a report that was signed or opened.
func (r *Report) ID(room RoomID) ReportID {
	return sha256.Sum256(covered(string(r.Reporter), room[:], r.body))
}

// reportRoom is what a SignedReport leaves for the Report in it: beside that are
// a key, a signature, and three tags with lengths.
const reportRoom = MaxReportBytes - 32 - 64 - 2*2 - 3

// wire gives the report as it is signed, within so many bytes.
func (r *Report) wire(room int) (*pb.Report, error) {
	of, err := PeerKey(r.Of)
	if err != nil {
		return nil, err
	}
	w := &pb.Report{Of: of, MadeMs: uint64(max(0, r.Made.UnixMilli())), Why: r.Why, Name: string(r.Name), Role: uint32(r.Role), Muted: r.Muted, Hand: r.Hand}
	if r.Guest != "" {
		if w.Guest, err = PeerKey(r.Guest); err != nil {
			return nil, err
		}
	}
	type part struct {
		ago time.Duration
		add func()
	}
	var parts []part
	for _, s := range r.Spoke {
		parts = append(parts, part{s.Ago, func() {
			w.Spoke = append(w.Spoke, &pb.Spurt{AgoMs: millis(s.Ago), LastedMs: millis(s.Lasted)})
		}})
	}
	for _, s := range r.Said {
		parts = append(parts, part{s.Ago, func() {
			w.Said = append(w.Said, &pb.Saying{AgoMs: millis(s.Ago), Message: s.Message.Raw})
		}})
	}
	for _, s := range r.Reacted {
		parts = append(parts, part{s.Ago, func() {
			w.Reacted = append(w.Reacted, &pb.Reacted{AgoMs: millis(s.Ago), Emoji: s.Emoji})
		}})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.ago, b.ago) })
	for _, p := range parts {
		spoke, said, reacted := w.Spoke, w.Said, w.Reacted
		if p.add(); proto.Size(w) > room || len(w.Spoke) > MaxReported || len(w.Said) > MaxReported || len(w.Reacted) > MaxReported {
			w.Spoke, w.Said, w.Reacted = spoke, said, reacted
		}
	}
	return w, nil
}

func millis(d time.Duration) uint32 { return uint32(min(max(d, 0), ReportSpan) / time.Millisecond) }

// parseReport reads and verifies a SignedReport.
func parseReport(room RoomID, b []byte) (*Report, error) {
	if len(b) > MaxReportBytes {
		return nil, ErrLarge
	}
	var signed pb.SignedReport
	var w pb.Report
	if proto.Unmarshal(b, &signed) != nil || proto.Unmarshal(signed.Report, &w) != nil {
		return nil, ErrMalformed
	}
	reporter, err := PeerOf(signed.Reporter)
	if err != nil {
		return nil, err
	}
	if err := verify(reporter, domainReport, room[:], signed.Report, signed.Signature); err != nil {
		return nil, err
	}
	r := &Report{Reporter: reporter, Made: time.UnixMilli(int64(min(w.MadeMs, maxCreatedMS))), Muted: w.Muted, Hand: w.Hand, body: signed.Report, signature: signed.Signature}
	if w.Role <= uint32(RoleHost) { // else one of a later version
		r.Role = Role(w.Role)
	}
	if r.Of, err = PeerOf(w.Of); err != nil {
		return nil, err
	}
	if len(w.Guest) > 0 {
		if r.Guest, err = PeerOf(w.Guest); err != nil {
			return nil, err
		}
	}
	if r.Why, err = CleanWhy(w.Why); err != nil || r.Why != w.Why {
		return nil, ErrText
	}
	if r.Name, err = ParseName(w.Name); w.Name != "" && (err != nil || string(r.Name) != w.Name) {
		return nil, ErrName
	}
	return r, r.takeFacts(room, &w)
}

// takeFacts reads what who is meant did. What they are to have said has to bear
// their signature.
func (r *Report) takeFacts(room RoomID, w *pb.Report) error {
	if len(w.Spoke) > MaxReported || len(w.Said) > MaxReported || len(w.Reacted) > MaxReported {
		return ErrLarge
	}
	for _, s := range w.Spoke {
		if s.AgoMs > millis(ReportSpan) || s.LastedMs > s.AgoMs {
			return ErrMalformed
		}
		r.Spoke = append(r.Spoke, Spurt{ago(s.AgoMs), ago(s.LastedMs)})
	}
	for _, s := range w.Reacted {
		reaction, err := takeReaction(&pb.Reaction{Emoji: s.Emoji})
		if err != nil || s.AgoMs > millis(ReportSpan) {
			return ErrMalformed
		}
		r.Reacted = append(r.Reacted, Reacted{ago(s.AgoMs), reaction.Emoji})
	}
	for _, s := range w.Said {
		m, err := ParseMessage(s.Message)
		switch {
		case err != nil:
			return err
		case m.From != r.Of || m.Chat == nil && m.Caption == nil || s.AgoMs > millis(ReportSpan):
			return ErrMalformed
		}
		if err := m.Verify(room); err != nil {
			return err
		}
		r.Said = append(r.Said, Saying{ago(s.AgoMs), m})
	}
	return nil
}

func ago(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }
