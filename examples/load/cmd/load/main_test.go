package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodeSaysIfRequestsWereLost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "release-1")
	}))
	defer server.Close()
	healthy := "tcp://" + server.Listener.Addr().String()
	missing := "unix://" + filepath.Join(t.TempDir(), "s")

	tests := []struct {
		name   string
		args   []string
		code   int
		stdout string
	}{
		{"nothing lost", []string{"-for", "2s", healthy}, 0, "answers: release-1"},
		{"all lost", []string{"-for", "2s", missing}, 1, "enoent"},
		{"no address", nil, 2, ""},
		{"no network", []string{"127.0.0.1:80"}, 2, ""},
		{"unknown flag", []string{"-hard", healthy}, 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tt.args, &stdout, &stderr); code != tt.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, &stdout, &stderr)
			}
			if !strings.Contains(stdout.String(), tt.stdout) {
				t.Errorf("%q is not in:\n%s", tt.stdout, &stdout)
			}
		})
	}
}
