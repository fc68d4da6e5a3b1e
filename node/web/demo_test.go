package web_test

import (
	"net/http"
	"testing"
)

// Only a demo has something to switch off, and only at times.
func TestOnlyADemoIsCut(t *testing.T) {
	for name, c := range map[string]struct {
		cut    func() bool
		status int
	}{
		"no demo":         {nil, http.StatusNotFound},
		"a demo":          {func() bool { return true }, http.StatusNoContent},
		"a demo, not now": {func() bool { return false }, http.StatusConflict},
	} {
		b := newBackend()
		b.cut = c.cut
		server, _ := up(t, b)
		if r := send(t, server, "POST", "/api/v1/demo/cut", nil, ""); r.StatusCode != c.status {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
}
