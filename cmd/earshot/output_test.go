package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReplaceFile writes a file anew, and what can't be written over: nothing is left
// beside it.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "room.log")
	for _, text := range []string{"one\n", "two and more\n", "3\n"} {
		if err := replaceFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("it has %q, %v", got, err)
		}
	}
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "room.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(taken, "room.log"), []byte("x")); err == nil {
		t.Error("a directory was written over")
	}
	if err := replaceFile(os.DevNull, []byte("x")); err != nil {
		t.Errorf("what is no file: %v", err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is a file now: %v", os.DevNull, err)
	}
	for where, want := range map[string]int{dir: 2, taken: 1} {
		if left, err := os.ReadDir(where); err != nil || len(left) != want {
			t.Errorf("%d files in %s, %v", len(left), filepath.Base(where), err)
		}
	}
}
