package protocol

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/earshot-audio/earshot/protocol/pb"
)

// remarks are chat messages that somebody signed for a room, the newest first.
func (p *person) remarks(t testing.TB, room RoomID, n int, text string) (out []Saying) {
	t.Helper()
	for i := range n {
		m := &Message{Boot: 1, Sequence: uint64(i + 1), Chat: &Chat{Order: uint64(i + 1), Name: "eko", Text: text}}
		must(t, m.Seal(room, p.key))
		out = append(out, Saying{time.Duration(i) * time.Second, m})
	}
	return out
}

// TestReportFits: of what is too much the oldest is left out, and what is told is
// told to nobody but whom it was sealed for.
func TestReportFits(t *testing.T) {
	c, room := people(), RoomID{1}
	for _, text := range []string{strings.Repeat("x", MaxChatBytes), "short"} {
		r := &Report{Of: c.stranger.id, Made: time.UnixMilli(5), Name: Name(strings.Repeat("n", MaxNameBytes)), Why: strings.Repeat("w", MaxWhyBytes), Role: RoleHost,
			Said: c.stranger.remarks(t, room, 60, text)}
		for i := range 60 {
			at := time.Duration(i) * time.Second
			r.Spoke = append(r.Spoke, Spurt{at, at / 2})
			r.Reacted = append(r.Reacted, Reacted{at, "🎉"})
		}
		must(t, r.Sign(room, c.announcer.key))
		sealed, proof, err := r.SealFor(room, c.delegate.id)
		must(t, err)
		if len(sealed) > MaxSealedBytes {
			t.Errorf("%d bytes", len(sealed))
		}
		got, back, err := OpenReport(room, c.delegate.key, sealed)
		must(t, err)
		if !proof.Is(back[:]) || got.ID(room) != r.ID(room) || got.Reporter != c.announcer.id {
			t.Errorf("opened as another: %+v", got)
		}
		if len(got.Said) < 4 || len(got.Spoke) < 4 || got.Said[0].Ago != 0 || got.Spoke[1].Ago != time.Second || len(sealed) < MaxSealedBytes-800 && len(got.Spoke) < MaxReported {
			t.Errorf("%d sayings, %d talkspurts, %d reactions in %d bytes", len(got.Said), len(got.Spoke), len(got.Reacted), len(sealed))
		}
		for _, other := range []*person{c.announcer, c.stranger, c.founder} {
			if _, _, err := OpenReport(room, other.key, sealed); !errors.Is(err, ErrMalformed) {
				t.Errorf("opened by another: %v", err)
			}
		}
		again, otherProof, err := r.SealFor(room, c.delegate.id)
		must(t, err)
		if proof.Is(otherProof[:]) || string(again) == string(sealed) {
			t.Error("sealed twice in the same way")
		}
	}
}

func FuzzOpenReport(f *testing.F) {
	c := people()
	room := RoomID(c.tea().Room)
	seed(f, "report.json", func(b []byte, _ string) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, _, err := OpenReport(room, c.delegate.key, b); err == nil && len(b) > MaxSealedBytes {
			t.Errorf("%d bytes taken: %+v", len(b), r)
		}
	})
}

// TestReportForAGuest: it says for whose guest it is, or is not taken.
func TestReportForAGuest(t *testing.T) {
	c, room := people(), RoomID{1}
	r := &Report{Of: c.stranger.id, Guest: c.founder.id, Made: time.UnixMilli(5)}
	must(t, r.Sign(room, c.announcer.key))
	sealed, _, err := r.SealFor(room, c.delegate.id)
	must(t, err)
	got, _, err := OpenReport(room, c.delegate.key, sealed)
	must(t, err)
	if got.Reporter != c.announcer.id || got.Guest != c.founder.id {
		t.Errorf("opened as %+v", got)
	}
	r.Guest = "nobody"
	if err := r.Sign(room, c.announcer.key); err == nil {
		t.Error("a report for a guest without a key is signed")
	}
}

// FuzzReport signs what it is given, to come past seal and signature.
func FuzzReport(f *testing.F) {
	c := people()
	room := RoomID(c.tea().Room)
	seed(f, "report.json", func(b []byte, _ string) {
		r, _, err := OpenReport(room, c.delegate.key, b)
		if err == nil {
			f.Add(r.body)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseReport(room, c.announcer.reports(room[:], body))
		if err != nil {
			return
		}
		if len(r.Said) > MaxReported || len(r.Why) > MaxWhyBytes {
			t.Errorf("taken: %+v", r)
		}
		again := *r
		must(t, again.Sign(room, c.announcer.key))
		b, err := proto.Marshal(&pb.SignedReport{Reporter: c.announcer.pub, Report: again.body, Signature: again.signature})
		must(t, err)
		if len(b) > MaxReportBytes {
			t.Errorf("%d bytes", len(b))
		}
		if _, err := parseReport(room, b); err != nil {
			t.Errorf("signed again: %v", err)
		}
	})
}
