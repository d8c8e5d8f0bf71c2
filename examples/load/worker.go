package load

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// worker asks, pauses, and asks again. It belongs to one goroutine.
type worker struct {
	cfg        Config
	kind       Kind
	record     func(Answer)
	idleClosed func()

	conn   net.Conn // nil if the next request needs a new one
	reader *bufio.Reader
	// readErr is how reading from the connection has ended, if it has.
	readErr error
}

// Read makes the worker the source of its reader, to keep the error of the connection
// itself: for half a header line the parser says only "malformed".
func (w *worker) Read(p []byte) (int, error) {
	n, err := w.conn.Read(p)
	w.readErr = err
	return n, err
}

func (w *worker) run(ctx context.Context, delay time.Duration) {
	defer w.hangUp()
	for pause(ctx, delay) {
		w.record(w.ask())
		delay = w.cfg.Pause
	}
}

// pause reports whether d has gone by without ctx having ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask makes one request and never repeats it.
func (w *worker) ask() Answer {
	if w.conn != nil && gone(w.conn) {
		w.idleClosed()
		w.hangUp()
	}

	a := Answer{Kind: w.kind, Begun: time.Now(), Reused: w.conn != nil}
	a.Body, a.Err = w.exchange(a.Begun.Add(w.cfg.Timeout))
	a.Ended = time.Now()
	a.Class = classify(a.Err)
	if a.Err != nil || w.kind != KeepAlive {
		w.hangUp()
	}
	return a
}

func (w *worker) exchange(deadline time.Time) (body string, err error) {
	if w.conn == nil {
		dialer := net.Dialer{Deadline: deadline}
		w.conn, err = dialer.Dial(w.cfg.Network, w.cfg.Address)
		if err != nil {
			return "", err
		}
		w.reader = bufio.NewReader(w)
	}
	if err := w.conn.SetDeadline(deadline); err != nil {
		return "", err
	}

	path := w.cfg.Path
	if w.kind == Slow {
		path = w.cfg.SlowPath
	}
	if w.cfg.Script != "" {
		if err := w.askFastCGI(path); err != nil {
			return "", err
		}
		return w.fastCGIAnswer()
	}
	if err := w.askHTTP(path); err != nil {
		return "", err
	}
	return w.answer()
}

// askHTTP sends a request for a path.
func (w *worker) askHTTP(path string) error {
	connection := "close"
	if w.kind == KeepAlive {
		connection = "keep-alive"
	}
	_, err := fmt.Fprintf(w.conn, "GET %s HTTP/1.1\r\nHost: load.test\r\nConnection: %s\r\n\r\n", path, connection)
	return err
}

// answer reads one whole answer.
func (w *worker) answer() (string, error) {
	resp, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return "", cmp.Or(w.readErr, err)
	}
	defer resp.Body.Close()
	if resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 {
		return "", errLength
	}

	text, err := io.ReadAll(resp.Body)
	body := strings.TrimSpace(string(text))
	if err != nil {
		return body, err
	}
	if by := resp.Header.Get("X-Served-By"); by != "" {
		body = by + "; " + body
	}
	if resp.Close {
		w.hangUp()
	}
	if resp.StatusCode != http.StatusOK {
		return body, fmt.Errorf("%w %s", errStatus, resp.Status)
	}
	return body, nil
}

func (w *worker) hangUp() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// gone reports whether the server has closed an idle connection. Every pool checks
// that before it uses a connection again.
func gone(conn net.Conn) bool {
	// The deadline of the last request may be over, and would hide the answer.
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return true
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}

	var peekErr error
	err = raw.Read(func(fd uintptr) bool {
		// Not even a byte may have come: nothing was asked for.
		_, _, peekErr = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return err != nil || !errors.Is(peekErr, syscall.EAGAIN)
}
