package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

// reports has a node report another.
func (n *node) reports(of *node, why string) {
	n.w.t.Helper()
	n.w.tell("%v reports %v", n, of)
	if _, err := n.room.Report(context.Background(), of.id, why, time.UnixMilli(5)); err != nil {
		n.w.t.Fatalf("%v: %v", n, err)
	}
	synctest.Wait()
}

func (n *node) desk() Reports {
	n.w.t.Helper()
	all, err := n.room.Reports(context.Background())
	if err != nil {
		n.w.t.Fatalf("%v: %v", n, err)
	}
	return all
}

// told gives who has the last report that a node sent, and who has not.
func (n *node) told() (told, waiting string) {
	last := n.desk().Sent[0]
	letters := func(ids []protocol.PeerID) string {
		var s []string
		for _, p := range ids {
			s = append(s, n.w.letter(p))
		}
		slices.Sort(s)
		return strings.Join(s, "")
	}
	return letters(last.Told), letters(last.Waiting)
}

// read says how many reports each node shows.
func (w *world) read() (counts string) {
	for _, n := range inRoom(w.nodes) {
		counts += fmt.Sprint(len(n.desk().Came))
	}
	return counts
}

// moderated is a settled room of which the first three nodes moderate.
func moderated(t *testing.T, nodes int, test func(w *world)) {
	asking(t, 1, nodes, func(w *world) {
		for _, n := range w.nodes[1:3] {
			w.nodes[0].grants(n, protocol.RoleModerator)
		}
		w.sleep(2 * time.Second)
		test(w)
	})
}

// TestReportReachesModeratorsAlone: with what the reporter's node knows, and proof of
// what was written.
func TestReportReachesModeratorsAlone(t *testing.T) {
	t.Parallel()
	moderated(t, 6, func(w *world) {
		villain, reporter := w.nodes[4], w.nodes[5]
		villain.writes("an hour ago")
		w.sleep(protocol.ReportSpan + time.Second)
		villain.writes("you idiots")
		if err := villain.room.React(context.Background(), "👎"); err != nil {
			t.Fatal(err)
		}
		villain.raises(true)
		w.sleep(2 * time.Second)
		reporter.reports(villain, " shouts  at people ")
		w.sleep(soon)
		if told, waiting := reporter.told(); told != "abc" || waiting != "" {
			t.Fatalf("told %q, waiting %q", told, waiting)
		}
		if got := w.read(); got != "111000" {
			t.Fatalf("shown: %s", got)
		}
		for _, n := range w.nodes[:3] {
			r := n.desk().Came[0]
			if r.Reporter != reporter.id || r.Of != villain.id || r.Name != "e" || r.Role != protocol.RoleListener || r.Why != "shouts at people" || !r.Hand || r.Muted {
				t.Errorf("%v has %+v", n, r.Report)
			}
			if len(r.Said) != 1 || r.Said[0].Message.Chat.Text != "you idiots" || len(r.Reacted) != 1 || r.Reacted[0].Ago < 1900*ms {
				t.Errorf("%v has %+v, %+v", n, r.Said, r.Reacted)
			}
		}
		if desk := w.nodes[3].desk(); desk.MayRead || !w.nodes[1].desk().MayRead {
			t.Error("it is not told who may read")
		}
		if err := w.nodes[1].room.DismissReport(context.Background(), 1); err != nil {
			t.Error(err)
		}
		if err := w.nodes[1].room.DismissReport(context.Background(), 1); !errors.Is(err, ErrNoReport) {
			t.Errorf("dismissed twice: %v", err)
		}
		if got := w.read(); got != "101000" {
			t.Errorf("shown after one was dismissed: %s", got)
		}
	})
}

// TestWhoIsReportedHasNoPartInIt: neither moderator nor relay.
func TestWhoIsReportedHasNoPartInIt(t *testing.T) {
	t.Parallel()
	moderated(t, 6, func(w *world) {
		villain := w.relay()
		w.nodes[5].reports(villain, "")
		w.sleep(2 * reportPause)
		told, waiting := w.nodes[5].told()
		if want := strings.ReplaceAll("abc", villain.String(), ""); told != want || waiting != "" {
			t.Errorf("told %q, waiting %q, not %q", told, waiting, want)
		}
		if len(villain.desk().Came) != 0 || strings.Contains(w.letters, "f"+villain.String()) {
			t.Errorf("%v is reported, and the letters went %s", villain, w.letters)
		}
	})
}

// TestReportWaitsForModerators: who comes later is told; and nobody, where nobody
// else moderates.
func TestReportWaitsForModerators(t *testing.T) {
	moderated(t, 6, func(w *world) {
		late := w.nodes[2]
		late.leaves()
		w.nodes[4].writes("before")
		w.sleep(time.Second)
		w.nodes[5].reports(w.nodes[4], "")
		w.sleep(10 * time.Second)
		if told, waiting := w.nodes[5].told(); told != "ab" || waiting != "c" {
			t.Fatalf("told %q, waiting %q", told, waiting)
		}
		late.enters(asks(w.nodes[0]))
		w.sleep(5 * time.Second)
		if told, waiting := w.nodes[5].told(); told != "abc" || waiting != "" {
			t.Errorf("after it came: told %q, waiting %q", told, waiting)
		}
		// What it only recalls is nothing that it heard in the last minute.
		late.reports(w.nodes[4], "")
		w.sleep(soon)
		if r := w.nodes[0].desk().Came[0]; r.Reporter != late.id || len(r.Said) != 0 || late.page() != "before" {
			t.Errorf("%v tells of %+v, and shows %q", late, r.Said, late.page())
		}
	})
	asking(t, 1, 3, func(w *world) {
		if _, err := w.nodes[2].room.Report(context.Background(), w.nodes[0].id, "", time.Time{}); !errors.Is(err, ErrNobodyElse) {
			t.Errorf("of the only one who moderates: %v", err)
		}
		if _, err := w.nodes[0].room.Report(context.Background(), w.nodes[2].id, "", time.Time{}); !errors.Is(err, ErrNobodyElse) {
			t.Errorf("by the only one who moderates: %v", err)
		}
	})
}

// TestReportByOneWhoHides: by the relay alone, which knows where it is; and if it is
// the relay that it reports, by nobody.
func TestReportByOneWhoHides(t *testing.T) {
	moderated(t, 6, func(w *world) {
		hidden := w.nodes[5]
		hidden.leaves()
		w.sleep(time.Second)
		hidden.lends, hidden.aloof = false, true
		hidden.enters(func(c *Config) { c.RelayOnly = true }, asks(w.relay()))
		w.sleep(5 * time.Second)
		hidden.reports(w.nodes[4], "")
		w.sleep(5 * time.Second)
		if told, waiting := hidden.told(); told != "abc" || waiting != "" {
			t.Errorf("told %q, waiting %q", told, waiting)
		}
		hidden.reports(w.relay(), "")
		w.sleep(5 * time.Second)
		if told, waiting := hidden.told(); told != "" || len(waiting) != 2 {
			t.Errorf("of the relay: told %q, waiting %q", told, waiting)
		}
		for _, way := range strings.Fields(w.letters) {
			if strings.HasPrefix(way, "f") && way != "f"+w.relay().String() {
				t.Errorf("the letters went %s", w.letters)
			}
		}
	})
}

// TestReportOutlivesTheRelay: one that went by a relay which died goes by the next.
func TestReportOutlivesTheRelay(t *testing.T) {
	moderated(t, 7, func(w *world) {
		gone := w.relay()
		gone.kill()
		w.nodes[6].reports(w.nodes[5], "")
		w.sleep(settling)
		told, waiting := w.nodes[6].told()
		if want := strings.ReplaceAll("abc", gone.String(), ""); told != want || waiting != gone.String() {
			t.Errorf("%v is dead: told %q, waiting %q", gone, told, waiting)
		}
	})
}

// TestReportsOfManyArePatient: how much one may report, how much is passed on, and
// whose reports push out whose.
func TestReportsOfManyArePatient(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0) // the founder
	hear := func(n *node) {
		s.senders[n.id] = &sender{at: s.clock}
	}
	came := func(from *node, why string) bool {
		before := s.reports.number
		s.deliver(from, &protocol.Report{Of: s.nodes[3].id, Why: why})
		return s.reports.number > before
	}
	for _, n := range s.nodes[1:3] {
		p := s.pathTo(n.id)
		p.child = true
	}
	if came(s.nodes[1], "a stranger") || s.dropped["reports by a stranger"] != 1 {
		t.Errorf("of one who never was here: %v", s.dropped)
	}
	for _, n := range s.nodes[1:] {
		hear(n)
	}
	for i := range maxReportsOfOne {
		if !came(s.nodes[1], fmt.Sprint(i)) {
			t.Errorf("the %d. is refused: %v", i+1, s.dropped)
		}
	}
	if came(s.nodes[1], "too much") || s.dropped["reports too often"] != 1 {
		t.Errorf("five at once: %v", s.dropped)
	}
	if came(s.nodes[1], "0") { // again: its receipt was lost
		t.Error("one is kept twice")
	}
	if s.lastSent.GetReportReceipt() == nil {
		t.Error("what comes again is not answered")
	}
	s.clock += time.Minute
	if !came(s.nodes[1], "later") || len(s.reports.came) != maxReportsOfOne || s.reports.came[0].Why != "1" {
		t.Errorf("a minute later: %d kept", len(s.reports.came))
	}

	// A crowd of new keys pushes out its own reports, and not those of who has been here.
	s.senders[s.nodes[2].id].here = 2 * newFor
	if !came(s.nodes[2], "of one known") {
		t.Error("refused")
	}
	for i := range 2 * maxReports {
		n := newNode(&world{t: t, seed: uint64(1000 + i)}, 0)
		hear(n)
		s.clock += time.Second
		s.deliver(n, &protocol.Report{Of: s.nodes[3].id})
	}
	if n := len(s.reports.came); n != maxReportsOfNew+1 {
		t.Errorf("%d are kept: %v", n, s.dropped)
	}
	if !slices.ContainsFunc(s.reports.came, func(c *CameReport) bool { return c.Why == "of one known" }) {
		t.Error("new keys pushed out who has been here")
	}
}

// TestAParentDrownsNoReports: those that come by another way are opened, whatever one
// parent sends.
func TestAParentDrownsNoReports(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 0)
	above, child := s.nodes[1], s.nodes[2]
	s.pathTo(above.id)
	s.parents[above.id] = &parent{accepted: true}
	s.senders[child.id] = &sender{at: s.clock}
	junk := &pb.SealedReport{Room: s.cfg.Room[:], To: keyOf(t, s.cfg.Self), Sealed: make([]byte, 100)}
	for range 1000 {
		s.linkMessage(above.id, &pb.LinkMessage{What: &pb.LinkMessage_Report{Report: junk}}, s.clock)
	}
	s.deliver(child, &protocol.Report{Of: above.id, Why: "keeps others' words back"})
	if len(s.reports.came) != 1 {
		t.Errorf("%d came: %v", len(s.reports.came), s.dropped)
	}
}

// TestLettersAreCarriedForChildrenAlone: for one who moderates, of bounded size and
// number.
func TestLettersAreCarriedForChildrenAlone(t *testing.T) {
	s := still(t, protocol.StageHost, 4, 1)
	founder, child, other := s.nodes[0].id, s.nodes[2].id, s.nodes[3].id
	send := func(from, to protocol.PeerID, size int) bool {
		s.lastSent = nil
		key, err := protocol.PeerKey(to)
		if err != nil {
			t.Fatal(err)
		}
		s.linkMessage(from, &pb.LinkMessage{What: &pb.LinkMessage_Report{Report: &pb.SealedReport{Room: s.cfg.Room[:], To: key, Sealed: make([]byte, size)}}}, s.clock)
		return s.lastSent.GetReport() != nil
	}
	if send(child, founder, 100) {
		t.Error("passed on for a stranger")
	}
	s.pathTo(child).child = true
	if send(child, founder, 100) {
		t.Error("passed on to one who is not here")
	}
	s.pathTo(founder).child = true
	s.pathTo(other).child = true
	for _, c := range []struct {
		to   protocol.PeerID
		size int
		want bool
	}{{founder, 100, true}, {founder, protocol.MaxSealedBytes, true}, {founder, protocol.MaxSealedBytes + 1, false}, {other, 100, false}, {s.cfg.Self, 100, false}, {child, 100, false}} {
		if got := send(child, c.to, c.size); got != c.want {
			t.Errorf("%d bytes to %v: passed on %v", c.size, c.to, got)
		}
	}
	passed := 0
	for range 100 {
		if send(child, founder, 100) {
			passed++
		}
	}
	if passed >= lettersOfOne || s.dropped["reports too often"] == 0 {
		t.Errorf("%d passed on at once: %v", passed, s.dropped)
	}
	receipt := &pb.LinkMessage{What: &pb.LinkMessage_ReportReceipt{ReportReceipt: &pb.ReportReceipt{Room: s.cfg.Room[:], To: keyOf(t, child), Proof: make([]byte, 32)}}}
	for from, want := range map[protocol.PeerID]bool{founder: true, other: false} {
		s.lastSent = nil
		if s.linkMessage(from, receipt, s.clock); (s.lastSent.GetReportReceipt() != nil) != want {
			t.Errorf("a receipt of %v: %v", from, s.lastSent)
		}
	}
}

// TestLastMinuteOfASpeaker: when they spoke, also if nobody told that they stopped.
func TestLastMinuteOfASpeaker(t *testing.T) {
	s := still(t, protocol.StageOpen, 2, 0)
	budi := s.nodes[1]
	s.says(1, 1, 1, presence("budi"))
	source := protocol.SourceOf(s.cfg.Room, budi.id, protocol.Session{1})
	s.voices[source] = &voice{owner: budi.id}
	spoke := func() (out []protocol.Spurt) { return s.lastMinute(budi.id, s.clock).Spoke }
	for _, c := range []struct {
		after    time.Duration
		speaking bool
	}{{0, true}, {2 * time.Second, false}, {50 * time.Second, true}} {
		s.clock += c.after
		s.noteSpurt(source, c.speaking, s.clock)
	}
	s.clock += 3 * time.Second
	if got := spoke(); !slices.Equal(got, []protocol.Spurt{{Ago: 55 * time.Second, Lasted: 2 * time.Second}, {Ago: 3 * time.Second, Lasted: 3 * time.Second}}) {
		t.Errorf("spoke %v", got)
	}
	delete(s.voices, source)
	s.forgetMinutes(s.clock)
	s.clock += 59 * time.Second
	if got := spoke(); len(got) != 1 || got[0].Ago != protocol.ReportSpan || got[0].Lasted != time.Second {
		t.Errorf("a while later: spoke %v", got)
	}
	s.clock += 2 * time.Second
	if got := spoke(); len(got) != 0 || len(s.minutes) != 0 {
		t.Errorf("a minute later: spoke %v", got)
	}
}

// deliver hands over a report of n's, sealed for this node.
func (s *stillness) deliver(n *node, r *protocol.Report) {
	s.t.Helper()
	s.pathTo(n.id).child = true
	err := r.Sign(s.cfg.Room, n.key)
	if err != nil {
		s.t.Fatal(err)
	}
	sealed, _, err := r.SealFor(s.cfg.Room, s.cfg.Self)
	if err != nil {
		s.t.Fatal(err)
	}
	s.lastSent = nil
	s.linkMessage(n.id, &pb.LinkMessage{What: &pb.LinkMessage_Report{Report: &pb.SealedReport{Room: s.cfg.Room[:], To: keyOf(s.t, s.cfg.Self), Sealed: sealed}}}, s.clock)
}

func keyOf(t testing.TB, p protocol.PeerID) []byte {
	t.Helper()
	key, err := protocol.PeerKey(p)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
