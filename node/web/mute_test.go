package web_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func (b *backend) Mute(_ context.Context, room string, muted bool) error {
	return b.act(fmt.Sprintf("mute %v", muted), room)
}

func TestMute(t *testing.T) {
	b := newBackend()
	server, _ := up(t, b)
	ask := func(room, body string) int {
		return send(t, server, "POST", "/api/v1/rooms/"+room+"/mute", http.Header{"Content-Type": {"application/json"}}, body).StatusCode
	}
	for body, want := range map[string]int{
		``: 400, `{}`: 400, `{"muted":null}`: 400, `{"muted":1}`: 400, `{"muted":true,"peer":"ana"}`: 400, `[true]`: 400,
	} {
		if got := ask("7k2m", body); got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
	if len(b.did) > 0 {
		t.Fatalf("did %q", b.did)
	}
	if got := []int{ask("7k2m", `{"muted":true}`), ask("7k2m", `{"muted":false}`), ask("zzzz", `{"muted":true}`)}; !slices.Equal(got, []int{204, 204, 404}) {
		t.Errorf("answered %v", got)
	}
	if want := []string{"mute true 7k2m", "mute false 7k2m", "mute true zzzz"}; !slices.Equal(b.did, want) {
		t.Errorf("did %q, want %q", b.did, want)
	}
}
