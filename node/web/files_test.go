package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"testing"
)

// pageFiles gives the paths of all the page's files.
func pageFiles(t *testing.T) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("static"), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, "/static/"+name)
		}
		return err
	})
	if err != nil || len(paths) < 10 {
		t.Fatalf("the page has %d files, %v", len(paths), err)
	}
	return paths
}

// The page is light: it is there at once, on slow machines too.
func TestPageWeight(t *testing.T) {
	const (
		mostSent   = 150_000 // bytes of all files, as a browser loads them
		mostSource = 350_000 // as people read them
	)
	server, _ := up(t, newBackend())
	sent, source := 0, 0
	for _, path := range pageFiles(t) {
		packed := text(t, send(t, server, "GET", path, http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}}, ""))
		plain := text(t, send(t, server, "GET", path, http.Header{"Accept-Encoding": {"identity"}}, ""))
		sent += len(packed)
		source += len(plain)
		r, err := gzip.NewReader(bytes.NewReader([]byte(packed)))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if unpacked, err := io.ReadAll(r); err != nil || string(unpacked) != plain {
			t.Errorf("%s is another file compressed, %v", path, err)
		}
	}
	t.Logf("%d bytes sent, %d of source", sent, source)
	if sent > mostSent || source > mostSource {
		t.Errorf("the page weighs %d bytes sent, %d of source; at most %d and %d", sent, source, mostSent, mostSource)
	}
}

func TestFileEncodings(t *testing.T) {
	server, _ := up(t, newBackend())
	for accept, want := range map[string]string{
		"identity": "", "br": "", "gzip": "gzip", "br, GZIP": "gzip", "gzip;q=0": "", "gzip; q=0.000": "", "gzip;q=0.5, *;q=0": "gzip",
		"gzip;q=x": "", "x-gzip": "", "gzip;": "gzip", ",;,": "",
	} {
		for _, path := range []string{"/", "/static/words/vi.js"} {
			r := send(t, server, "GET", path, http.Header{"Accept-Encoding": {accept}}, "")
			if got := r.Header.Get("Content-Encoding"); got != want || r.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s for %q: %q, by %q", path, accept, got, r.Header.Get("Vary"))
			}
			if length := int64(len(text(t, r))); r.ContentLength != length || length == 0 {
				t.Errorf("%s for %q: %d bytes, said to be %d", path, accept, length, r.ContentLength)
			}
		}
	}
}

// What a browser has is not sent again, unless it is in another encoding.
func TestFilesAreKept(t *testing.T) {
	server, _ := up(t, newBackend())
	get := func(encoding, tag string) *http.Response {
		return send(t, server, "GET", "/static/app.js", http.Header{"Accept-Encoding": {encoding}, "If-None-Match": {tag}}, "")
	}
	packed, plain := get("gzip", `"other"`), get("identity", "")
	for _, r := range []*http.Response{packed, plain} {
		if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s, %q", r.Status, r.Header.Get("Cache-Control"))
		}
	}
	if packed.Header.Get("ETag") == plain.Header.Get("ETag") || plain.Header.Get("ETag") == "" {
		t.Errorf("two representations are one: %s", plain.Header.Get("ETag"))
	}
	if again := get("gzip", packed.Header.Get("ETag")); again.StatusCode != http.StatusNotModified || text(t, again) != "" {
		t.Errorf("what is there already: %s", again.Status)
	}
	if other := get("gzip", plain.Header.Get("ETag")); other.StatusCode != http.StatusOK {
		t.Errorf("in another encoding: %s", other.Status)
	}
}

// What the API answers is never compressed: it holds what others wrote beside
// what is a person's own.
func TestAnswersAreNotCompressed(t *testing.T) {
	server, _ := up(t, newBackend())
	for _, path := range []string{"/api/v1/node", "/api/v1/rooms", "/api/v1/openapi.json", "/metrics", "/static/none.js"} {
		if r := send(t, server, "GET", path, http.Header{"Accept-Encoding": {"gzip"}}, ""); r.Header.Get("Content-Encoding") != "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %q, %q", path, r.Header.Get("Content-Encoding"), r.Header.Get("Cache-Control"))
		}
	}
}

// All modules are asked for at once: without that, each waits for the one that
// imports it.
func TestPagePreloadsItsModules(t *testing.T) {
	imports := regexp.MustCompile(`(?m)^(?:import|export) .*from '([^']+)'`)
	var need []string
	var follow func(module string)
	follow = func(module string) {
		source, err := os.ReadFile("." + module)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range imports.FindAllStringSubmatch(string(source), -1) {
			if other := path.Join(path.Dir(module), m[1]); !slices.Contains(need, other) {
				need = append(need, other)
				follow(other)
			}
		}
	}
	follow("/static/app.js")
	index, err := os.ReadFile("static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	var has []string
	for _, m := range regexp.MustCompile(`<link rel="modulepreload" href="([^"]+)">`).FindAllStringSubmatch(string(index), -1) {
		has = append(has, m[1])
		if !slices.Contains(need, m[1]) {
			t.Errorf("index.html preloads %s, which nothing imports: take it out", m[1])
		}
	}
	for _, module := range need {
		if !slices.Contains(has, module) {
			t.Errorf("index.html lacks <link rel=\"modulepreload\" href=%q>: put it in", module)
		}
	}
}
