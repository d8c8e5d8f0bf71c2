package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// probeURL checks a URL to ask. One with a variable in it is not known in full yet.
func probeURL(s, _ string) (string, error) {
	scheme, _, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case strings.HasPrefix(s, "$"):
		return s, nil
	case strings.HasPrefix(s, "unix:"):
		return "", errors.New(`the socket stands beside the URL: { http = "http://localhost/healthz", unix = "/run/web.sock" }`)
	case !ok:
		return "", fmt.Errorf("not a URL: %q, did you mean %q?", clip(s), guessURL(s))
	case scheme == "https":
		return "", fmt.Errorf(`https is not supported: ask by exec, like exec = ["curl", "-fsS", %q]`, clip(s))
	case scheme != "http":
		return "", fmt.Errorf("%q is not asked by HTTP: write it like %q", clip(s), guessURL("/healthz"))
	case strings.Contains(s, "#"):
		return "", fmt.Errorf("what is behind the # in %q is never sent: remove it", clip(s))
	case strings.Contains(s, "$"):
		return s, nil
	}
	return s, checkURL(s)
}

// guessURL returns the URL that was probably meant by a part of one.
func guessURL(s string) string {
	switch {
	case strings.HasPrefix(s, "/"), s == "":
		return "http://127.0.0.1:8000" + s
	case strings.HasPrefix(s, ":"):
		return "http://127.0.0.1" + s
	case isPort(s):
		return "http://127.0.0.1:" + s + "/"
	}
	return "http://" + s
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err
		}
		return fmt.Errorf("not a URL: %q: %w", clip(s), err)
	case u.Hostname() == "":
		_, rest, _ := strings.Cut(s, "://")
		return fmt.Errorf("no host in %q: write %q", clip(s), guessURL(rest))
	case u.Port() != "" && !isPort(u.Port()):
		return fmt.Errorf("not a port: %q: expected 1 to 65535", clip(u.Port()))
	}
	return nil
}

// probeTCP returns HOST:PORT, with 127.0.0.1 if no host is named.
func probeTCP(s, _ string) (string, error) {
	address := strings.TrimPrefix(s, "tcp://")
	switch {
	case strings.Contains(address, "://"), strings.HasPrefix(address, "unix:"), strings.Contains(address, "/"):
		return "", fmt.Errorf(`%q is not HOST:PORT: write it like "127.0.0.1:8000"; for a path there is unix, for a URL http`, clip(s))
	case isPort(address):
		return "", fmt.Errorf("no host in %q, did you mean %q?", s, "127.0.0.1:"+address)
	}

	if host, port, _ := strings.Cut(address, ":"); (host == "" || host == "*") && !strings.HasPrefix(port, ":") {
		address = "127.0.0.1:" + port
	}
	if strings.Contains(address, "$") {
		return address, nil
	}
	return hostPort(address)
}

func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	switch {
	case err != nil && strings.Count(s, ":") > 1:
		return "", fmt.Errorf("not an address: %q: IPv6 addresses stand in brackets, like [::1]:8000", clip(s))
	case err != nil:
		return "", fmt.Errorf(`no port in %q: write it like "127.0.0.1:8000"`, clip(s))
	case !isPort(port):
		return "", fmt.Errorf("not a port: %q: expected 1 to 65535", clip(port))
	}

	bad := func(r rune) bool { return r > '~' || !isLetterOrDigit(byte(r)) && !strings.ContainsRune("-._", r) }
	if _, err := netip.ParseAddr(host); err != nil && (host == "" || strings.ContainsFunc(host, bad)) {
		return "", fmt.Errorf("not a host: %q: write a name or an address", clip(host))
	}
	return net.JoinHostPort(host, strings.TrimLeft(port, "0")), nil
}

// probeUnix returns the path of a socket. One that begins with a variable is taken
// for absolute.
func probeUnix(s, dir string) (string, error) {
	if looksLikeTCP(s) {
		return "", fmt.Errorf("%q is no path: for a port there is tcp, for a URL http", clip(s))
	}
	s = strings.TrimPrefix(s, "unix:")
	if path := strings.TrimPrefix(s, "//"); strings.HasPrefix(path, "${") {
		return path, nil
	}
	if strings.Contains(s, "$") {
		return unixPath(s, dir)
	}
	return unixAddress(s, dir)
}

// checkReady compares where readiness is asked with where the service is reached: at
// that address, another generation may answer.
func (t *table) checkReady() {
	r := t.service.Ready
	if r == nil {
		return
	}

	t.checkReadyFD()
	if !t.sound("publish") {
		return
	}
	if path, ok := r.unixPath(); ok && t.service.Publish != "" && filepath.Clean(path) == filepath.Clean(t.service.Publish) {
		t.problem(t.readyPlace("publish"), fmt.Errorf(
			"at %s the old generation answers until the new one is promoted: write unix = \"${%s}\", its own path", path, BindVariable))
	}
	if t.service.Publish != "" && r.Kind == ReadyHTTP && r.Address == "" {
		t.warn(t.readyPlace("publish"), fmt.Sprintf("asks a TCP port, and what is published is a unix socket: unless it opens both, add unix = \"${%s}\"", BindVariable))
	}
	if t.service.Publish == "" && slices.ContainsFunc(append([]string{r.URL, r.Address}, r.Exec...), needsBind) {
		t.problem(t.readyPlace(), errNoBind)
	}
}

// readyPlace is the key of ready that says how to ask; if ready is in [defaults], one
// of the others.
func (t *table) readyPlace(others ...string) string {
	if t.place("ready") == "" {
		return t.place(others...)
	}
	r := t.service.Ready
	if r.Kind == ReadyHTTP && r.Address != "" {
		return joinKey("ready", string(ReadyUnix))
	}
	return joinKey("ready", string(r.Kind))
}

func (t *table) checkReadyFD() {
	r, sockets := t.service.Ready, len(t.service.Listen)
	if free := leastReadyFD + sockets; r.Kind == ReadyFD && r.FD < free {
		t.problem(t.readyPlace("listen"), fmt.Errorf("descriptor %d is a socket of listen, which has 3 to %d: write fd = %d", r.FD, free-1, free))
	}
}

// unixPath returns the path to connect to, if it is a path without variables.
func (r *Ready) unixPath() (string, bool) {
	isPath := r.Kind == ReadyUnix || r.Kind == ReadyHTTP && r.Address != ""
	return r.Address, isPath && !strings.Contains(r.Address, "$")
}
