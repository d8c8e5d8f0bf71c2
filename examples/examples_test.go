// Package examples_test loads every configuration among the examples.
package examples_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hupwatch/config"
)

func TestEveryExampleIsAValidConfiguration(t *testing.T) {
	t.Parallel()
	found := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".toml" {
			return err
		}
		found++
		cfg, problems := config.Load(path)
		for _, problem := range problems {
			t.Errorf("%v", problem)
		}
		if len(problems) == 0 && len(cfg.Services) == 0 {
			t.Errorf("%s has no services", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 3 {
		t.Errorf("%d configurations found, want at least 3", found)
	}
}

var update = flag.Bool("update", false, "write full.toml and config/README.md anew")

func TestTheFullExampleHasEverySupportedKey(t *testing.T) {
	t.Parallel()
	isGenerated(t, "full.toml", config.Example())
}

func TestTheReferenceHasEverySupportedKey(t *testing.T) {
	t.Parallel()
	isGenerated(t, "../config/README.md", config.Reference())
}

// isGenerated wants the file to be what is generated from the table of keys, or makes
// it so.
func isGenerated(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the key table says; write it with: go test ./examples -update", path)
	}
}
