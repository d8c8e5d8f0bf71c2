package control_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"hupwatch/runner/control"
)

// README.md is the reference of the API: nothing that goes over the wire is missing in
// it.
func TestTheReferenceHasEveryFieldAndEveryWord(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	reference := string(text)
	has := func(word string) bool { return strings.Contains(reference, "`"+word+"`") }
	for _, of := range []any{
		control.Status{},
		control.Service{},
		control.Instance{},
		control.Lacking{},
		control.Incoming{},
		control.Draining{},
		control.Exit{},
		control.Outcome{},
		control.Release{},
		control.Refused{},
		control.Request{},
		control.Event{},
		control.Reload{},
		control.ServiceReload{},
		control.Plan{},
		control.PlanService{},
		control.Line{},
		control.Error{},
	} {
		for field := range reflect.TypeOf(of).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "" && !has(name) {
				t.Errorf("field %s of %T is not in README.md", name, of)
			}
		}
	}
	words, err := os.ReadFile("words.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ += "([^"]+)"`).FindAllStringSubmatch(string(words), -1) {
		n++
		if !has(m[1]) {
			t.Errorf("the word %q is not in README.md", m[1])
		}
	}
	if n < 70 {
		t.Errorf("only %d words were found", n)
	}
}
