package runner

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// Whatever lifecycle says goes over the wire as the word that control has for it.
func TestTheWireHasAWordForEverythingThatCanHappen(t *testing.T) {
	t.Parallel()
	said := words(t, "../services/lifecycle/*.go", "Kind", "Result", "State", "Wanted", "Phase", "Role")
	maps.Copy(said, words(t, "../config/hook.go", "Hook"))
	wire := words(t, "control/words.go", "")
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if wire[name] != said[name] {
			t.Errorf("%s is %q, and %q on the wire", name, said[name], wire[name])
		}
	}
	if len(said) < 70 || len(wire) != len(said) {
		t.Errorf("%d words are said, the wire has %d", len(said), len(wire))
	}
}

// words are the constants of these types in Go files; the empty type is none.
func words(t *testing.T, pattern string, types ...string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			of := ""
			if id, ok := spec.Type.(*ast.Ident); ok {
				of = id.Name
			}
			text, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || text.Kind != token.STRING || !slices.Contains(types, of) {
				return true
			}
			if found[spec.Names[0].Name], err = strconv.Unquote(text.Value); err != nil {
				t.Error(err)
			}
			return true
		})
	}
	return found
}
