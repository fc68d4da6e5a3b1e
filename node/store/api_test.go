package store

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/earshot-audio/earshot/protocol"
)

func TestAPIFile(t *testing.T) {
	home := t.TempDir()
	_, _, err := ReadAPIFile(home)
	wantProblem(t, err, protocol.CodeNoNode)
	if err := WriteAPIFile(home, "http://127.0.0.1:8733", "secret"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, apiFile)
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 {
		t.Error(i.Mode(), err)
	}
	if b, _ := os.ReadFile(path); string(b) != `{"api":"http://127.0.0.1:8733","token":"secret"}`+"\n" {
		t.Errorf("%s", b)
	}
	if api, token, err := ReadAPIFile(home); api != "http://127.0.0.1:8733" || token != "secret" || err != nil {
		t.Error(api, token, err)
	}
	if err := RemoveAPIFile(home, "http://127.0.0.1:9999", "secret"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("another node's file was removed")
	}
	if err := RemoveAPIFile(home, "http://127.0.0.1:8733", "secret"); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(home); len(left) != 0 {
		t.Error("left behind:", left)
	}
	if err := RemoveAPIFile(home, "http://127.0.0.1:8733", "secret"); err != nil {
		t.Error("removing nothing:", err)
	}
}

func TestAPIFileUnwritable(t *testing.T) {
	home := filepath.Join(t.TempDir(), "file")
	os.WriteFile(home, nil, 0o600)
	wantProblem(t, WriteAPIFile(home, "http://127.0.0.1:1", "t"), protocol.CodeHomeUnwritable)
}

func TestAPIFileMalformed(t *testing.T) {
	for _, content := range []string{"", "{", "[]", `{"token":"t"}`} {
		home := t.TempDir()
		os.WriteFile(filepath.Join(home, apiFile), []byte(content), 0o600)
		_, _, err := ReadAPIFile(home)
		wantProblem(t, err, protocol.CodeNoNode)
	}
}

// TestAPIFileIsAlwaysWhole reads while it is written.
func TestAPIFileIsAlwaysWhole(t *testing.T) {
	home := t.TempDir()
	if err := WriteAPIFile(home, "http://127.0.0.1:1", "t"); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 100 {
			if err := WriteAPIFile(home, "http://127.0.0.1:1", "t"); err != nil {
				t.Error(err)
			}
		}
	})
	for range 300 {
		if _, _, err := ReadAPIFile(home); err != nil {
			t.Error(err)
		}
	}
	writer.Wait()
}
