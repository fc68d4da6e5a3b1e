// Package docs holds the house to what architecture.md says of it.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module   = "github.com/earshot-audio/earshot"
	root     = ".."
	mostLine = 500 // of a file
)

// source is one Go file of the house.
type source struct {
	name    string // from the root, with slashes
	dir     string // its package: "node/web"
	text    string
	tree    *ast.File
	imports []string
}

func (s source) generated() bool { return ast.IsGenerated(s.tree) }

// house reads all Go files but tests.
func house(t *testing.T) (files []source) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(set, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(p, root+string(filepath.Separator)))
		s := source{name: name, dir: path.Dir(name), text: string(text), tree: tree}
		for _, i := range tree.Imports {
			s.imports = append(s.imports, strings.Trim(i.Path.Value, `"`))
		}
		files = append(files, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 100 {
		t.Fatalf("only %d files were found", len(files))
	}
	return files
}

// mayImport says whether a package of the house may import another one of it.
// Imports run one way: protocol <- its sub-packages <- the parts of discovery and
// node, which don't know each other <- node, which joins them <- cmd.
func mayImport(from, to string) bool {
	under := func(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }
	switch {
	case to == "protocol/pb":
		return from != to
	case to == "protocol":
		return from != to && from != "protocol/pb"
	case under(to, "protocol"):
		return !under(from, "protocol")
	case to == "discovery":
		return path.Dir(from) == "discovery" || from == "node"
	case under(to, "discovery"):
		return from == "node"
	case to == "node/server":
		return from == "node/web" || from == "node/guest"
	case to == "node/web":
		return from == "node/web/client" || from == "node" || under(from, "cmd")
	case to == "node/web/client":
		return under(from, "cmd")
	case under(to, "node"):
		return to != from && (from == "node" || under(from, "cmd"))
	}
	return under(to, from) || under(from, "cmd") && under(to, "cmd")
}

// exclusive is what one package of the house alone may import, and all below it.
type exclusive struct{ imports, by string }

// only holds for the first that fits.
var only = []exclusive{
	{"github.com/libp2p/go-libp2p-pubsub", "discovery/gossip"},
	{"github.com/pion/opus", "node/level"},
	{"github.com/pion", "node/rtc"},
	{"github.com/libp2p/go-libp2p-kad-dht", "discovery/dht"},
	{"github.com/ipfs", "discovery/dht"},
	{"go.etcd.io/bbolt", "node/store"},
	{"golang.org/x/crypto/acme", "node/guest"},
	{"github.com/prometheus", "node"},
	{"github.com/spf13", "cmd/earshot"},
	{"github.com/BurntSushi/toml", "cmd/earshot"},
}

func TestImports(t *testing.T) {
	for _, s := range house(t) {
		for _, i := range s.imports {
			if to, own := strings.CutPrefix(i, module+"/"); own && !mayImport(s.dir, to) {
				t.Errorf("%s imports %s", s.name, to)
			}
			at := slices.IndexFunc(only, func(o exclusive) bool { return i == o.imports || strings.HasPrefix(i, o.imports+"/") })
			if at >= 0 && s.dir != only[at].by {
				t.Errorf("%s imports %s, which is for %s", s.name, i, only[at].by)
			}
		}
	}
}

// impure are the packages that give a clock, a goroutine, a socket or a file.
var impure = []string{"context", "io/fs", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec", "sync", "sync/atomic", "syscall"}

// clock is what package time has besides times and durations.
var clock = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

func TestProtocolIsPure(t *testing.T) {
	for _, s := range house(t) {
		if !strings.HasPrefix(s.name, "protocol/") || s.generated() {
			continue
		}
		for _, i := range s.imports {
			if slices.Contains(impure, i) {
				t.Errorf("%s imports %s", s.name, i)
			}
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine", s.name)
			}
			if what := ofPackage(n, "time"); slices.Contains(clock, what) {
				t.Errorf("%s calls time.%s", s.name, what)
			}
			return true
		})
	}
}

// ofPackage gives the name that a node selects from a package; "" if it does
// something else.
func ofPackage(n ast.Node, name string) string {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); !ok || x.Name != name {
		return ""
	}
	return s.Sel.Name
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	doc := map[string]string{}
	for _, s := range house(t) {
		if s.tree.Doc != nil || doc[s.dir] == "" {
			doc[s.dir] = s.tree.Doc.Text()
		}
	}
	for dir, text := range doc {
		if !strings.HasPrefix(text, "Package "+path.Base(dir)+" ") && !strings.HasPrefix(text, "Command "+path.Base(dir)+" ") {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// vague are names that say nothing of what is there.
var vague = regexp.MustCompile(`(?i)util|common|manager|helper`)

func TestHouseRules(t *testing.T) {
	for _, s := range house(t) {
		if s.generated() {
			continue
		}
		if lines := strings.Count(s.text, "\n"); lines > mostLine {
			t.Errorf("%s has %d lines, of %d at most: has it one job?", s.name, lines, mostLine)
		}
		if vague.MatchString(s.name) {
			t.Errorf("%s: what is it?", s.name)
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if vague.MatchString(n.Name.Name) {
					t.Errorf("%s: type %s: what is it?", s.name, n.Name.Name)
				}
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s has an init function", s.name)
				}
			case *ast.SelectorExpr:
				if ofPackage(n, "time") == "Sleep" {
					t.Errorf("%s sleeps: await what it waits for", s.name)
				}
			}
			return true
		})
	}
}

// topLevel is all that stands there.
var topLevel = []string{"cmd", "discovery", "docs", "node", "protocol", "go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md"}

func TestTopLevel(t *testing.T) {
	ignored, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left := slices.ContainsFunc(strings.Fields(string(ignored)), func(pattern string) bool {
			match, _ := path.Match(strings.Trim(pattern, "/"), e.Name())
			return match
		})
		if !left && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s stands at the top level", e.Name())
		}
	}
}

// pins are versions that nobody changes in passing.
var pins = map[string]string{
	"github.com/pion/webrtc/v4":            "v4.2.20", // later ones need a pion/transport/v5 that can't be had
	"github.com/pion/dtls/v3":              "v3.1.8",  // from 3.1.1: AES-GCM nonces
	"github.com/pion/interceptor":          "v0.1.48", // its fix of RTP padding
	"github.com/quic-go/quic-go":           "v0.64.1",
	"github.com/libp2p/go-libp2p":          "v0.51.0",
	"github.com/libp2p/go-libp2p-pubsub":   "v0.17.0",
	"github.com/multiformats/go-multiaddr": "v0.16.1",
}

func TestModule(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	versions, directive := map[string]string{}, ""
	for line := range strings.Lines(string(mod)) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		switch {
		case len(words) < 2:
		case words[0] == "go":
			directive = words[1]
		case words[0] == "replace", words[0] == "exclude", words[0] == "toolchain":
			t.Errorf("go.mod: %s", strings.TrimSpace(line))
		case strings.HasPrefix(words[1], "v"):
			versions[words[0]] = words[1]
		}
	}
	if least := "Go " + strings.TrimSuffix(directive, ".0"); directive == "" || !strings.Contains(string(readme), least+" or later") {
		t.Errorf("go.mod needs %s, and the README does not say so", least)
	}
	for name, want := range pins {
		if versions[name] != want {
			t.Errorf("go.mod has %s %s, pinned is %s", name, versions[name], want)
		}
	}
}

// TestDependenciesAreExplained: dependencies.md names each module that go.mod asks
// for directly.
func TestDependenciesAreExplained(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	explained, err := os.ReadFile("dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	major, named := regexp.MustCompile(`/v\d+$`), 0
	for line := range strings.Lines(string(mod)) {
		words := strings.Fields(line)
		if len(words) != 2 || !strings.HasPrefix(words[1], "v") || !strings.Contains(words[0], "/") {
			continue // what is indirect has a comment behind it
		}
		named++
		if name := path.Base(major.ReplaceAllString(words[0], "")); !strings.Contains(string(explained), name) {
			t.Errorf("dependencies.md does not say what %s is for", words[0])
		}
	}
	if named < 20 {
		t.Errorf("go.mod names only %d modules directly", named)
	}
}
