package main

import (
	"maps"
	"syscall"
	"testing"
)

// keys are those of a service, as they are written in the file.
type keys map[string]string

// realServer is a server as one runs it behind hupwatch, and what its bad releases
// come to.
type realServer struct {
	name    string
	app     string // its directory in testdata/bad
	program string
	network string
	workers int // how many say that they serve; 0 where none does
	// drops tells that at its stop signal it hangs up on who has connected and not
	// sent a request yet. No supervisor can help that.
	drops bool
	keys  keys
	bad   map[string]badDeploy // by what is bad about it
}

// badDeploy is a release that is no good, and what tells an operator why.
type badDeploy struct {
	fault  string // what the file fault says, see testdata/bad
	keys   keys   // on top of those of the server
	after  string // the log's msg after which it crashes; else it is bad by itself
	reason []string
	tail   string
}

// What can be bad about a release, in the order in which they are deployed.
const (
	cannotLoad    = "cannot be loaded"
	hangsAtFirst  = "hangs before it serves"
	readyAndGone  = "says that it is ready and exits"
	diesInWarmup  = "dies in its warm-up"
	diesInOverlap = "dies in the overlap"
	isSick        = "is sick"
	cannotMigrate = "before_start fails"
	diesOnTrial   = "dies in its probation"
)

// What the servers have in common.
const (
	longer     = `"1h"`  // than any test takes
	giveUp     = `"20s"` // long enough to have come as far as where it hangs
	tooLate    = "not ready within start_timeout (20s)"
	ownHealth  = `{ http = "http://localhost/healthz", unix = "${PWD}/health-${HUPWATCH_GENERATION}.sock" }`
	connecting = "connecting to the database"
	noTable    = "no such table: users"
	noCache    = "the cache cannot be opened"
	tooLarge   = "the cache is too large"
)

var (
	hangs    = keys{"start_timeout": giveUp}
	inWarmup = keys{"warmup": longer}
	// When a second worker fails while gunicorn ends because of the first, it says so
	// in more lines than are kept.
	oneWorker = keys{"command": `["gunicorn", "--bind", "unix:${HUPWATCH_BIND}", "wsgi:app"]`}
	migrates  = badDeploy{
		fault:  "migration",
		keys:   keys{"before_start": `["sh", "-c", "test ! -e fault || { echo migration 12: column email exists >&2; exit 4; }"]`},
		reason: []string{"before_start: exited with status 4"}, tail: "migration 12: column email exists",
	}
	diesOnProbation = badDeploy{
		fault: "crash", keys: keys{"probation": longer}, after: "generation exited",
		reason: []string{"it ended within its probation: exited with status 7"}, tail: tooLarge,
	}
	diesWarm = badDeploy{
		fault: "crash", keys: inWarmup, after: "generation ready",
		reason: []string{"exited with status 7", "before its warm-up of 1h0m0s was over"}, tail: tooLarge,
	}
)

var realServers = []realServer{
	{
		// READY=1 is true with --preload alone: without, gunicorn says so before its
		// workers have the application.
		name: "gunicorn", app: "gunicorn", program: "gunicorn", network: "unix", workers: 3,
		keys: keys{"command": `["gunicorn", "--preload", "--workers", "3", "wsgi:app"]`, "listen": `["unix:ADDRESS"]`, "ready": `{ notify = true }`},
		bad: map[string]badDeploy{
			cannotLoad: {
				fault:  "import",
				reason: []string{"exited with status 1", "before it was ready", "READY=1"}, tail: "No module named 'no_such_module'",
			},
			hangsAtFirst: {fault: "hang", keys: hangs, reason: []string{tooLate, "it has not said READY=1"}, tail: connecting},
			readyAndGone: {
				fault: "ready", keys: keys{"command": `["gunicorn", "--preload", "wsgi:app"]`, "warmup": longer},
				reason: []string{"exited with status 3", "before its warm-up"}, tail: noCache,
			},
			diesInWarmup: diesWarm, cannotMigrate: migrates, diesOnTrial: diesOnProbation,
		},
	},
	{
		// That its path accepts a connection is too little: gunicorn listens before
		// its workers have the application.
		name: "publisher", app: "gunicorn", program: "gunicorn", network: "unix", workers: 3,
		keys: keys{
			"command": `["gunicorn", "--workers", "3", "--bind", "unix:${HUPWATCH_BIND}", "wsgi:app"]`, "publish": `"ADDRESS"`,
			"overlap": `"100ms"`, "ready": `{ http = "http://localhost/healthz", unix = "${HUPWATCH_BIND}" }`,
		},
		bad: map[string]badDeploy{
			cannotLoad: {
				fault: "import", keys: oneWorker,
				reason: []string{"exited with status 3", "before it was ready"}, tail: "No module named 'no_such_module'",
			},
			readyAndGone: {fault: "ready", keys: oneWorker, reason: []string{"exited with status 3", "before it was ready"}, tail: noCache},
			hangsAtFirst: {fault: "hang", keys: hangs, reason: []string{tooLate, "/healthz"}, tail: connecting},
			diesInWarmup: diesWarm,
			diesInOverlap: {
				fault: "crash", keys: keys{"overlap": longer}, after: "generation published",
				reason: []string{"exited with status 7", "after it was ready, while the one before it still served"}, tail: tooLarge,
			},
			isSick:        {fault: "sick", keys: hangs, reason: []string{tooLate, "/healthz", "500"}, tail: noTable},
			cannotMigrate: migrates, diesOnTrial: diesOnProbation,
		},
	},
	{
		name: "puma", app: "puma", program: "puma", network: "tcp", drops: true,
		keys: keys{
			"command": `["puma", "--threads", "16:16", "--bind", "tcp://ADDRESS", "--bind", "unix://${PWD}/health-${HUPWATCH_GENERATION}.sock", "config.ru"]`,
			"listen":  `["tcp://ADDRESS"]`, "ready": ownHealth,
		},
		bad: map[string]badDeploy{
			cannotLoad: {
				fault:  "import",
				reason: []string{"exited with status 1", "before it was ready", "/healthz"}, tail: "cannot load such file -- no_such_gem",
			},
			hangsAtFirst: {fault: "hang", keys: hangs, reason: []string{tooLate, "/healthz"}, tail: connecting},
			readyAndGone: {
				fault: "ready", keys: keys{"ready": `{ notify = true }`, "warmup": longer},
				reason: []string{"exited with status 7", "before its warm-up"}, tail: noCache,
			},
			diesInWarmup:  diesWarm,
			isSick:        {fault: "sick", keys: hangs, reason: []string{tooLate, "/healthz", "500"}, tail: noTable},
			cannotMigrate: migrates, diesOnTrial: diesOnProbation,
		},
	},
	{
		name: "node", app: "node", program: "node", network: "tcp",
		keys: keys{"command": `["node", "server.js"]`, "environment": `{ READY_FD = "4" }`, "listen": `["tcp://ADDRESS"]`, "ready": `{ fd = 4 }`},
		bad: map[string]badDeploy{
			cannotLoad: {
				fault:  "import",
				reason: []string{"exited with status 1", "before it was ready", "descriptor 4"}, tail: "Cannot find module 'no-such-module'",
			},
			hangsAtFirst: {fault: "hang", keys: hangs, reason: []string{tooLate, "it has not written a line to descriptor 4"}, tail: connecting},
			readyAndGone: {fault: "ready", keys: inWarmup, reason: []string{"exited with status 7", "before its warm-up"}, tail: noCache},
			diesInWarmup: diesWarm,
			isSick: {
				fault: "sick", keys: keys{"start_timeout": giveUp, "environment": `{}`, "ready": ownHealth},
				reason: []string{tooLate, "/healthz", "500"}, tail: noTable,
			},
			cannotMigrate: migrates, diesOnTrial: diesOnProbation,
		},
	},
}

func TestBadReleasesOfRealServersLoseNoRequestAndTellWhy(t *testing.T) {
	t.Parallel()
	st := newStage(t, realServers)
	for _, what := range []string{cannotLoad, hangsAtFirst, readyAndGone, diesInWarmup, diesInOverlap, isSick, cannotMigrate} {
		st.keepsOld(what)
		st.promotes()
	}
	st.rollsBack(diesOnTrial)
	st.promotes()
	st.loads()
	st.daemon.ends(syscall.SIGTERM, patience)
}

// portTaken is what is bad about every release of a server that opens a TCP port
// itself: the one before has it.
const portTaken = "cannot have its port twice"

var remedy = []string{"give the address to the key listen", "stop the service and start it"}

var portOwners = []realServer{
	{ // it tries five times, a second apart
		name: "gunicorn", app: "gunicorn", program: "gunicorn", network: "tcp", workers: 3,
		keys: keys{"command": `["gunicorn", "--workers", "3", "--bind", "ADDRESS", "wsgi:app"]`},
		bad:  map[string]badDeploy{portTaken: {reason: append([]string{"exited with status 1"}, remedy...), tail: "Connection in use"}},
	},
	{
		name: "puma", app: "puma", program: "puma", network: "tcp", drops: true,
		keys: keys{"command": `["puma", "--bind", "tcp://ADDRESS", "config.ru"]`},
		bad:  map[string]badDeploy{portTaken: {reason: append([]string{"exited with status 1"}, remedy...), tail: "EADDRINUSE"}},
	},
	{
		name: "node", app: "node", program: "node", network: "tcp",
		keys: keys{"command": `["node", "server.js", "HOST", "8000"]`},
		bad:  map[string]badDeploy{portTaken: {reason: append([]string{"exited with status 1"}, remedy...), tail: "EADDRINUSE"}},
	},
}

func TestServersThatCannotHaveTheirPortTwiceAreKeptOutWithTheRemedy(t *testing.T) {
	t.Parallel()
	st := newStage(t, portOwners)
	st.keepsOld(portTaken)
	st.loads()

	// The remedy, which takes a gap: then every reload is one without.
	for _, a := range st.actors {
		a.server.keys = maps.Clone(a.server.keys)
		a.server.keys["listen"] = `["tcp://ADDRESS"]`
	}
	st.deploy("")
	st.daemon.asks(exitDone, "restart", "all")
	for _, a := range st.actors {
		a.pid = a.started()
		a.serves(a.release)
		a.begin()
	}
	st.promotes()
	st.loads()
}
