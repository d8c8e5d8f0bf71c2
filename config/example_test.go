package config_test

import (
	"os"
	"strings"
	"testing"

	"hupwatch/config"
)

func TestExampleLoadsWithoutProblems(t *testing.T) {
	cfg, problems := config.Parse("/etc/hupwatch.toml", config.Example(), noEnv)
	if len(problems) > 0 || cfg == nil {
		t.Errorf("the example has problems:\n%v\n%s", problems, config.Example())
	}
}

func TestExampleHasEverySupportedKey(t *testing.T) {
	example := "\n" + string(config.Example())
	for _, k := range config.Keys() {
		written := strings.Contains(example, "\n"+k.Name+" = ") || strings.Contains(example, "\n#"+k.Name+" = ") ||
			strings.Contains(example, "["+k.Name) || strings.Contains(example, "."+k.Name+"]")
		if k.Supported() && !written && k.Name != "defaults" {
			t.Errorf("key %s of section %q is not in the example", k.Name, k.Section)
		}
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	for _, k := range config.Keys() {
		if k.Doc == "" || k.Type == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("key %s of section %q lacks documentation: %+v", k.Name, k.Section, k)
		}
		if k.Supported() && k.Type != "table" && k.Example() == "" {
			t.Errorf("key %s of section %q has no example", k.Name, k.Section)
		}
	}
}

// TestKeysThatAreCommentedOutWorkWithTheirCompany holds on to their examples,
// which nothing else decodes.
func TestKeysThatAreCommentedOutWorkWithTheirCompany(t *testing.T) {
	company := map[string]string{"reload_signal": `reload = "signal"`, "publish": "", "overlap": `publish = "/run/x.sock"`}
	found := 0
	for _, k := range config.Keys() {
		if !strings.Contains(string(config.Example()), "\n#"+k.Name+" = ") {
			continue
		}
		found++
		line := k.Name + " = " + k.Example()
		if k.Section == "ready" {
			line = `publish = "/run/x.sock"` + "\nready = { " + line + " }"
		}
		text := "[services.x]\ncommand = [\"x\", \"${HUPWATCH_BIND:-}\"]\n" + company[k.Name] + "\n" + line
		if cfg, problems := config.Parse("/x.toml", []byte(text), noEnv); cfg == nil || len(problems) > 0 {
			t.Errorf("%s\nhas problems:\n%v", text, problems)
		}
	}
	if found < 8 {
		t.Errorf("%d keys are commented out, want at least 8", found)
	}
}

func noEnv(string) (string, bool) { return "", false }

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
