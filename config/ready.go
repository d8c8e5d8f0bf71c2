package config

import "time"

// Ready is how to see that a generation is ready.
type Ready struct {
	Kind ReadyKind
	// URL is what http asks for, and Headers what it sends besides.
	URL     string
	Headers map[string]string
	// Address is what tcp or unix connect to, HOST:PORT or a path; of http it is
	// the path of a unix socket, or empty.
	Address string
	// Exec is the argument vector of exec.
	Exec []string
	// FD is the descriptor on which a line of its own says so.
	FD int
	// Interval is the pause between two attempts, Timeout how long each may take.
	Interval, Timeout time.Duration
}

// ReadyKind is a way to see that a generation is ready.
type ReadyKind string

// The ways. In URL, Address and Exec ${X} is expanded for each generation, against
// its environment.
const (
	ReadyHTTP   ReadyKind = "http"   // a GET is answered with 2xx
	ReadyTCP    ReadyKind = "tcp"    // a connection is accepted
	ReadyUnix   ReadyKind = "unix"   // likewise
	ReadyExec   ReadyKind = "exec"   // a command exits with status 0
	ReadyNotify ReadyKind = "notify" // it says READY=1, see sd_notify(3)
	ReadyFD     ReadyKind = "fd"     // it writes a newline to a descriptor
)

// ReloadMode is how a new generation takes the place of the one before.
type ReloadMode string

// The ways to reload.
const (
	ReloadStartFirst ReloadMode = "start-first" // the new one is proven good before the old one hears of it
	ReloadStopFirst  ReloadMode = "stop-first"  // the old one ends first
	ReloadSignal     ReloadMode = "signal"      // there is no new one: the program reloads itself
)

// Compat is another protocol for inherited sockets.
type Compat string

// CompatServerStarter is that of Server::Starter, SERVER_STARTER_PORT.
const CompatServerStarter Compat = "server-starter"
