package guest

import (
	"io/fs"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryWordInEveryLanguage: no string is missing in any language, and no blank.
func TestEveryWordInEveryLanguage(t *testing.T) {
	text, err := fs.ReadFile(files(), "words.js")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?s)\n\t('?[\w-]+'?): \{\n(.*?)\n\t\},`)
	entry := regexp.MustCompile(`(\w+): '([^']*)'`)
	blank := regexp.MustCompile(`\{\w+\}`)
	words := map[string]map[string][]string{}
	for _, m := range table.FindAllStringSubmatch(string(text), -1) {
		words[m[1]] = map[string][]string{}
		for _, e := range entry.FindAllStringSubmatch(m[2], -1) {
			blanks := blank.FindAllString(e[2], -1)
			slices.Sort(blanks)
			words[m[1]][e[1]] = blanks
		}
	}
	if len(words) != 4 || len(words["en"]) < 15 {
		t.Fatalf("%d languages, %d words", len(words), len(words["en"]))
	}
	for language, all := range words {
		for key, blanks := range words["en"] {
			if got, ok := all[key]; !ok || !slices.Equal(got, blanks) {
				t.Errorf("%s: %s has %v, want %v", language, key, got, blanks)
			}
		}
		if len(all) != len(words["en"]) {
			t.Errorf("%s has %d words, en %d", language, len(all), len(words["en"]))
		}
	}
}

// TestPageIsSmall: a guest may be on a thin line, and everything comes from here.
func TestPageIsSmall(t *testing.T) {
	const mostSent, mostSource = 24 << 10, 64 << 10 // bytes of all files: as a browser loads them, and as people read them
	sent, source := 0, 0
	for name, f := range packedFiles() {
		text, err := fs.ReadFile(files(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, far := range []string{"https://", "//cdn", "innerHTML", "eval("} {
			if strings.Contains(string(text), far) {
				t.Errorf("%s has %s", name, far)
			}
		}
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
		f.Serve(w, r)
		if w.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", name)
		}
		sent += w.Body.Len()
		source += len(text)
	}
	t.Logf("%d bytes sent, %d of source", sent, source)
	if len(packedFiles()) < 8 || sent > mostSent || source > mostSource {
		t.Errorf("the page of %d files weighs %d bytes sent, %d of source; at most %d and %d", len(packedFiles()), sent, source, mostSent, mostSource)
	}
}
