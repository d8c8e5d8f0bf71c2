package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// Client asks the hupwatch that listens on a control socket. If that refuses the
// request, the error is an *Error. If no hupwatch can be asked, it is
// ErrUnreachable.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the hupwatch at the socket. It connects anew for every
// request: it need not be closed, and a later request may reach a later hupwatch.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil && ctx.Err() == nil {
			return nil, unreachable(socket, err)
		}
		return conn, err
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}
	return &Client{socket: socket, http: &http.Client{Transport: transport}}
}

// Status returns how all services are, and, if asked, how much memory they use.
func (c *Client) Status(ctx context.Context, memory bool) (Status, error) {
	var s Status
	return s, c.get(ctx, "/v1/status", withMemory(memory), &s)
}

// Service returns how one service is.
func (c *Client) Service(ctx context.Context, name string, memory bool) (Service, error) {
	var s Service
	return s, c.get(ctx, servicePath(name), withMemory(memory), &s)
}

// Reload asks for a reload. The events say what happens, and the last one says what
// became of it.
func (c *Client) Reload(ctx context.Context, q Request) (*Events, error) {
	return c.post(ctx, "/v1/reload", q)
}

// Do asks for start, stop, restart, signal or rollback of the service, or of all.
func (c *Client) Do(ctx context.Context, verb, name string, q Request) (*Events, error) {
	return c.post(ctx, servicePath(name)+"/"+url.PathEscape(verb), q)
}

// ReloadByID returns what became of a request so far.
func (c *Client) ReloadByID(ctx context.Context, id uint64) (Reload, error) {
	var r Reload
	return r, c.get(ctx, "/v1/reloads/"+strconv.FormatUint(id, 10), nil, &r)
}

// Plan returns what a HUP would do now.
func (c *Client) Plan(ctx context.Context) (Plan, error) {
	var p Plan
	return p, c.get(ctx, "/v1/plan", nil, &p)
}

// Events returns the events that hupwatch remembers and, with follow, those that come
// after them.
func (c *Client) Events(ctx context.Context, follow bool) (*Events, error) {
	answer, err := c.send(ctx, http.MethodGet, "/v1/events", withFollow(nil, follow), nil)
	if err != nil {
		return nil, err
	}
	return &Events{stream: newStream[Event](answer)}, nil
}

// Logs returns the last n lines that hupwatch remembers of a service's output and,
// with follow, those that come after them.
func (c *Client) Logs(ctx context.Context, name string, n int, follow bool) (*Lines, error) {
	query := url.Values{"n": {strconv.Itoa(n)}}
	answer, err := c.send(ctx, http.MethodGet, servicePath(name)+"/logs", withFollow(query, follow), nil)
	if err != nil {
		return nil, err
	}
	return &Lines{stream: newStream[Line](answer)}, nil
}

// Written returns the last n lines that hupwatch remembers of the output of one
// generation of a service.
func (c *Client) Written(ctx context.Context, name string, generation, n int) (*Lines, error) {
	query := url.Values{"n": {strconv.Itoa(n)}, "generation": {strconv.Itoa(generation)}}
	answer, err := c.send(ctx, http.MethodGet, servicePath(name)+"/logs", query, nil)
	if err != nil {
		return nil, err
	}
	return &Lines{stream: newStream[Line](answer)}, nil
}

func servicePath(name string) string { return "/v1/services/" + url.PathEscape(name) }

func withMemory(memory bool) url.Values {
	if !memory {
		return nil
	}
	return url.Values{"memory": {"1"}}
}

func withFollow(query url.Values, follow bool) url.Values {
	if !follow {
		return query
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("follow", "1")
	return query
}

// get decodes the one value that answers a GET.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	answer, err := c.send(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if err := json.NewDecoder(answer).Decode(into); err != nil {
		return fmt.Errorf("read the answer of hupwatch at %s: %w", c.socket, err)
	}
	return nil
}

func (c *Client) post(ctx context.Context, path string, q Request) (*Events, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	answer, err := c.send(ctx, http.MethodPost, path, nil, body)
	if err != nil {
		return nil, err
	}
	return &Events{stream: newStream[Event](answer), request: true}, nil
}

// send returns the body of the answer, unless it is a refusal.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body []byte) (io.ReadCloser, error) {
	target := "http://localhost" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unanswered(ctx, method, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	return nil, c.refusal(answer)
}

// unanswered is the error for a request that got no answer. What a POST asked for may
// have begun all the same.
func (c *Client) unanswered(ctx context.Context, method string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the outer one says localhost, which is not where hupwatch is
	}
	switch {
	case errors.Is(err, ErrUnreachable):
		return err
	case method == http.MethodPost:
		return fmt.Errorf("no answer from hupwatch at %s, the request may have been carried out all the same: %w", c.socket, lost(err))
	}
	return unreachable(c.socket, err)
}

// refusal decodes an answer that refuses the request.
func (c *Client) refusal(answer *http.Response) error {
	const most = 1 << 20

	body, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return fmt.Errorf("read the answer of hupwatch at %s: %w", c.socket, err)
	}
	refused := new(Error)
	if json.Unmarshal(body, refused) != nil || refused.Message == "" {
		return fmt.Errorf("the answer from %s is %q, not one of hupwatch's: is it the control socket of a hupwatch?", c.socket, answer.Status)
	}
	return refused
}
