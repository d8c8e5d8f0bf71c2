package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/examples/load"
)

func TestEveryServerHasARecipeOfItsOwn(t *testing.T) {
	t.Parallel()
	taken := make(map[string]string)
	for _, s := range servers {
		dir := filepath.Join("../../examples", s.dir)
		cfg, problems := config.Load(filepath.Join(dir, "hupwatch.toml"))
		if cfg == nil {
			t.Fatal(problems)
		}
		for _, v := range s.variants {
			r := row{server: s, variant: v}
			sub, err := newSubject(&r, cfg)
			if err != nil || len(sub.addresses) == 0 {
				t.Errorf("%s: %v, addresses of %s: %q", s.dir, err, v.service, sub.addresses)
				continue
			}
			for _, address := range sub.addresses {
				if by := taken[address]; by != "" {
					t.Errorf("%s is that of %s and of %s, which run at the same time", address, by, r.name())
				}
				taken[address] = r.name()
			}
		}
		if s.dir != "demo" {
			if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
				t.Error(err)
			}
		}
	}
}

// build builds what a matrix needs, and an example with that command.
func build(t *testing.T, command string) *matrix {
	t.Helper()
	m := &matrix{bin: t.TempDir(), examples: t.TempDir(), reloads: 2, parallel: 1, progress: io.Discard}
	goBuild := exec.Command("go", "build", "-o", m.bin, "../hupwatch", "../../examples/demo")
	if said, err := goBuild.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	dir := filepath.Join(m.examples, "some")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	recipe := `
[daemon]
runtime_dir = "run"
state_dir = "state"
[services.app]
working_dir = "."
listen = ["unix:run/s"]
command = ` + command
	if err := os.WriteFile(filepath.Join(dir, "hupwatch.toml"), []byte(recipe), 0o644); err != nil {
		t.Fatal(err)
	}
	return m
}

var someServer = server{dir: "some", variants: []variant{{service: "app", title: "some"}}}

func TestAPoliteServerLosesNothing(t *testing.T) {
	t.Parallel()
	m := build(t, `["../../bin/demo"]`)
	m.reloads = 6 // at any one stop all slow requests may be the new one's
	r := m.test(t.Context(), someServer)[0]
	if err := r.wrong(true); err != nil || len(r.stops) != m.reloads || r.requests(load.KeepAlive) == 0 {
		t.Errorf("%d reloads, %d requests: %v", len(r.stops), r.requests(), err)
	}
	if r.drainedRequests() == 0 {
		t.Error("no slow request was under way at a stop: the load proves nothing")
	}
	if r.took[0] < time.Second || r.latency() <= 0 {
		t.Errorf("a reload took %s with a warm-up of 1s, the longest answer %s", r.took[0], r.latency())
	}
}

func TestAServerThatCutsWhatIsUnderWayFailsTheRun(t *testing.T) {
	t.Parallel()
	m := build(t, `["sh", "-c", "sh -c 'LISTEN_PID=$$$$ exec ../../bin/demo' & trap 'kill -9 $$!; exit 0' TERM; wait"]`)
	m.reloads = 6 // likewise
	r := m.test(t.Context(), someServer)[0]
	if r.err != nil {
		t.Fatal(r.err)
	}
	if err := r.wrong(false); err == nil || r.failures(load.Slow) == 0 {
		t.Errorf("%d of %d slow requests were lost, error %v, want some and one", r.failures(load.Slow), r.requests(load.Slow), err)
	}
	r.variant.nature = idle // which is about other requests
	if err := r.wrong(false); err == nil {
		t.Error("no error, though what was lost is not its nature")
	}
}

func TestALittleLossIsForgivenWhereItIsTheNatureOfAServer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		nature             nature
		kind               load.Kind
		failures, requests int
		want               bool
	}{
		{nature{}, load.Slow, 0, 0, true},
		{nature{}, load.Fresh, 1, 10000, false},
		{idle, load.KeepAlive, 7, 100, true},
		{idle, load.KeepAlive, 8, 100, false},
		{idle, load.Fresh, 1, 10000, false},
	}
	for _, test := range tests {
		if got := test.nature.explains(test.kind, test.failures, test.requests); got != test.want {
			t.Errorf("%q explains %d of %d %s: %v, want %v", test.nature.why, test.failures, test.requests, test.kind, got, test.want)
		}
	}
}

func TestAnAnswerOfAGenerationThatIsGoneFailsTheRun(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "pid 1 generation 2")
	}))
	t.Cleanup(server.Close)
	for gone, want := range map[int]bool{1: false, 2: true} {
		sub := &subject{row: &row{}, gone: map[int]time.Time{gone: time.Now()}}
		l := load.Start(t.Context(), load.Config{Network: "tcp", Address: server.Listener.Addr().String(), Fresh: 1})
		sub.loads = append(sub.loads, l)
		if _, err := l.Await(t.Context(), func(load.Answer) bool { return true }); err != nil {
			t.Fatal(err)
		}
		sub.finish()
		if err := sub.wrong(false); (err != nil) != want {
			t.Errorf("generation 2 answers, %d is gone: error %v, want one: %v", gone, err, want)
		}
	}
}

func TestWhatCannotBeTestedFailsOnlyInCI(t *testing.T) {
	t.Parallel()
	s := someServer
	s.programs = []string{"no-such-program"}
	r := (&matrix{progress: io.Discard}).test(t.Context(), s)[0]
	if err := r.wrong(false); err != nil {
		t.Error(err)
	}
	if err := r.wrong(true); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("error %v, want one that names the program", err)
	}
	var out bytes.Buffer
	if err := table(&out, []row{r}, false); err != nil || !strings.Contains(out.String(), "| not here |") {
		t.Errorf("%v, table:\n%s", err, &out)
	}
}

func TestAReleaseThatDoesNotComeFailsTheRun(t *testing.T) {
	t.Parallel()
	m := build(t, `["sh", "-c", "mkdir once && exec ../../bin/demo"]`)
	r := m.test(t.Context(), someServer)[0]
	if err := r.wrong(false); err == nil || !strings.Contains(err.Error(), "0 of 1 services were promoted") {
		t.Errorf("error %v, want one that tells it was not promoted", err)
	}
	var out bytes.Buffer
	if err := table(&out, []row{r}, false); err == nil || !strings.Contains(out.String(), "FAILED") {
		t.Errorf("%v, table:\n%s", err, &out)
	}
}

func TestTheGenerationThatAnsweredIsTheFirstThatIsNamed(t *testing.T) {
	t.Parallel()
	self := generation{number: 3, pid: os.Getpid()}
	for body, want := range map[string]bool{
		"web pid 1 generation 3":                                    true,
		"web pid 1 generation 4":                                    false,
		"haproxy generation 3; web generation 9":                    true,
		"haproxy generation 9; web generation 3":                    false,
		"nginx pid " + strconv.Itoa(os.Getpid()) + "; generation 9": true,
		"nginx pid 1; generation 3":                                 false,
		"":                                                          false,
	} {
		if got := self.answered(load.Answer{Body: body}); got != want {
			t.Errorf("%q: %v, want %v", body, got, want)
		}
	}
}

func TestAnUnknownExampleIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-only", "nginx,nignx"}, {"-reloads", "0"}, {"-wrong"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	if err := run(t.Context(), []string{"-help"}, io.Discard, io.Discard); err != nil {
		t.Errorf("help: %v", err)
	}
}
