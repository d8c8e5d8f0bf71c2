package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hupwatch/examples/load"
)

func TestExitCodeSaysHowTheDemoEnded(t *testing.T) {
	t.Parallel()
	termed, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		args []string
		want int
	}{
		{"stopped", termed, nil, 0},
		{"stopped while it boots", termed, []string{"-boot", "1h"}, 0},
		{"told to fail", t.Context(), []string{"-fail"}, 3},
		{"told to fail later", t.Context(), []string{"-fail-after", "10ms"}, 3},
		{"deaf to the stop", termed, []string{"-ignore-term", "-boot", "1ms", "-fail-after", "10ms"}, 3},
		{"unknown flag", t.Context(), []string{"-polite"}, 2},
		{"address in use", t.Context(), []string{"-addr", os.TempDir() + "/"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-addr", filepath.Join(t.TempDir(), "s")}, tt.args...)
			var stderr bytes.Buffer
			if got := run(tt.ctx, args, &stderr); got != tt.want {
				t.Errorf("exit code %d, want %d\n%s", got, tt.want, &stderr)
			}
		})
	}
}

func TestWithoutASocketItSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	if got := run(t.Context(), nil, &stderr); got != 1 || !bytes.Contains(stderr.Bytes(), []byte("-addr")) {
		t.Errorf("exit code %d, want 1 and a message that names -addr:\n%s", got, &stderr)
	}
}

func TestTheAnswerNamesTheResolvedReleaseAndTheGeneration(t *testing.T) {
	dir := t.TempDir()
	release, current := filepath.Join(dir, "release-7"), filepath.Join(dir, "current")
	if err := os.Mkdir(release, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(release, current); err != nil {
		t.Fatal(err)
	}
	t.Chdir(current)
	t.Setenv("HUPWATCH_GENERATION", "12")

	ctx, cancel := context.WithCancel(t.Context())
	address, ended := filepath.Join(dir, "s"), make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-addr", address}, &bytes.Buffer{}) }()
	l := load.Start(t.Context(), load.Config{Network: "unix", Address: address, Fresh: 1, Pause: time.Millisecond})
	a, err := l.Await(t.Context(), func(a load.Answer) bool { return a.Class == load.OK })
	if err != nil {
		t.Fatal(err)
	}
	l.Stop()
	cancel()

	if want := fmt.Sprintf("release-7 pid %d generation 12", os.Getpid()); a.Body != want {
		t.Errorf("answer %q, want %q", a.Body, want)
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}
