package server_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hupwatch/runner/control/server"
)

func TestTheSocketIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	s := start(t, full())
	info, err := os.Lstat(s.socket)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	entries, err := os.ReadDir(filepath.Dir(s.socket))
	if err != nil || len(entries) != 1 {
		t.Errorf("there are %v, %v; want the socket alone", entries, err)
	}
	s.end()
	if entries, err := os.ReadDir(filepath.Dir(s.socket)); err != nil || len(entries) != 0 {
		t.Errorf("afterwards there are %v, %v", entries, err)
	}
}

func TestASocketThatWasLeftBehindIsReplaced(t *testing.T) {
	t.Parallel()
	dir := runtimeDir(t)
	path := filepath.Join(dir, "control.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	s := &site{socket: path, daemon: full()}
	serveUntil(t, s, func() bool {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestTheEndComesAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir := runtimeDir(t)
	for range 300 {
		s := server.New(filepath.Join(dir, "control.sock"), full(), func(err error) { t.Error(err) })
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- s.Serve(ctx) }()
		go cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Fatalf("there are %v, %v", entries, err)
		}
	}
}

// serveUntil serves a site that may never get as far as to answer.
func serveUntil(t *testing.T, s *site, happened func() bool) {
	t.Helper()
	s.Server = server.New(s.socket, s.daemon, s.report)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	await(t, "it happens", happened)
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestASocketThatCannotBeMadeIsReportedWithTheRemedy(t *testing.T) {
	t.Parallel()
	dir := runtimeDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "there is a file that is no socket: remove it",
		filepath.Join(dir, strings.Repeat("x", 100)): "set daemon.runtime_dir to a shorter one",
		filepath.Join(dir, "none", "control.sock"):   "no such file or directory",
	} {
		s := &site{socket: path, daemon: full()}
		serveUntil(t, s, func() bool { return s.reported(want) })
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

func TestASocketThatWasRemovedIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := start(t, full())
	const ask = "GET /v1/statu HTTP/1.1\r\nHost: x\r\n\r\n"
	old := connect(t, s.socket, ask)
	if line := firstLine(t, old); !strings.Contains(line, "404") {
		t.Fatalf("got %q", line)
	}
	for _, spoil := range []func() error{
		func() error { return os.Remove(s.socket) },
		func() error { return os.Rename(s.socket, s.socket+".moved") },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if err := s.Admit(); err != nil {
			t.Error(err)
		}
		await(t, "socket", func() bool {
			_, err := s.client.Status(t.Context(), false)
			return err == nil
		})
	}
	old.Write([]byte(ask))
	if line := firstLine(t, old); !strings.Contains(line, "404") {
		t.Errorf("a client from before got %q", line)
	}
}
