package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// codesOf gives the values of a file's string constants of that prefix.
func codesOf(t *testing.T, file, prefix string) (codes []string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			code, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	if len(codes) < 10 {
		t.Fatalf("%s has only %d codes", file, len(codes))
	}
	return codes
}

// TestFindingsAreExplained: operating.md says of each code that doctor can give
// what it means, and of no other.
func TestFindingsAreExplained(t *testing.T) {
	text, err := os.ReadFile("operating.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	code := regexp.MustCompile("`([a-z0-9-]+)`")
	for line := range strings.Lines(string(text)) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && strings.HasPrefix(line, "| `") {
			for _, match := range code.FindAllStringSubmatch(first, -1) {
				explained = append(explained, match[1])
			}
		}
	}
	given := slices.Concat(codesOf(t, "node/reach/findings.go", "Code"), codesOf(t, "cmd/earshot/examine.go", "code"))
	for _, problem := range codesOf(t, "protocol/problem.go", "Code") { // what a home or an API can have
		if dashed := strings.ReplaceAll(problem, "_", "-"); strings.HasPrefix(dashed, "home-") || dashed == "api-taken" {
			given = append(given, dashed)
		}
	}
	for _, code := range given {
		if !slices.Contains(explained, code) {
			t.Errorf("operating.md does not say what %s means", code)
		}
	}
	for _, code := range explained {
		if !slices.Contains(given, code) {
			t.Errorf("operating.md explains %s, which nothing gives", code)
		}
	}
}
