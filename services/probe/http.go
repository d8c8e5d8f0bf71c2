package probe

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The limits of an answer. What comes after the header decides nothing. It is waited
// for only because many servers log an error if the connection closes while they
// still write.
const (
	answerLimit = 64 << 10
	bodyWait    = 100 * time.Millisecond
)

// get asks once, on a connection of its own. Any 2xx is a success. An http.Transport
// would take three goroutines for that, and go on connecting when nothing waits for
// it any more.
func (t Target) get(ctx context.Context, accepted Accepted) error {
	req, err := t.request()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := req.Write(&text); err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	conn, raw, err := t.reach(ctx, req)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	limited := &io.LimitedReader{R: conn, N: answerLimit}
	head, end := bytes.CutSuffix(text.Bytes(), []byte(lineEnd))
	if !end {
		return errors.New("the request does not end with an empty line")
	}
	if _, err := conn.Write(head); err != nil {
		return t.unanswered(err, false, req.Header)
	}
	whose := accepted(ctx, raw)
	resp, err := exchange(conn, []byte(lineEnd), limited)
	if err != nil {
		err = t.unanswered(err, limited.N <= 0, req.Header)
		if whose != nil {
			return &UnansweredError{Err: whose}
		}
		return err
	}
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > bodyWait {
		_ = conn.SetReadDeadline(time.Now().Add(bodyWait))
	}
	defer resp.Body.Close() // which reads the rest of it
	if whose != nil {
		return &UnansweredError{Err: whose, Answer: says(resp, req.Header)}
	}
	return judge(resp, req.Header)
}

// lineEnd is the end of a request, and the part of it that is held back.
const lineEnd = "\r\n"

// request is what is sent.
func (t Target) request() (*http.Request, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		if whole, ok := errors.AsType[*url.Error](err); ok { // it has all of the URL in it, the password too
			err = whole.Err
		}
		return nil, fmt.Errorf("parse its URL: %w", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("its URL begins with neither http:// nor https://")
	case u.Hostname() == "" && t.Address == "":
		return nil, errors.New("its URL names no host")
	}
	req := &http.Request{Method: http.MethodGet, URL: u, Host: cmp.Or(u.Host, "localhost"), Header: make(http.Header), Close: true}
	req.Header.Set("User-Agent", "hupwatch")
	if password, ok := u.User.Password(); ok {
		req.SetBasicAuth(u.User.Username(), password)
	}
	for name, value := range t.Headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

// reach connects to where the request goes. The raw connection is the one below TLS, or
// the same one if there is no TLS.
func (t Target) reach(ctx context.Context, req *http.Request) (conn, raw net.Conn, err error) {
	network, address := "tcp", hostPort(req.URL)
	if path := t.socket(); path != "" {
		network, address = "unix", path
	}
	conn, err = t.connect(ctx, network, address)
	if err != nil || req.URL.Scheme == "http" {
		return conn, conn, err
	}
	named := url.URL{Host: req.Host} // the certificate must be for the request's host
	return tls.Client(conn, &tls.Config{ServerName: named.Hostname()}), conn, nil
}

// exchange sends the request, and reads the header of the final answer.
func exchange(conn io.Writer, request []byte, from io.Reader) (*http.Response, error) {
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	const enough = 1 << 10 // for most answers at once
	in := bufio.NewReaderSize(from, enough)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

// unanswered says why there is no answer.
func (t Target) unanswered(err error, tooLong bool, sent http.Header) error {
	_, network := errors.AsType[*net.OpError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	certificate, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case tooLong:
		return fmt.Errorf("the header of its answer is longer than %d KiB", answerLimit>>10)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("it closed the connection without an answer")
	case untrusted:
		return fmt.Errorf("its certificate is not trusted: %w", certificate.Err)
	case plain:
		return errors.New("what it answers is not TLS")
	case network:
		return t.cause(err, "no answer")
	default:
		return fmt.Errorf("what it answers is not HTTP: %s", presentable(err.Error(), sent))
	}
}
