package config_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"hupwatch/config"
)

func TestDependenciesMayBeInAnyFile(t *testing.T) {
	dir := t.TempDir()
	main := write(t, filepath.Join(dir, "hupwatch.toml"), "include = [\"db.toml\"]\n"+fmt.Sprintf(service, "web")+`depends_on = ["db"]`)
	db := filepath.Join(dir, "db.toml")

	write(t, db, fmt.Sprintf(service, "db"))
	if cfg, problems := config.Load(main); cfg == nil || len(problems) > 0 {
		t.Errorf("got %v", problems)
	}

	write(t, db, fmt.Sprintf(service, "db")+`depends_on = ["web"]`)
	want := db + ":3: services.db.depends_on[0]: they wait for each other, so none would start: db → web → db; take one out"
	if _, problems := config.Load(main); problems.Error() != want {
		t.Errorf("got %v, want %s", problems, want)
	}

	write(t, db, fmt.Sprintf(service, "database"))
	if _, problems := config.Load(main); len(problems) != 1 || !strings.Contains(problems.Error(), `there is no service "db"`) {
		t.Errorf("got %v", problems)
	}
}

// TestOneMistakeIsNotReportedAsAMissingDependency: whoever mends the file that
// cannot be read has the service back.
func TestOneMistakeIsNotReportedAsAMissingDependency(t *testing.T) {
	for name, text := range map[string]string{
		"syntax":      "[services.db\n",
		"not a table": "services.db = 1\n",
		"not there":   "",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			main := write(t, filepath.Join(dir, "hupwatch.toml"), "include = [\"db.toml\"]\n"+fmt.Sprintf(service, "web")+`depends_on = ["db"]`)
			if text != "" {
				write(t, filepath.Join(dir, "db.toml"), text)
			}
			if _, problems := config.Load(main); len(problems) != 1 || strings.Contains(problems.Error(), "there is no service") {
				t.Errorf("got %v", problems)
			}
		})
	}
}

func TestMissingDirectoryIsNotReportedAsAMissingDependency(t *testing.T) {
	text := "include = [\"gone/*.toml\"]\n" + fmt.Sprintf(service, "web") + `depends_on = ["db"]`
	main := write(t, filepath.Join(t.TempDir(), "hupwatch.toml"), text)
	if _, problems := config.Load(main); len(problems) != 1 || !strings.Contains(problems.Error(), "there is no directory") {
		t.Errorf("got %v", problems)
	}

	if cfg, problems := config.Parse(main, []byte(text), noEnv); cfg == nil || len(problems) > 0 {
		t.Errorf("what includes files has problems where they are not read: %v", problems)
	}
}

func TestManyRingsAreFewProblems(t *testing.T) {
	var text strings.Builder
	const services = 60 // each of which waits for all others
	for i := range services {
		var names []string
		for j := range services {
			if j != i {
				names = append(names, fmt.Sprintf("%q", fmt.Sprint("s", j)))
			}
		}
		fmt.Fprintf(&text, "[services.s%d]\ncommand = \"x\"\ndepends_on = [%s]\n", i, strings.Join(names, ", "))
	}
	if _, problems := config.Parse("/x.toml", []byte(text.String()), noEnv); len(problems) == 0 || len(problems) > services/2 {
		t.Errorf("%d problems for %d services", len(problems), services)
	}
}
