package guest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

func (p *person) reports(body string) *http.Response {
	p.t.Helper()
	return p.ask("POST", p.session+"/reports", http.Header{"Content-Type": {"application/json"}}, body)
}

// TestReports: a guest who has said who they are reports somebody, and not ever again.
func TestReports(t *testing.T) {
	b := newBackend()
	_, person := secure(t, b)
	gita, other := person(1), person(2)
	gita.listens()
	const ana = `{"who":"ana","why":"shouts at people"}`
	wants(t, "a report by nobody", gita.reports(ana), http.StatusForbidden)
	wants(t, "gita says who she is", gita.says(gita.here()), http.StatusNoContent)
	for _, body := range []string{"", "[]", "{}", `{"who":7}`, `{"why":"?"}`} {
		wants(t, "a malformed report: "+body, gita.reports(body), http.StatusBadRequest)
	}
	wants(t, "a large report", gita.reports(`{"who":"`+strings.Repeat("a", 2048)+`"}`), http.StatusRequestEntityTooLarge)
	r := gita.reports(ana)
	wants(t, "a report", r, http.StatusCreated)
	if text, _ := io.ReadAll(r.Body); string(text) != `{"told":1,"waiting":0}`+"\n" {
		t.Errorf("who has it is %q", text)
	}
	wants(t, "another one", gita.reports(ana), http.StatusCreated)
	wants(t, "a third one", gita.reports(ana), http.StatusTooManyRequests)
	if len(b.reports) != 2 || b.reports[0].Why != "shouts at people" {
		t.Errorf("told %+v", b.reports)
	}
	other.listens()
	wants(t, "another household says who they are", other.says(other.here()), http.StatusNoContent)
	b.change(func() {
		b.fault = &protocol.Problem{Code: protocol.CodeNotAllowed, Message: "nobody else moderates this room"}
	})
	wants(t, "where nobody moderates", other.reports(ana), http.StatusForbidden)
	other.session = "/api/sessions/another"
	wants(t, "who does not listen", other.reports(ana), http.StatusNotFound)
}

// TestReactionsHavePace: a household shows no more than one in the room may.
func TestReactionsHavePace(t *testing.T) {
	b := newBackend()
	_, person := secure(t, b)
	gita, other := person(1), person(2)
	gita.listens()
	clap := func() string { return gita.word(protocol.Message{Reaction: &protocol.Reaction{Emoji: "👏"}}) }
	refused := 0
	for range 10 {
		if r := gita.says(clap()); r.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 5 {
		t.Errorf("%d of 10 reactions at once were refused", refused)
	}
	other.listens()
	wants(t, "another household's", other.says(other.word(protocol.Message{Reaction: &protocol.Reaction{Emoji: "👏"}})), http.StatusNoContent)
}
