package web_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

func TestDoctor(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	want := web.Diagnosis{Headline: "Others reach you.", OK: true, Findings: []web.Finding{},
		Reach: web.Reach{Addresses: []string{}, Seen: []string{}, Mapped: []string{}, Circuits: []string{}}}
	for _, of := range []string{"", "7k2m"} {
		if got, err := c.Doctor(t.Context(), of); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("of %q: %+v, %v", of, got, err)
		}
	}
	for _, of := range []string{"zzzz", "/ip4/192.0.2.7/udp/41641/quic-v1/p2p/x", "a&of=b", "…?#%"} {
		if _, err := c.Doctor(t.Context(), of); codeOf(err) != protocol.CodeUnknownRoom {
			t.Errorf("of %q: %v", of, err)
		}
	}
}

func TestMeet(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	for _, r := range []web.MeetRequest{{Link: "earshot:room/7k2m/x"}, {Address: "/ip4/192.0.2.7/tcp/1/p2p/x"}, {Local: true}, {Public: true}} {
		met, err := c.Meet(t.Context(), r)
		if err != nil || !reflect.DeepEqual(met, web.Met{Found: 1, Neighbors: 2, Peers: []string{}}) {
			t.Errorf("%+v: %+v, %v", r, met, err)
		}
	}
	if acts := b.acts.Load(); acts != 4 {
		t.Errorf("%d acts", acts)
	}
	for _, r := range []web.MeetRequest{{}, {Local: true, Public: true}, {Link: "a", Local: true}, {Address: "\n"}} {
		if _, err := c.Meet(t.Context(), r); codeOf(err) != protocol.CodeBadRequest {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// The page's cookie may look for others; another site's page may not.
func TestMeetFromThePage(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	cookie := cookieOf(t, server)
	for origin, want := range map[string]int{server.Address(): http.StatusOK, "http://evil.example": http.StatusForbidden} {
		header := http.Header{"Authorization": nil, "Cookie": {cookie}, "Origin": {origin}, "Content-Type": {"application/json"}}
		if response := send(t, server, "POST", "/api/v1/meet", header, `{"public":true}`); response.StatusCode != want {
			t.Errorf("from %s: %s", origin, response.Status)
		}
	}
	if acts := b.acts.Load(); acts != 1 {
		t.Errorf("%d acts", acts)
	}
}
