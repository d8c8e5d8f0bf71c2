package state_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/runner/state"
	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

func releaseIn(t *testing.T, dir string, env ...string) *release.Release {
	t.Helper()
	c, problems := config.Parse("/etc/hupwatch.toml", []byte("[services.web]\ncommand = [\"./web\", \"-v\"]\nlisten = [\"tcp://127.0.0.1:8000\"]\nwarmup = \"3s\"\n"), func(string) (string, bool) { return "", false })
	if c == nil {
		t.Fatal(problems)
	}
	return &release.Release{Service: c.Services[0], Dir: dir, Path: dir + "/web", Program: release.Program{Size: 7, Modified: 9}, Env: env}
}

// openArchive fails the test at any trouble.
func openArchive(t *testing.T, path string) (*state.Archive, map[string]lifecycle.Record) {
	t.Helper()
	return state.OpenArchive(path, "/etc/hupwatch.toml", func(err error) { t.Errorf("trouble: %v", err) })
}

func archivePath(t *testing.T) string { return filepath.Join(t.TempDir(), "releases") }

func TestWhatIsKnownOfReleasesIsKept(t *testing.T) {
	path := archivePath(t)
	a, known := openArchive(t, path)
	if len(known) > 0 {
		t.Errorf("known are %v", known)
	}
	first, second, third := releaseIn(t, "/srv/1", "SECRET=hush", "A=b"), releaseIn(t, "/srv/2"), releaseIn(t, "/srv/3", "A=c")
	a.Keep("other", lifecycle.Record{Refused: &lifecycle.Refusal{Release: &release.Release{Service: first.Service}, Reason: "no such directory"}})
	a.Keep("web", lifecycle.Record{History: lifecycle.History{{Release: first}}})
	a.Keep("web", lifecycle.Record{
		History: lifecycle.History{{Release: second}, {Release: first, Well: true}},
		Refused: &lifecycle.Refusal{Release: third, Reason: "exited with status 3"},
		Waiting: lifecycle.Waiting{Seen: []string{"tcp://127.0.0.1:8000"}, All: true},
	})
	a.Close(time.Minute)
	text := read(t, path)
	if strings.Contains(text, "hush") {
		t.Errorf("a secret is on disk: %s", text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}

	b, known := openArchive(t, path)
	defer b.Close(time.Minute)
	r := known["web"]
	if len(known) != 2 || known["other"].Refused.Reason != "no such directory" || r.History.String() != "/srv/2, /srv/1" || r.History[0].Well || !r.History[1].Well {
		t.Fatalf("known are %+v", known)
	}
	if !reflect.DeepEqual(r.Waiting, lifecycle.Waiting{Seen: []string{"tcp://127.0.0.1:8000"}, All: true}) || r.Refused.Reason != "exited with status 3" {
		t.Errorf("known is %+v", r)
	}
	if got := r.History[1].Release; !reflect.DeepEqual(got.Service, first.Service) || got.Path != first.Path || got.Program != first.Program || got.Env != nil {
		t.Errorf("the release is %+v, with %+v", got, got.Service)
	}
	for _, c := range []struct {
		a, b *release.Release
		same bool
	}{
		{r.History[1].Release, first, true},
		{first, r.History[1].Release, true},
		{r.History[1].Release, releaseIn(t, "/srv/1", "SECRET=other", "A=b"), false},
		{r.History[1].Release, r.History[0].Release, false},
		{r.Refused.Release, third, true},
		{r.Refused.Release, r.Refused.Release, true},
	} {
		if c.a.Same(c.b) != c.same {
			t.Errorf("%s and %s are the same: %v", c.a.Dir, c.b.Dir, !c.same)
		}
	}
}

func TestAnArchiveIsWrittenAnewWhenItHasGrown(t *testing.T) {
	path := archivePath(t)
	a, _ := openArchive(t, path)
	one, other := lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, "/srv/1")}}}, lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, "/srv/2")}}}
	for range 3000 {
		a.Keep("web", one)
		a.Keep("web", other)
	}
	a.Close(time.Minute)
	if info, err := os.Stat(path); err != nil || info.Size() > 600<<10 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	b, known := openArchive(t, path)
	b.Close(time.Minute)
	if got := known["web"].History.String(); got != "/srv/2" {
		t.Errorf("known is %s", got)
	}
}

func TestWhatIsTheSameIsNotWrittenAgain(t *testing.T) {
	path := archivePath(t)
	r := lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, "/srv/1", "A=b")}}}
	a, _ := openArchive(t, path)
	a.Keep("web", r)
	a.Close(time.Minute)
	before := read(t, path)
	for range 3 {
		a, known := openArchive(t, path)
		a.Keep("web", known["web"])
		a.Keep("web", r)
		a.Close(time.Minute)
	}
	if after := read(t, path); after != before {
		t.Errorf("it was\n%s and is\n%s", before, after)
	}
}

// Garbage in one line never costs another.
func TestDamageCostsNoMoreThanItsLine(t *testing.T) {
	path := archivePath(t)
	a, _ := openArchive(t, path)
	for _, name := range []string{"a", "b", "c"} {
		a.Keep(name, lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, "/srv/"+name)}}})
	}
	a.Close(time.Minute)
	whole := read(t, path)
	lines := strings.SplitAfter(whole, "\n")
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"a torn end":     {whole[:len(whole)-10], 2},
		"garbage":        {lines[0] + lines[1] + "\x00\xff{}\n" + lines[2] + lines[3], 3},
		"another shape":  {lines[0] + `{"service":"a","releases":[{"config":{"Command":7},"dir":"/x","path":"/x"}]}` + "\n" + lines[2] + lines[3], 2},
		"no command":     {lines[0] + `{"service":"a","releases":[{"config":{},"dir":"/x","path":"/x"}]}` + "\n" + lines[2] + lines[3], 2},
		"a bad name":     {lines[0] + `{"service":"../a"}` + "\n" + lines[2] + lines[3], 2},
		"another file":   {"#!/bin/sh\n", 0},
		"a later schema": {`{"hupwatch_releases":99,"salt":"x"}` + "\n" + lines[1], 0},
		"another config": {strings.Replace(lines[0], "/etc/", "/opt/", 1) + lines[1], 0},
		"nothing":        {"", 0},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var troubles []error
		a, known := state.OpenArchive(path, "/etc/hupwatch.toml", func(err error) { troubles = append(troubles, err) })
		a.Keep("d", lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, "/srv/d")}}})
		a.Close(time.Minute)
		if len(known) != c.want || len(troubles) != 1 {
			t.Errorf("%s: known are %d, want %d; troubles: %v", name, len(known), c.want, troubles)
		}
		b, known := openArchive(t, path)
		b.Close(time.Minute)
		if len(known) != c.want+1 {
			t.Errorf("%s: afterwards known are %d, want %d", name, len(known), c.want+1)
		}
	}
}

// What is in it is run as root.
func TestAnArchiveThatOthersCanWriteToIsNotUsed(t *testing.T) {
	path := archivePath(t)
	a, _ := openArchive(t, path)
	a.Keep("web", lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, "/srv/1")}}})
	a.Close(time.Minute)
	if err := os.Chmod(path, 0o622); err != nil {
		t.Fatal(err)
	}
	var trouble error
	a, known := state.OpenArchive(path, "/etc/hupwatch.toml", func(err error) { trouble = err })
	a.Close(time.Minute)
	if len(known) > 0 || trouble == nil || !strings.Contains(trouble.Error(), "lets others write") {
		t.Errorf("known are %v, trouble is %v", known, trouble)
	}
}

// A key that is newer than the hupwatch that wrote the file is no change.
func TestAnOldLineHasTheDefaultsOfNewKeys(t *testing.T) {
	path := archivePath(t)
	text := `{"hupwatch_releases":1,"config":"/etc/hupwatch.toml","salt":"x"}` + "\n" +
		`{"service":"web","releases":[{"config":{"Name":"web","Command":["./web"],"SomeKeyOfTheFuture":1},"dir":"/srv/1","path":"/srv/1/web","environment_digest":"x"}]}` + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a, known := openArchive(t, path)
	a.Close(time.Minute)
	want := config.Default()
	want.Name, want.Command = "web", []string{"./web"}
	if got := known["web"].History[0].Release.Service; !reflect.DeepEqual(got, want) {
		t.Errorf("the configuration is %+v, want %+v", got, want)
	}
}

func TestADiskThatIsFullIsToldOnceAndEverythingIsKeptLater(t *testing.T) {
	path := archivePath(t)
	if err := os.Mkdir(path+".new", 0o700); err != nil { // stands in the way
		t.Fatal(err)
	}
	troubles := make(chan error, 10)
	a, _ := state.OpenArchive(path, "/etc/hupwatch.toml", func(err error) { troubles <- err })
	for _, dir := range []string{"/srv/1", "/srv/2", "/srv/3"} {
		a.Keep("web", lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, dir)}}})
	}
	<-troubles
	if err := os.Remove(path + ".new"); err != nil {
		t.Fatal(err)
	}
	a.Keep("other", lifecycle.Record{History: lifecycle.History{{Release: releaseIn(t, "/srv/4")}}})
	a.Close(time.Minute)
	b, known := openArchive(t, path)
	b.Close(time.Minute)
	if len(known) != 2 || known["web"].History.String() != "/srv/3" {
		t.Errorf("known are %v", known)
	}
}
