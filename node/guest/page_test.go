package guest

import (
	"io/fs"
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
	total := 0
	err := fs.WalkDir(files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files(), path)
		total += len(text)
		for _, far := range []string{"https://", "//cdn", "innerHTML", "eval("} {
			if strings.Contains(string(text), far) {
				t.Errorf("%s has %s", path, far)
			}
		}
		return err
	})
	if err != nil || total > 40<<10 {
		t.Errorf("the page takes %d bytes, %v", total, err)
	}
}
