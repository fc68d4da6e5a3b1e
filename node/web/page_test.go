package web_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-audio/earshot/node/web"
)

// cookieOf opens the page and gives its cookie as a browser would send it.
func cookieOf(t testing.TB, server *web.Server) string {
	t.Helper()
	response := enter(t, server, keyOf(server.PageURL()), nil)
	cookies := response.Cookies()
	if response.StatusCode != http.StatusNoContent || len(cookies) != 1 {
		t.Fatalf("opening the page: %s with %d cookies", response.Status, len(cookies))
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Fatalf("the cookie is loose: %s", c)
	}
	return c.Name + "=" + c.Value
}

func keyOf(url string) string { _, key, _ := strings.Cut(url, "/#key="); return key }

// enter knocks at the door as the page does, with a key.
func enter(t testing.TB, server *web.Server, key string, header http.Header) *http.Response {
	t.Helper()
	body, err := json.Marshal(web.Key{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	all := http.Header{"Authorization": nil, "Origin": {server.Address()}, "Content-Type": {"application/json"}}
	for name, values := range header {
		all[name] = values
	}
	return send(t, server, "POST", "/door", all, string(body))
}

func text(t testing.TB, response *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The page's files are for anybody, and hold nothing of anybody's.
func TestPageFiles(t *testing.T) {
	server, _ := up(t, newBackend())
	stranger := http.Header{"Authorization": nil}
	page := send(t, server, "GET", "/", stranger, "")
	if body := text(t, page); page.StatusCode != http.StatusOK || !strings.Contains(body, `src="/static/app.js"`) || strings.Contains(body, "quiet-heron") {
		t.Fatal(page.Status, body)
	}
	if policy := page.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self'") {
		t.Error(policy)
	}
	for name, want := range map[string]string{"app.js": "text/javascript", "style.css": "text/css", "mark.svg": "image/svg+xml", "words/vi.js": "text/javascript"} {
		r := send(t, server, "GET", "/static/"+name, stranger, "")
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), want) {
			t.Error(name, r.Status, r.Header.Get("Content-Type"))
		}
	}
	for name, header := range map[string]http.Header{"another site": {"Sec-Fetch-Site": {"cross-site"}}, "another name": {"Host": {"evil.example"}}} {
		for _, path := range []string{"/", "/static/app.js"} {
			if r := send(t, server, "GET", path, header, ""); r.StatusCode < 400 {
				t.Errorf("%s gets %s: %s", name, path, r.Status)
			}
		}
	}
	for _, name := range []string{"", "nothing.js", "words", "words/", "%2e%2e/page.go", "app.js/", "app%00.js"} {
		if r := send(t, server, "GET", "/static/"+name, stranger, ""); r.StatusCode == http.StatusOK {
			t.Errorf("%q is served", name)
		}
	}
}

// A key works once, for the node's own page alone.
func TestKey(t *testing.T) {
	server, _ := up(t, newBackend())
	key := keyOf(server.PageURL())
	for name, r := range map[string]*http.Response{
		"another site":  enter(t, server, key, http.Header{"Sec-Fetch-Site": {"cross-site"}}),
		"another place": enter(t, server, key, http.Header{"Origin": {"http://example.org"}}),
		"a form":        enter(t, server, key, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}),
		"wrong key":     enter(t, server, "x", nil),
		"no key":        enter(t, server, "", nil),
	} {
		if r.StatusCode < 400 || len(r.Cookies()) != 0 {
			t.Errorf("%s: %s, %d cookies", name, r.Status, len(r.Cookies()))
		}
	}
	if r := enter(t, server, key, nil); r.StatusCode != http.StatusNoContent || len(r.Cookies()) != 1 {
		t.Fatalf("the person: %s", r.Status)
	}
	if r := enter(t, server, key, nil); r.StatusCode != http.StatusUnauthorized || len(r.Cookies()) != 0 {
		t.Errorf("the same key again: %s", r.Status)
	}
}

// words reads what the page says in one language.
func words(t *testing.T, language string) map[string]string {
	t.Helper()
	b, err := os.ReadFile("static/words/" + language + ".js")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t'([^']+)': '((?:[^'\\]|\\.)*)',$`).FindAllStringSubmatch(string(b), -1) {
		if _, twice := out[m[1]]; twice {
			t.Errorf("%s: %s is there twice", language, m[1])
		}
		out[m[1]] = m[2]
	}
	if lines := strings.Count(string(b), "\n\t'"); lines != len(out) || lines == 0 {
		t.Fatalf("%s: read %d of %d strings", language, len(out), lines)
	}
	return out
}

// No string is missing in any language, none has blanks that another lacks, and
// none is left that nothing says.
func TestWords(t *testing.T) {
	blanks := regexp.MustCompile(`\{\w+\}`)
	english := words(t, "en")
	for _, language := range []string{"id", "vi", "zh"} {
		other := words(t, language)
		for key, text := range english {
			a, b := blanks.FindAllString(text, -1), blanks.FindAllString(other[key], -1)
			slices.Sort(a)
			slices.Sort(b)
			switch {
			case other[key] == "":
				t.Errorf("%s lacks %s", language, key)
			case !slices.Equal(a, b):
				t.Errorf("%s: %s has blanks %v, in English %v", language, key, b, a)
			}
		}
		for key := range other {
			if english[key] == "" {
				t.Errorf("%s has %s, and English does not", language, key)
			}
		}
	}
	var scripts strings.Builder
	err := fs.WalkDir(os.DirFS("static"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".js") || strings.HasPrefix(name, "words/") {
			return err
		}
		b, err := os.ReadFile("static/" + name)
		scripts.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	script := scripts.String()
	for _, m := range regexp.MustCompile(`\bt\('([\w.]*\w)'`).FindAllStringSubmatch(script, -1) {
		if english[m[1]] == "" {
			t.Errorf("the page says %s, which is in no language", m[1])
		}
	}
	for key := range english {
		family, _, _ := strings.Cut(key, ".")
		said := strings.Contains(script, "'"+key+"'") || strings.Contains(script, "'"+family+".' +")
		if role := slices.Contains([]string{"host", "speaker", "carrier", "listener"}, key); !said && !role {
			t.Errorf("nothing says %s", key)
		}
	}
}
