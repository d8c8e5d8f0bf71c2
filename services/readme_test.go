package services_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// README.md leads through the code: every file and function that it names is there.
func TestTheWaysThroughTheCodeExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile("`([a-z/]+\\.go) (\\w+)`").FindAllStringSubmatch(string(text), -1)
	if len(steps) < 50 {
		t.Errorf("%d steps, want all of four ways", len(steps))
	}
	known := make(map[string]map[string]bool)
	for _, step := range steps {
		file, name := step[1], step[2]
		if known[file] == nil {
			known[file] = declared(t, filepath.Join("..", file))
		}
		if !known[file][name] {
			t.Errorf("%s has no %s", file, name)
		}
	}
}

// declared are the functions and variables of a file.
func declared(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names[d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, name := range v.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
	return names
}
