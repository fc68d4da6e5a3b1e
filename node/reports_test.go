package node

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
	"github.com/earshot-audio/earshot/protocol/pb"
)

func (r *running) reportsOf(room string) web.RoomReports {
	r.t.Helper()
	all, err := r.Reports(r.t.Context(), room)
	must(r.t, err)
	return all
}

func namesOf(people []web.ReportedPerson) (s string) {
	for _, p := range people {
		s += p.Name + " "
	}
	return s
}

// TestReport has a listener report who shouts and writes: the host and a moderator
// have it with the facts, and nobody else; a flood of reports stays small.
func TestReport(t *testing.T) {
	t.Parallel()
	s := newStage(t, "open")
	ana, budi, citra := s.ana(), s.nodes[1], s.nodes[2]
	dewi := start(t, "dewi", ana)
	e := dewi.listen(s.ctx, s.link)
	defer e.stop(t)
	eve := newEnemy(t)
	for _, v := range s.nodes {
		eve.at(v)
		eve.child(v, s.id, pb.Attach_WARM)
	}
	must(t, ana.Grant(s.ctx, s.room, "budi", "moderator"))
	citra.eventually("budi moderates", func() bool { return citra.lawful(s.id).MayModerate(budi.self) })
	before := len(s.ears[1].sources())
	must(t, dewi.talk(s.ctx, s.room, 'a', 60))
	_, err := dewi.Write(s.ctx, s.room, "you idiots")
	must(t, err)
	citra.eventually("dewi is heard and read", func() bool {
		chat, err := citra.Chat(s.ctx, s.room, 0)
		return err == nil && len(chat.Messages) == 1 && len(s.ears[1].sources()) > before
	})

	sent, err := citra.Report(s.ctx, s.room, web.ReportRequest{Peer: "dewi", Why: "shouts at people"})
	if err != nil || len(sent.Told) != 2 || len(sent.Waiting) != 0 || sent.Of.Name != "dewi" {
		t.Fatalf("told %s, waiting %s, %v", namesOf(sent.Told), namesOf(sent.Waiting), err)
	}
	for _, v := range []*running{ana, budi} {
		all := v.reportsOf(s.room)
		if !all.MayRead || len(all.Reports) != 1 {
			t.Fatalf("%s has %+v", v.name, all)
		}
		r := all.Reports[0]
		if r.By.Name != "citra" || r.Of.Peer != dewi.self.String() || r.Why != "shouts at people" || len(r.Said) != 1 || r.Said[0].Text != "you idiots" || r.SpokeMS < 500 || r.SpokeMS > 5000 {
			t.Errorf("%s has %+v", v.name, r)
		}
	}
	for _, v := range []*running{citra, dewi} {
		if all := v.reportsOf(s.room); all.MayRead || len(all.Reports) != 0 {
			t.Errorf("%s has %+v", v.name, all)
		}
	}
	must(t, budi.DismissReport(s.ctx, s.room, 1))
	if n := len(budi.reportsOf(s.room).Reports); n != 0 {
		t.Errorf("%d after it was dismissed", n)
	}
	if err := budi.DismissReport(s.ctx, s.room, 1); codeOf(err) != protocol.CodeBadRequest {
		t.Errorf("dismissed twice: %v", err)
	}

	// Who is reported, and moderates, gets none.
	sent, err = citra.Report(s.ctx, s.room, web.ReportRequest{Peer: "budi"})
	if err != nil || namesOf(sent.Told) != "ana " || len(sent.Waiting) != 0 || len(budi.reportsOf(s.room).Reports) != 0 {
		t.Errorf("told %s, waiting %s, %v", namesOf(sent.Told), namesOf(sent.Waiting), err)
	}
	if _, err := citra.Report(s.ctx, s.room, web.ReportRequest{Peer: "citra"}); codeOf(err) != protocol.CodeBadRequest {
		t.Errorf("of oneself: %v", err)
	}
	if _, err := citra.Report(s.ctx, s.room, web.ReportRequest{Peer: "nobody"}); codeOf(err) != protocol.CodeUnknownPeer {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := citra.Report(s.ctx, s.room, web.ReportRequest{Peer: "dewi", Why: "a\x00b"}); codeOf(err) != protocol.CodeBadRequest {
		t.Errorf("with a reason that is no text: %v", err)
	}

	eve.floodsReports(s)
	for _, v := range s.nodes {
		if got := told(eve, v, (*pb.LinkMessage).GetReport); len(got) != 0 {
			t.Errorf("%s gave %d reports to who is none to have them", v.name, len(got))
		}
	}
	s.unhurt()
}

// floodsReports sends reports, and what is none, to who moderates and by way of
// every node.
func (h *enemy) floodsReports(s *stage) {
	h.t.Helper()
	ana, before := s.ana(), s.dropped("reports too often")
	h.feed(ana, s.id, h.sign(s.id, &protocol.Message{Presence: &protocol.Presence{Name: "eve", Listening: true}}))
	junk := make([]byte, protocol.MaxSealedBytes)
	_, _ = rand.Read(junk) // never fails (crypto/rand)
	for i := range 100 {
		r := &protocol.Report{Of: s.nodes[2].self, Made: time.UnixMilli(int64(i))}
		must(h.t, r.Sign(s.id, h.key))
		for _, to := range []*running{ana, s.nodes[1]} {
			key, err := protocol.PeerKey(to.self)
			must(h.t, err)
			sealed, _, err := r.SealFor(s.id, to.self)
			must(h.t, err)
			for _, v := range s.nodes {
				h.send(v, &pb.LinkMessage{What: &pb.LinkMessage_Report{Report: &pb.SealedReport{Room: s.id[:], To: key, Sealed: sealed}}})
			}
		}
		if i%4 == 0 {
			key, err := protocol.PeerKey(ana.self)
			must(h.t, err)
			h.send(ana, &pb.LinkMessage{What: &pb.LinkMessage_Report{Report: &pb.SealedReport{Room: s.id[:], To: key, Sealed: junk}}})
		}
		time.Sleep(5 * time.Millisecond) // within what a link takes
	}
	ana.eventually("the flood is counted", func() bool { return s.dropped("reports too often") > before+100 })
	for _, v := range s.nodes[:2] {
		if n := len(v.reportsOf(s.room).Reports); n > 6 {
			h.t.Errorf("%s keeps %d reports", v.name, n)
		}
	}
}
