package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"rsc.io/qr"

	"github.com/earshot-audio/earshot/protocol"
)

var runs = regexp.MustCompile(`M(\d+) (\d+)\.5h(\d+)`)

// A link's picture has the modules of its QR code, and a light margin around.
func TestQR(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	for _, hints := range []int{0, 40, 600} {
		b.mu.Lock()
		b.view.Link = "earshot:room/7k2m/" + strings.Repeat("a", hints)
		b.mu.Unlock()
		r := send(t, server, "GET", "/api/v1/rooms/7k2m/qr.svg", nil, "")
		body := text(t, r)
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "image/svg+xml" {
			t.Fatal(r.Status, r.Header.Get("Content-Type"), body)
		}
		want, err := qr.Encode(b.view.Link, qr.L)
		if err != nil {
			t.Fatal(err)
		}
		dark := map[[2]int]bool{}
		for _, m := range runs.FindAllStringSubmatch(body, -1) {
			var x, y, n int
			if _, err := fmt.Sscan(m[1]+" "+m[2]+" "+m[3], &x, &y, &n); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				dark[[2]int{x + i, y}] = true
			}
		}
		side := want.Size + 8
		if !strings.Contains(body, fmt.Sprintf(`viewBox="0 0 %d %d"`, side, side)) {
			t.Errorf("%d modules and a margin of 4: %.120s", want.Size, body)
		}
		for y := range side {
			for x := range side {
				if dark[[2]int{x, y}] != want.Black(x-4, y-4) {
					t.Fatalf("link of %d bytes: module %d, %d is another", len(b.view.Link), x-4, y-4)
				}
			}
		}
	}
	b.fault = &protocol.Problem{Code: protocol.CodeUnknownRoom, Message: "no room is known by this"}
	if r := send(t, server, "GET", "/api/v1/rooms/7k2m/qr.svg", nil, ""); r.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown room's: %s", r.Status)
	}
	if r := send(t, server, "GET", "/api/v1/rooms/7k2m/qr.svg", http.Header{"Authorization": nil}, ""); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", r.Status)
	}
}
