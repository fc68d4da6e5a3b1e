package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustOpen(t testing.TB, home string) *Store {
	t.Helper()
	s, err := Open(home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// wantProblem checks a problem's code, and that it fits on a line and says what
// to do.
func wantProblem(t *testing.T, err error, code string) {
	t.Helper()
	var p *protocol.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem %q", err, code)
	}
	if p.Code != code || p.Hint == "" || strings.Contains(p.Error(), "\n") {
		t.Fatalf("got %+v, want %q", p, code)
	}
}

func TestOpenMakesAPrivateHome(t *testing.T) {
	home := filepath.Join(t.TempDir(), "a", "home")
	mustOpen(t, home)
	for path, mode := range map[string]os.FileMode{home: 0o700, filepath.Join(home, file): 0o600} {
		if i, err := os.Stat(path); err != nil || i.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", path, i.Mode(), err, mode)
		}
	}
}

func TestHomeInUse(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	_, err := Open(home)
	wantProblem(t, err, protocol.CodeHomeInUse)
	_, err = Examine(home)
	wantProblem(t, err, protocol.CodeHomeInUse)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, home)
}

func TestExamine(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if there, err := Examine(home); there || err != nil {
		t.Errorf("nothing is there, told %v, %v", there, err)
	}
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Errorf("it made the home: %v", err)
	}
	fill(t, home)
	if there, err := Examine(home); !there || err != nil {
		t.Errorf("a home is there, told %v, %v", there, err)
	}
	mustOpen(t, home) // it holds nothing
}

func TestHomeUnwritable(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
	os.MkdirAll(filepath.Join(dir, "home", file), 0o700)
	for _, home := range []string{
		filepath.Join(dir, "file"),         // not a directory
		filepath.Join(dir, "file", "home"), // nor could one be made there
		filepath.Join(dir, "home"),         // the database is a directory
	} {
		_, err := Open(home)
		wantProblem(t, err, protocol.CodeHomeUnwritable)
	}
}

func TestHomeNewer(t *testing.T) {
	home := t.TempDir()
	s := mustOpen(t, home)
	err := s.update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(nodeBucket)).Put([]byte(versionKey), bytesOf(Version+1))
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	before, _ := os.ReadFile(filepath.Join(home, file))
	_, err = Open(home)
	wantProblem(t, err, protocol.CodeHomeNewer)
	_, err = Examine(home)
	wantProblem(t, err, protocol.CodeHomeNewer)
	if after, _ := os.ReadFile(filepath.Join(home, file)); !bytes.Equal(before, after) {
		t.Error("the newer database was changed")
	}
}

// fill makes a home with some of everything in it.
func fill(t testing.TB, home string) {
	t.Helper()
	s := mustOpen(t, home)
	if _, err := s.Identity(); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		room := Room{ID: protocol.RoomID{byte(i)}, Title: strings.Repeat("room ", 20), Genesis: make([]byte, 300)}
		if err := s.SaveRoom(room); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedDatabaseIsLeftAlone(t *testing.T) {
	whole := t.TempDir()
	fill(t, whole)
	good, err := os.ReadFile(filepath.Join(whole, file))
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	other := t.TempDir()
	db, err := bbolt.Open(filepath.Join(other, "other"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("widgets")); return err })
	db.Close()
	foreign, _ := os.ReadFile(filepath.Join(other, "other"))

	for name, content := range map[string][]byte{
		"text":              []byte("not a database"),
		"zeros":             make([]byte, 8*page),
		"cut to a page":     good[:page],
		"cut to two pages":  good[:2*page],
		"cut to five pages": good[:5*page],
		"cut in half":       good[:len(good)/2],
		"scribbled":         scribbled(good, page),
		"another program's": foreign,
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			path := filepath.Join(home, file)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time: not for the lock's sake
				_, err := Open(home)
				wantProblem(t, err, protocol.CodeHomeDamaged)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
				t.Error("the file was changed")
			}
		})
	}
}

// scribbled overwrites all pages but the first two, which hold the roots.
func scribbled(good []byte, page int) []byte {
	b := bytes.Clone(good)
	r := rand.New(rand.NewPCG(1, 2))
	for i := 2 * page; i < len(b); i++ {
		b[i] = byte(r.Uint32())
	}
	return b
}

// FuzzOpen: a database with bytes changed opens or is refused; it never brings
// the program down.
func FuzzOpen(f *testing.F) {
	whole := f.TempDir()
	fill(f, whole)
	good, err := os.ReadFile(filepath.Join(whole, file))
	if err != nil {
		f.Fatal(err)
	}
	for i := range 12 {
		f.Add(uint32(i*4096+8), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		f.Add(uint32(i*4096+16), []byte{0xff, 0xff, 0xff, 0x7f})
		for to := range 12 { // pages that point at each other
			f.Add(uint32(i*4096+16+8), []byte{byte(to), 0})
		}
	}
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		home := t.TempDir()
		b := bytes.Clone(good)
		copy(b[int(at)%len(b):], change)
		if err := os.WriteFile(filepath.Join(home, file), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(home); err == nil {
			s.Rooms()
			s.Identity()
			s.Remembered(1)
			for i := range 10 {
				s.SaveRoom(Room{ID: protocol.RoomID{byte(i)}, Title: strings.Repeat("x", 500*i)})
			}
			s.Close()
		}
	})
}
