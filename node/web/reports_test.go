package web_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/earshot-audio/earshot/node/web"
	"github.com/earshot-audio/earshot/protocol"
)

func (b *backend) Report(_ context.Context, room string, r web.ReportRequest) (web.SentReport, error) {
	return web.SentReport{Room: room, Of: web.ReportedPerson{Name: r.Peer}, Why: r.Why}, b.act(fmt.Sprintf("report %s, who %s", r.Peer, r.Why), room)
}

func (b *backend) Reports(_ context.Context, room string) (web.RoomReports, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room != "7k2m" {
		return web.RoomReports{}, unknownRoom
	}
	return b.reports, b.fault
}

func (b *backend) DismissReport(_ context.Context, room string, n uint64) error {
	return b.act(fmt.Sprintf("dismiss %d", n), room)
}

func TestReports(t *testing.T) {
	b := newBackend()
	server, c := up(t, b)
	ctx := t.Context()
	sent, err := c.Report(ctx, "7k2m", web.ReportRequest{Peer: "eko", Why: "shouts"})
	if err != nil || sent.Of.Name != "eko" || sent.Told == nil || sent.Waiting == nil {
		t.Errorf("sent %+v, %v", sent, err)
	}
	if err := c.DismissReport(ctx, "7k2m", 3); err != nil {
		t.Error(err)
	}
	if want := []string{"report eko, who shouts 7k2m", "dismiss 3 7k2m"}; !slices.Equal(b.did, want) {
		t.Errorf("did %q, want %q", b.did, want)
	}
	b.reports = web.RoomReports{Room: "7k2m", MayRead: true, Reports: []web.ReportLine{{N: 3, Came: time.Unix(1, 0).UTC(), Why: "<b>shouts</b>"}}, Sent: []web.SentReport{sent}}
	got, err := c.Reports(ctx, "7k2m")
	if err != nil || !got.MayRead || len(got.Reports) != 1 || got.Reports[0].Why != "<b>shouts</b>" || got.Reports[0].Said == nil || got.Reports[0].Spoke == nil || got.Reports[0].Reactions == nil || len(got.Sent) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := c.Reports(ctx, "zzzz"); codeOf(err) != protocol.CodeUnknownRoom {
		t.Errorf("of a room that nobody knows: %v", err)
	}
	for path, body := range map[string]string{"": `{"why":"shouts"}`, "/x/dismiss": "", "/-1/dismiss": ""} {
		header := http.Header{}
		if body != "" {
			header.Set("Content-Type", "application/json")
		}
		if response := send(t, server, "POST", "/api/v1/rooms/7k2m/reports"+path, header, body); response.StatusCode != http.StatusBadRequest {
			t.Errorf("POST %q %s: %s", path, body, response.Status)
		}
	}
}

// TestEventsTellOfReports: that there is one, that it is dismissed, and nothing while
// there is none.
func TestEventsTellOfReports(t *testing.T) {
	b := newBackend()
	_, c := up(t, b)
	events := follow(t, c, "")
	whole(t, events)
	b.change(func(b *backend) { b.reports.MayRead = true })
	b.change(func(b *backend) { b.reports.Reports = []web.ReportLine{{N: 1}} })
	if _, got := next[web.RoomReports](t, events, "reports"); !got.MayRead || len(got.Reports) != 1 {
		t.Errorf("a report: %+v", got)
	}
	b.change(func(b *backend) { b.reports.Reports = nil })
	if _, got := next[web.RoomReports](t, events, "reports"); len(got.Reports) != 0 {
		t.Errorf("dismissed: %+v", got)
	}
}
