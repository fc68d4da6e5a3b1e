package protocol

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// go test ./protocol -run Vectors -update writes testdata/vectors anew.
var update = flag.Bool("update", false, "write testdata/vectors anew")

const vectorsDir = "testdata/vectors"

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(s []byte) (err error) {
	*b, err = hex.DecodeString(string(s))
	return err
}

// vectors is a file of them: F is what the accepted bytes mean.
type vectors[F any] struct {
	About    string              `json:"about"`
	Seeds    map[string]hexBytes `json:"seeds,omitempty"`
	Accepted []accepted[F]       `json:"accepted"`
	Refused  []refused           `json:"refused,omitempty"`
}

type accepted[F any] struct {
	Name   string   `json:"name"`
	Room   hexBytes `json:"room,omitempty"` // what else the reader knows
	Bytes  hexBytes `json:"bytes,omitempty"`
	Text   string   `json:"text,omitempty"`
	Fields F        `json:"fields"`
	// ReadOnly bytes are to be taken as Fields, but are not what those who
	// write the fields write.
	ReadOnly bool `json:"read_only,omitempty"`
}

type refused struct {
	Name  string   `json:"name"`
	Room  hexBytes `json:"room,omitempty"`
	Bytes hexBytes `json:"bytes,omitempty"`
	Text  string   `json:"text,omitempty"`
	Error string   `json:"error"`
}

// hold writes the vectors or holds the file to them, and gives what the file
// says.
func hold[F any](t testing.TB, file string, made vectors[F]) (read vectors[F]) {
	t.Helper()
	want, err := json.MarshalIndent(made, "", "  ")
	must(t, err)
	want = append(want, '\n')
	path := filepath.Join(vectorsDir, file)
	if *update {
		must(t, os.WriteFile(path, want, 0o644))
	}
	have, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(have, want) {
		t.Fatalf("%s is not what the wire is now: if the wire was meant to change, run the test with -update", path)
	}
	d := json.NewDecoder(bytes.NewReader(have))
	d.DisallowUnknownFields()
	must(t, d.Decode(&read))
	return read
}

// same holds got to want, both shown as JSON.
func same(t testing.TB, name string, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	must(t, err)
	w, err := json.Marshal(want)
	must(t, err)
	if !bytes.Equal(g, w) {
		t.Errorf("%s:\n got %s\nwant %s", name, g, w)
	}
}

// sameBytes holds what was written to the vector, unless that is only for reading.
func (a accepted[F]) sameBytes(t testing.TB, got []byte) {
	t.Helper()
	if !a.ReadOnly && !bytes.Equal(got, a.Bytes) {
		t.Errorf("%s:\n wrote %x\nvector %x", a.Name, got, []byte(a.Bytes))
	}
}

// is holds an error to the refused vector's.
func (r refused) is(t testing.TB, err error) {
	t.Helper()
	if r.Error == "" || errorName(err) != r.Error {
		t.Errorf("%s: %v (%s), not %s", r.Name, err, errorName(err), r.Error)
	}
}

// errorName gives the name of an error by which the vectors call it.
func errorName(err error) string {
	for _, e := range []struct {
		name string
		err  error
	}{{"ErrRoomID", ErrRoomID}, {"ErrPeer", ErrPeer}, {"ErrName", ErrName}, {"ErrText", ErrText}, {"ErrLarge", ErrLarge},
		{"ErrMalformed", ErrMalformed}, {"ErrSignature", ErrSignature}, {"ErrNoRight", ErrNoRight}, {"ErrLinkCut", ErrLinkCut},
		{"ErrLinkForm", ErrLinkForm}, {"ErrFrame", ErrFrame}, {"ErrCertificate", ErrCertificate}, {"ErrLater", ErrLater}} {
		if errors.Is(err, e.err) {
			return e.name
		}
	}
	return ""
}

func TestVectorsAreExplained(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorsDir, "*.json"))
	must(t, err)
	readme, err := os.ReadFile(filepath.Join(vectorsDir, "README.md"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no vectors")
	}
	for _, f := range files {
		if name := filepath.Base(f); !strings.Contains(string(readme), name) {
			t.Errorf("README.md does not speak of %s", name)
		}
		b, err := os.ReadFile(f)
		must(t, err)
		var v vectors[json.RawMessage]
		must(t, json.Unmarshal(b, &v))
		var names []string
		for _, a := range v.Accepted {
			names = append(names, a.Name)
		}
		for _, r := range v.Refused {
			names = append(names, r.Name)
		}
		slices.Sort(names)
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s: two vectors of one name", f)
		}
	}
}
