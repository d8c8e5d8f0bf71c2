package main

import (
	"os/exec"
	"slices"

	"hupwatch/examples/load"
)

// server is one of the examples.
type server struct {
	dir string // below examples
	// programs are what has to be installed.
	programs []string
	// prepare is a command that makes the first release in the directory.
	prepare  []string
	variants []variant
}

// variant is one of the services of an example, which makes a row of the table.
type variant struct {
	service string
	title   string
	// addresses are those that the service opens itself, "network://address"; it
	// inherits the others.
	addresses []string
	// script is what to ask a FastCGI server for.
	script string
	// noKeepAlive is set if a connection that is kept takes a whole process.
	noKeepAlive bool
	nature      nature
}

// nature is what a server cannot but lose now and then, and why. That is no
// failure as long as it is little.
type nature struct {
	kinds []load.Kind
	why   string
}

// A nature explains a few failures of a kind, and that share of its requests.
const (
	few    = 2
	little = 0.05
)

// explains reports whether failures of that kind are the server's nature.
func (n nature) explains(kind load.Kind, failures, requests int) bool {
	return failures == 0 || slices.Contains(n.kinds, kind) && float64(failures) <= few+little*float64(requests)
}

// The natures there are.
var (
	idle = nature{
		[]load.Kind{load.KeepAlive},
		"closes idle keep-alive connections at its stop, also as a request arrives on one.",
	}
	unread = nature{
		[]load.Kind{load.Fresh, load.KeepAlive, load.Slow},
		"drops connections that it has accepted in the instant of its stop and not read yet, and closes idle ones as a request arrives on them.",
	}
	ownQueue = nature{
		[]load.Kind{load.Fresh, load.KeepAlive, load.Slow},
		"cannot inherit a socket. With SO_REUSEPORT each process has a queue of its own, and what waits there at its end is reset.",
	}
)

// servers are all that are tested.
var servers = []server{
	{dir: "gunicorn", programs: []string{"gunicorn"}, prepare: []string{"./deploy.sh", "1"}, variants: []variant{
		{service: "app", title: "gunicorn, sync"},
	}},
	{dir: "gunicorn-workers", programs: []string{"gunicorn", "uvicorn"}, variants: []variant{
		{service: "gthread", title: "gunicorn, gthread"},
		{service: "uvicorn", title: "gunicorn, uvicorn worker"},
	}},
	{dir: "uwsgi", programs: []string{"uwsgi"}, variants: []variant{
		{service: "hup", title: "uWSGI"},
		{service: "term", title: "uWSGI, with a hook"},
	}},
	{dir: "uvicorn", programs: []string{"uvicorn"}, variants: []variant{
		{service: "app", title: "uvicorn"},
		{service: "plain", title: "uvicorn, from its command line", nature: unread},
	}},
	{dir: "hypercorn", programs: []string{"hypercorn"}, variants: []variant{
		{service: "app", title: "hypercorn"},
		{service: "plain", title: "hypercorn, from its command line", nature: unread},
	}},
	{dir: "puma", programs: []string{"puma"}, variants: []variant{
		{service: "single", title: "puma, single"},
		{service: "cluster", title: "puma, cluster"},
	}},
	{dir: "unicorn", programs: []string{"unicorn"}, variants: []variant{
		{service: "app", title: "unicorn"},
	}},
	{dir: "node", programs: []string{"node"}, variants: []variant{
		{service: "app", title: "node"},
	}},
	{dir: "demo", variants: []variant{
		{service: "web", title: "Go, net/http"},
		{service: "api", title: "Go, net/http, slow to start"},
	}},
	{dir: "php-fpm", programs: []string{"php-fpm8.2"}, variants: []variant{
		{service: "php", title: "php-fpm", script: "index.php", noKeepAlive: true},
	}},
	{dir: "starlet", programs: []string{"plackup"}, variants: []variant{
		{service: "app", title: "Starlet"},
	}},
	{dir: "nginx", programs: []string{"nginx"}, variants: []variant{
		{service: "nginx", title: "nginx", nature: idle},
	}},
	{dir: "haproxy", programs: []string{"haproxy"}, variants: []variant{
		{service: "haproxy", title: "haproxy", nature: idle},
	}},
	{dir: "lighttpd", programs: []string{"lighttpd"}, variants: []variant{
		{service: "lighttpd", title: "lighttpd", nature: idle},
	}},
	{dir: "caddy", programs: []string{"caddy"}, variants: []variant{
		{service: "unix", title: "caddy"},
		{service: "tcp", title: "caddy", addresses: []string{"tcp://127.0.0.1:8016"}, nature: ownQueue},
	}},
	{dir: "apache", programs: []string{"apache2"}, variants: []variant{
		{service: "apache", title: "apache", addresses: []string{"tcp://127.0.0.1:8017"}, nature: ownQueue},
	}},
}

// missing names a program that is not installed, or nothing.
func (s server) missing() string {
	for _, program := range s.programs {
		if _, err := exec.LookPath(program); err != nil {
			return program
		}
	}
	return ""
}
