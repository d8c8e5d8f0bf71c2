// Package examples_test loads every configuration among the examples.
package examples_test

import (
	"io/fs"
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
