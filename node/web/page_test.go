package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
)

// cookieOf opens the page and gives its cookie as a browser would send it.
func cookieOf(t testing.TB, server *web.Server) string {
	t.Helper()
	response := openPage(t, server, server.PageURL(), nil)
	cookies := response.Cookies()
	if response.StatusCode != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("opening the page: %s with %d cookies", response.Status, len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Fatalf("the cookie is loose: %s", c)
	}
	return c.Name + "=" + c.Value
}

func openPage(t testing.TB, server *web.Server, url string, header http.Header) *http.Response {
	t.Helper()
	all := http.Header{"Authorization": nil}
	for name, values := range header {
		all[name] = values
	}
	return send(t, server, "GET", strings.TrimPrefix(url, server.Address()), all, "")
}

func text(t testing.TB, response *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPage(t *testing.T) {
	server, _ := up(t, newBackend())
	cookie := cookieOf(t, server)
	response := openPage(t, server, "/", http.Header{"Cookie": {cookie}})
	page := text(t, response)
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	for _, words := range []string{"<bdi>quiet-heron</bdi>", "Why the sky is &lt;dark&gt;", "earshot:room/7k2m/x"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page lacks %q", words)
		}
	}
	for _, word := range []string{"<script", token, cookie, "peer", "term ", "relay"} {
		if strings.Contains(page, word) {
			t.Errorf("the page has %q", word)
		}
	}
	// The policy lets in the page's one style sheet, byte for byte.
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) {
		t.Errorf("the policy %q does not fit the style", policy)
	}
}

func TestPageWithoutKey(t *testing.T) {
	server, _ := up(t, newBackend())
	used := server.PageURL()
	openPage(t, server, used, nil)
	for name, path := range map[string]string{"no key": "/", "wrong key": "/open/x", "used key": used} {
		response := openPage(t, server, path, nil)
		if page := text(t, response); response.StatusCode != http.StatusUnauthorized ||
			!strings.Contains(page, "This page has lost its key. Run earshot again to open it.") || strings.Contains(page, "quiet-heron") {
			t.Errorf("%s: %s %s", name, response.Status, page)
		}
		if len(response.Cookies()) != 0 {
			t.Errorf("%s: got a cookie", name)
		}
	}
}

// A browser that looks ahead must not use the key up; one that has the cookie
// already does not need it.
func TestKeyIsUsedByThePersonAlone(t *testing.T) {
	server, _ := up(t, newBackend())
	url := server.PageURL()
	if response := openPage(t, server, url, http.Header{"Sec-Purpose": {"prefetch"}}); len(response.Cookies()) != 0 {
		t.Error("a look ahead got the cookie")
	}
	if response := openPage(t, server, url, http.Header{"Sec-Fetch-Site": {"cross-site"}}); len(response.Cookies()) != 0 {
		t.Error("another site got the cookie")
	}
	response := openPage(t, server, url, nil)
	if len(response.Cookies()) != 1 {
		t.Fatalf("the person: %s", response.Status)
	}
	again := openPage(t, server, url, http.Header{"Cookie": {response.Cookies()[0].Name + "=" + response.Cookies()[0].Value}})
	if again.StatusCode != http.StatusSeeOther {
		t.Errorf("the page opened again: %s", again.Status)
	}
}
