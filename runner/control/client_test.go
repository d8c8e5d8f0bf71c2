package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hupwatch/runner/control"
)

// answering is a socket on which every client is answered with the text.
func answering(t *testing.T, text string) *control.Client {
	t.Helper()
	path := filepath.Join(directory(t), "control.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 4096)
			if _, err := c.Read(buffer); err == nil {
				io.WriteString(c, text)
			}
			c.Close()
		}
	}()
	return control.NewClient(path)
}

// directory has a path that is short enough for a socket.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") //nolint:usetesting // t.TempDir has a long path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestADaemonThatCannotBeReachedIsNamedWithTheRemedy(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	stale, file := filepath.Join(dir, "stale"), filepath.Join(dir, "file")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"):        "no such file or directory: is hupwatch running, and is this in its runtime_dir?",
		filepath.Join(file, "none"):       "not a directory: is hupwatch running",
		stale:                             "connection refused: the hupwatch that made the socket has ended: start it again",
		file:                              "connection refused",
		"/" + strings.Repeat("long/", 50): "invalid argument: the path may be too long for a socket",
	} {
		_, err := control.NewClient(path).Status(t.Context(), false)
		if !errors.Is(err, control.ErrUnreachable) || !strings.HasPrefix(err.Error(), "hupwatch cannot be reached at "+path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
		if _, err := control.NewClient(path).Reload(t.Context(), control.Request{}); !errors.Is(err, control.ErrUnreachable) {
			t.Errorf("reload: %v", err)
		}
	}
}

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"

func TestAnAnswerWithoutItsResultIsCutOff(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"at once":       head,
		"between lines": head + `{"kind":"reload asked","reloads":[3]}` + "\n",
		"in a line":     head + `{"kind":"reload asked"}` + "\n" + `{"kind":"resu`,
		"in a chunk":    strings.Replace(head, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1) + "18\r\n" + `{"kind":"reload asked"}` + "\n\r\n5",
	} {
		events, err := answering(t, text).Reload(t.Context(), control.Request{})
		for n := 0; err == nil; n++ {
			_, err = events.Next()
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingIsReadBehindTheResult(t *testing.T) {
	t.Parallel()
	events, err := answering(t, head+`{"kind":"result","reload":{"id":3}}`+"\nrubbish").Do(t.Context(), "stop", "all", control.Request{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	if e, err := events.Next(); err != nil || e.Reload.ID != 3 {
		t.Errorf("%+v, %v", e, err)
	}
	for range 2 {
		if _, err := events.Next(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v, want the end", err)
		}
	}
}

func TestEventsEndWithTheirLastLine(t *testing.T) {
	t.Parallel()
	events, err := answering(t, head+`{"kind":"advice"}`+"\n").Events(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	if _, err := events.Next(); err != nil {
		t.Error(err)
	}
	if _, err := events.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want the end", err)
	}
}

func TestReloadWithoutAnAnswerHasAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	c := answering(t, "")
	if _, err := c.Reload(t.Context(), control.Request{}); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, control.ErrUnreachable) {
		t.Errorf("reload: %v", err)
	}
	if _, err := c.Status(t.Context(), false); !errors.Is(err, control.ErrUnreachable) {
		t.Errorf("status: %v", err)
	}
}

func TestAnswerOfAnotherServerIsAnError(t *testing.T) {
	t.Parallel()
	_, err := answering(t, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>").Status(t.Context(), false)
	var refused *control.Error
	if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), `"502 Bad Gateway", not one of hupwatch's: is it the control socket`) {
		t.Errorf("%v", err)
	}
}

func TestCancelledStatusReturnsTheContextError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := answering(t, head).Status(ctx, false); !errors.Is(err, context.Canceled) || errors.Is(err, control.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

func TestTimesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 3600)
	for want, moment := range map[string]time.Time{
		`""`:                              {},
		`"2026-11-23T03:04:05.006Z"`:      time.Date(2026, 11, 23, 3, 4, 5, 6_999_999, time.UTC),
		`"2026-11-23T03:04:05.000+01:00"`: time.Date(2026, 11, 23, 3, 4, 5, 0, berlin),
	} {
		text, err := json.Marshal(control.Time{Time: moment})
		if err != nil || string(text) != want {
			t.Errorf("%v is %s, %v; want %s", moment, text, err, want)
		}
		var back control.Time
		if err := json.Unmarshal(text, &back); err != nil || !back.Equal(moment.Truncate(time.Millisecond)) {
			t.Errorf("%s is %v, %v", text, back, err)
		}
	}
	if err := json.Unmarshal([]byte(`"yesterday"`), new(control.Time)); err == nil {
		t.Error("yesterday is a time")
	}
}
