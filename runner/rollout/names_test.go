package rollout

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestNamesAreOneALine(t *testing.T) {
	cases := []struct {
		name, text string
		want       []string
		err        string
	}{
		{"one", "web\n", []string{"web"}, ""},
		{"no newline at the end", "web\nworker", []string{"web", "worker"}, ""},
		{"blanks and comments", "\n # all of them\n web # the site\n\t\nworker\n", []string{"web", "worker"}, ""},
		{"from Windows", "web\r\nworker\r\n", []string{"web", "worker"}, ""},
		{"twice", "web\nweb\n", []string{"web"}, ""},
		{"all characters", "0-a_b.C\n", []string{"0-a_b.C"}, ""},
		{"nothing", "", nil, "it names no service"},
		{"only comments", "# web\n", nil, "it names no service"},
		{"two in a line", "web\nweb worker\n", nil, "line 2"},
		{"no name", "web\n../etc\n", nil, `line 2: "../etc" is no name of a service`},
		{"too long", strings.Repeat("x", 65), nil, "line 1"},
		{"not UTF-8", "\xff\n", nil, `line 1: "?"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			names, err := ParseNames([]byte(c.text))
			switch {
			case c.err == "" && (err != nil || !slices.Equal(names, c.want)):
				t.Errorf("names are %q, %v; want %q", names, err, c.want)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error is %v, want %q in it", err, c.err)
			}
		})
	}
}

// serviceName is what a name may be.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

func FuzzParseNames(f *testing.F) {
	for _, text := range []string{"", "web\n", "web\r\n#x\nworker", "a b", "\xff", strings.Repeat("x", 65)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		names, err := ParseNames(text)
		if err != nil {
			if len(names) > 0 || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q: names %q, error %q", text, names, err)
			}
			return
		}
		again, err := ParseNames([]byte(strings.Join(names, "\n")))
		if err != nil || !slices.Equal(names, again) || len(names) == 0 {
			t.Fatalf("%q: names %q, and these are %q, %v", text, names, again, err)
		}
		for _, name := range names {
			if !serviceName.MatchString(name) {
				t.Fatalf("%q: %q is no name", text, name)
			}
		}
	})
}
