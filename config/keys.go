package config

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Key is one key of the configuration file.
type Key struct {
	// Section is where the key stands: empty for the top level, daemon,
	// services (and with it defaults), listen for the tables in a service's
	// listen, or ready for its ready.
	Section string
	Name    string
	Type    string
	// Default is how the default would be written, empty for none.
	Default string
	Doc     string

	example string
	// aside keys exclude others: the example has them as comments.
	aside  bool
	decode func(t *table, k *Key, v any)
	// value returns what a service has for the key. A live key comes into force
	// without a new process.
	value func(*Service) any
	live  bool
}

// Supported reports whether this version of hupwatch can do what the key asks for.
func (k Key) Supported() bool { return k.decode != nil }

// Example returns a sensible value as it would be written.
func (k Key) Example() string {
	if k.example != "" {
		return k.example
	}
	return k.Default
}

// Keys returns every key, in the order in which they are best read.
func Keys() []Key {
	return slices.Concat(topKeys(), daemonKeys(), serviceKeys(), listenKeys(), readyKeys())
}

const (
	sectionTop     = ""
	sectionDaemon  = "daemon"
	sectionService = "services"
	sectionListen  = "listen"
	sectionReady   = "ready"
)

func topKeys() []Key {
	return section(sectionTop, []Key{
		{
			Name: "include", Type: "array of paths", example: `["hupwatch.d/*.toml"]`, decode: decodeInclude,
			Doc: "More files, or patterns of files, that are read too. They hold [services.NAME] sections only; a pattern may match none, and ** is directories at any depth, links not followed.",
		},
		{Name: "daemon", Type: "table", Doc: "What is about hupwatch itself.", decode: decodeDaemon},
		{
			Name: "defaults", Type: "table", decode: decodeDefaults,
			Doc: "Any key of a service; a service's own wins. The entries of environment and limits are merged one by one.",
		},
		{
			Name: "services", Type: "table", decode: decodeServices,
			Doc: "One section for each service, [services.NAME]. A name has up to 64 letters, digits and _ . -; all is reserved.",
		},
	})
}

func daemonKeys() []Key {
	return section(sectionDaemon, []Key{
		{
			Name: "runtime_dir", Type: "path", Default: `"/run/hupwatch"`, decode: runtimeDirectory(func(t *table) *string { return &t.daemon.RuntimeDir }),
			Doc: "A directory of hupwatch's own: pid, control.sock, and what is known of the processes that live. Not root: $XDG_RUNTIME_DIR/hupwatch, else /tmp/hupwatch-UID.",
		},
		{
			Name: "state_dir", Type: "path", Default: `"/var/lib/hupwatch"`, decode: ownDirectory(func(t *table) *string { return &t.daemon.StateDir }),
			Doc: "A directory of hupwatch's own that outlives a reboot, for the journal and the last good releases of each service, without the values of their environment. Not root: $XDG_STATE_HOME/hupwatch, else ~/.local/state/hupwatch.",
		},
		{
			Name: "name_file", Type: "path", Default: `"/run/hupwatch/reload"`, decode: path(func(t *table) *string { return &t.daemon.NameFile }),
			Doc: "The file that names, one a line, the services to reload at USR2. By default it is reload in runtime_dir.",
		},
		{
			Name: "control_group", Type: "string", example: `"deploy"`, decode: account(func(t *table) *string { return &t.daemon.ControlGroup }),
			Doc: "The group that may see the status and reload, by name or number. By default only root and hupwatch's own user.",
		},
		{
			Name: "at_exit", Type: "string", Default: `"stop"`,
			decode: word(func(t *table) *AtExit { return &t.daemon.AtExit }, []AtExit{AtExitStop}, wordHints{
				later: []string{"leave"}, instead: map[string]string{"kill": "stop", "keep": "leave"},
			}),
			Doc: `What happens to the services when hupwatch ends: "stop".`,
		},
		{
			Name: "shutdown_timeout", Type: "duration", Default: `"infinity"`,
			decode: span(func(t *table) *time.Duration { return &t.daemon.ShutdownTimeout }, endless),
			Doc:    "The one budget for all stops when hupwatch ends. What is left then gets KILL.",
		},
		{
			Name: "max_parallel", Type: "integer", Default: "4", decode: number(func(t *table) *int { return &t.daemon.MaxParallel }, 1, math.MaxInt32),
			Doc: "How many reloads are under way at the same time, up to the stop signal. It does not hold at boot.",
		},
		{
			Name: "log_level", Type: "string", Default: `"info"`,
			decode: word(func(t *table) *string { return &t.daemon.LogLevel }, []string{"debug", "info", "warn", "error"}, wordHints{
				instead: map[string]string{"warning": "warn", "err": "error", "critical": "error", "fatal": "error", "trace": "debug", "notice": "info"},
			}),
			Doc: `The least that is logged: "debug", "info", "warn" or "error".`,
		},
		{
			Name: "log_format", Type: "string", Default: `"logfmt"`,
			decode: word(func(t *table) *string { return &t.daemon.LogFormat }, []string{"logfmt", "json"}, wordHints{
				instead: map[string]string{"text": "logfmt", "plain": "logfmt"},
			}),
			Doc: `"logfmt" or "json".`,
		},
		{Name: "http_listen", Type: "string", Doc: "Where metrics and the status page are served."},
	})
}

func serviceKeys() []Key {
	return section(sectionService, []Key{
		{
			Name: "command", Type: "array of strings, or one string", example: `["gunicorn", "myapp:app"]`, decode: decodeCommand,
			value: func(s *Service) any { return s.Command },
			Doc:   "What to run: the arguments, or one string that is split as a POSIX shell would. No shell runs. A name with a slash is below working_dir, any other is looked up in the PATH of the service. ${X} and ${X:-default} are replaced, except in single quotes of a string that is split; $$ is a dollar.",
		},
		{
			Name: "working_dir", Type: "path", example: `"/srv/web/current"`, decode: path(func(t *table) *string { return &t.service.WorkingDir }),
			value: func(s *Service) any { return s.WorkingDir },
			Doc:   "Where it runs; symbolic links are resolved anew for every release. By default hupwatch's own directory.",
		},
		{
			Name: "environment", Type: "table of strings", example: `{ PATH = "/opt/bin:${PATH}" }`, decode: decodeEnvironment,
			value: func(s *Service) any { return s.Environment },
			Doc:   "Variables on top of those of hupwatch and of env_file. ${X} and ${X:-default} are replaced from those below, ${HUPWATCH_INSTANCE}, ${HUPWATCH_GENERATION} and ${HUPWATCH_BIND} for each generation; $$ is a dollar.",
		},
		{
			Name: "env_file", Type: "array of paths", example: `["-/etc/default/web"]`, decode: decodeEnvFiles,
			value: func(s *Service) any { return s.EnvFiles },
			Doc:   `Files of NAME=value lines, in the syntax of systemd, nothing expanded. With a "-" in front the file may be missing.`,
		},
		{
			Name: "unset_environment", Type: "array of strings", example: `["AWS_*"]`, decode: decodeUnset,
			value: func(s *Service) any { return s.UnsetEnvironment },
			Doc:   "Variables of hupwatch's own environment that the service does not inherit; * stands for any letters.",
		},
		{
			Name: "user", Type: "string", example: `"www-data"`, decode: account(func(t *table) *string { return &t.service.User }),
			value: func(s *Service) any { return s.User },
			Doc:   "Who it runs as, by name or number. HOME, USER, LOGNAME and the supplementary groups are set too.",
		},
		{
			Name: "group", Type: "string", example: `"www-data"`, decode: account(func(t *table) *string { return &t.service.Group }),
			value: func(s *Service) any { return s.Group },
			Doc:   "The group it runs as, by name or number. By default that of user.",
		},
		{
			Name: "umask", Type: "octal string", example: `"022"`, decode: octal(func(t *table) *int { return &t.service.Umask }),
			value: func(s *Service) any { return s.Umask },
			Doc:   "The permissions that new files do not get. By default hupwatch's own.",
		},
		{
			Name: "limits", Type: "table of limits", example: `{ nofile = 65536, core = "0:infinity" }`, decode: decodeLimits,
			value: func(s *Service) any { return s.Limits },
			Doc:   `Resource limits: a number, "infinity", or "soft:hard". There are ` + strings.Join(limitNames, ", ") + ".",
		},
		{
			Name: "oom_score_adj", Type: "integer", example: "0", decode: decodeOOMScoreAdj,
			value: func(s *Service) any { return s.OOMScoreAdj },
			Doc:   "How readily the kernel kills it when memory is short: -1000 (never) to 1000 (first).",
		},
		{
			Name: "autostart", Type: "boolean", Default: "true", decode: boolean(func(t *table) *bool { return &t.service.Autostart }),
			value: func(s *Service) any { return s.Autostart }, live: true,
			Doc: "Whether it is started with hupwatch, also where it was stopped by hand before.",
		},
		{
			Name: "depends_on", Type: "array of strings", example: `["api"]`, decode: decodeDependsOn,
			value: func(s *Service) any { return s.DependsOn }, live: true,
			Doc: "The services to wait for: this one starts once they are ready, and stops before they do. It is about order only; a reload does not look at it. They are services of hupwatch too.",
		},
		{
			Name: "instances", Type: "integer", Default: "1", decode: number(func(t *table) *int { return &t.service.Instances }, 1, mostInstances),
			value: func(s *Service) any { return s.Instances },
			Doc:   "How many processes of it run; HUPWATCH_INSTANCE counts them from 0: 127.0.0.1:900${HUPWATCH_INSTANCE} in command is a port for each. They are reloaded one after the other, up to the first failure.",
		},
		{
			Name: "warmup", Type: "duration", Default: `"1s"`, decode: span(func(t *table) *time.Duration { return &t.service.Warmup }, 0),
			value: func(s *Service) any { return s.Warmup }, live: true,
			Doc: "How long a new generation must stay alive, once it is ready, to be believed.",
		},
		{
			Name: "start_timeout", Type: "duration", Default: `"60s"`, decode: span(func(t *table) *time.Duration { return &t.service.StartTimeout }, endless|positive),
			value: func(s *Service) any { return s.StartTimeout }, live: true,
			Doc: "How long a new generation may take to be ready; the warm-up is not counted.",
		},
		{
			Name: "ready", Type: "table or string", example: `{ http = "http://127.0.0.1:8000/healthz" }`, decode: decodeReady,
			value: func(s *Service) any { return s.Ready }, live: true,
			Doc: readyDoc,
		},
		{
			Name: "listen", Type: "array of addresses and tables", decode: decodeListen,
			value:   func(s *Service) any { return s.Listen },
			example: `["tcp://127.0.0.1:8000", { address = "unix:///run/web.sock", name = "web", mode = "0660", group = "www-data", backlog = 4096 }]`,
			Doc:     "Sockets that hupwatch opens once and every generation inherits, as with systemd's socket activation. tcp://:8000 is every address; a table says more.",
		},
		{
			Name: "stop_signal", Type: "signal", Default: `"TERM"`, decode: decodeStopSignal,
			value: func(s *Service) any { return s.StopSignal }, live: true,
			Doc: "The signal that asks it to finish its work and end. It goes to the main process only, see kill_mode.",
		},
		{
			Name: "stop_timeout", Type: "duration", Default: `"30s"`, decode: span(func(t *table) *time.Duration { return &t.service.StopTimeout }, endless),
			value: func(s *Service) any { return s.StopTimeout }, live: true,
			Doc: "How long it may take for that; then its whole process group gets KILL.",
		},
		{
			Name: "kill_mode", Type: "string", Default: `"mixed"`,
			value: func(s *Service) any { return s.KillMode }, live: true,
			decode: word(func(t *table) *KillMode { return &t.service.KillMode }, []KillMode{KillMixed, KillGroup}, wordHints{
				instead: map[string]string{"process": "mixed", "none": "mixed", "control-group": "group", "cgroup": "group", "all": "group"},
			}),
			Doc: `"mixed": the stop signal goes to the main process; "group": to its whole process group.`,
		},
		{
			Name: "restart", Type: "string", Default: `"always"`,
			value: func(s *Service) any { return s.Restart }, live: true,
			decode: word(func(t *table) *Restart { return &t.service.Restart }, []Restart{RestartAlways, RestartOnFailure, RestartNo}, wordHints{
				instead: map[string]string{
					"unless-stopped": "always", "true": "always", "yes": "always", "false": "no", "never": "no",
					"unexpected": "on-failure", "on-abnormal": "on-failure", "on-abort": "on-failure", "on_failure": "on-failure",
				},
			}),
			Doc: `Whether it is started again when it ends by itself: "always", "on-failure" or "no". A program that ends with success, and is not to be started again then, is done.`,
		},
		{
			Name: "restart_delay", Type: "duration", Default: `"500ms"`, decode: span(func(t *table) *time.Duration { return &t.service.RestartDelay }, positive),
			value: func(s *Service) any { return s.RestartDelay }, live: true,
			Doc: "The pause before the second restart in a row; it doubles with each further one. The first is at once.",
		},
		{
			Name: "restart_max_delay", Type: "duration", Default: `"30s"`, decode: span(func(t *table) *time.Duration { return &t.service.RestartMaxDelay }, positive),
			value: func(s *Service) any { return s.RestartMaxDelay }, live: true,
			Doc: "The longest that pause gets.",
		},
		{
			Name: "restart_limit", Type: "integer", Default: "0", decode: number(func(t *table) *int { return &t.service.RestartLimit }, 0, math.MaxInt32),
			value: func(s *Service) any { return s.RestartLimit }, live: true,
			Doc: "After how many ends in a row, without a calm run of 10 s between them, it is given up as failed. 0 is never.",
		},
		{
			Name: "success_exit_codes", Type: "array of integers", Default: "[0]", decode: decodeExitCodes,
			value: func(s *Service) any { return s.SuccessExitCodes }, live: true,
			Doc: "The exit codes that are no failure. Dying of the very signal that hupwatch sent is none either.",
		},
		{
			Name: "essential", Type: "boolean", Default: "false", decode: boolean(func(t *table) *bool { return &t.service.Essential }),
			value: func(s *Service) any { return s.Essential }, live: true,
			Doc: `Whether hupwatch stops the others and ends, with the exit code of this service, when it is down for good. Makes restart "no" where that is not set.`,
		},
		{
			Name: "max_draining", Type: "integer", Default: "2", decode: number(func(t *table) *int { return &t.service.MaxDraining }, 1, math.MaxInt32),
			value: func(s *Service) any { return s.MaxDraining }, live: true,
			Doc: "How many old generations may be finishing their work; the next reload waits for the oldest.",
		},
		{
			Name: "probation", Type: "duration", Default: `"10s"`, decode: span(func(t *table) *time.Duration { return &t.service.Probation }, 0),
			value: func(s *Service) any { return s.Probation }, live: true,
			Doc: "If a new release ends by itself within this time of the stop signal to the old one, the one before it is started again at once. 0 is off.",
		},
		{
			Name: "before_start", Type: "array of strings, or one string", example: `["./migrate"]`, decode: hook(func(t *table) *[]string { return &t.service.BeforeStart }),
			value: func(s *Service) any { return s.BeforeStart }, live: true,
			Doc: "A command that runs before each new release, as its user and in its directory. If it fails, or takes longer than start_timeout, the old release stays. [] is none.",
		},
		{
			Name: "before_stop", Type: "array of strings, or one string", example: `["lb", "drain", "web"]`, decode: hook(func(t *table) *[]string { return &t.service.BeforeStop }),
			value: func(s *Service) any { return s.BeforeStop }, live: true,
			Doc: "A command that runs before the stop signal, at a reload and at a stop, for stop_timeout at most. That it fails is logged and changes nothing. A process has that of the configuration it was started with.",
		},
		{
			Name: "after_reload", Type: "array of strings, or one string", example: `["notify-deploy"]`, decode: hook(func(t *table) *[]string { return &t.service.AfterReload }),
			value: func(s *Service) any { return s.AfterReload }, live: true,
			Doc: "A command that runs after each reload, however it ended: HUPWATCH_RESULT and HUPWATCH_ERROR say how. It gets KILL after start_timeout.",
		},
		{
			Name: "reload", Type: "string", Default: `"start-first"`, decode: decodeReload,
			value: func(s *Service) any { return s.Reload }, live: true,
			Doc: `"start-first": the new generation is proven good before the old one is told to stop; "stop-first": the old one ends first, for programs that cannot live twice: a gap, or with listen a pause in which clients wait in its queue; the last good release is started again if the new one fails; "signal": none is started, reload_signal goes to the one that runs.`,
		},
		{
			Name: "reload_when", Type: "string", Default: `"always"`,
			value: func(s *Service) any { return s.ReloadWhen }, live: true,
			decode: word(func(t *table) *ReloadWhen { return &t.service.ReloadWhen }, []ReloadWhen{ReloadAlways, ReloadChanged}, wordHints{
				instead: map[string]string{"change": "changed", "new": "changed", "onchange": "changed", "on-change": "changed", "true": "always"},
			}),
			Doc: `"changed": a HUP, or a reload of all services, leaves it alone unless something is new for it, as suits a database. A reload that names it always reloads it.`,
		},
		{
			Name: "reload_signal", Type: "signal", Default: `"HUP"`, aside: true, decode: decodeReloadSignal,
			value: func(s *Service) any { return s.ReloadSignal }, live: true,
			Doc: `The signal at which the program reloads itself, with reload = "signal" only.`,
		},
		{
			// OneService has inherit instead.
			Name: "output", Type: "string", Default: `"prefix"`, decode: output(func(t *table) *Output { return &t.service.Output }),
			value: func(s *Service) any { return s.Output },
			Doc:   `Where its standard output and error go: "prefix", to hupwatch's own with the service's name before each line, and control characters made visible; "inherit", to hupwatch's own as they are; "null", nowhere; or the path of a file, with a slash in it, which gets it byte for byte.`,
		},
		{
			Name: "stderr", Type: "string", example: `"inherit"`, decode: output(func(t *table) *Output { return &t.service.Stderr }),
			value: func(s *Service) any { return s.Stderr },
			Doc:   "Where its standard error goes, if apart; the same values. By default both are one stream, and their order is kept.",
		},
		{
			Name: "output_max_size", Type: "size", Default: `"50MB"`, decode: decodeOutputMaxSize,
			value: func(s *Service) any { return s.OutputMaxSize }, live: true,
			Doc: `The size at which an output file is rotated: FILE becomes FILE.1, FILE.1 becomes FILE.2. kB, MB, GB and TB are thousands, KiB, MiB, GiB and TiB are 1024s; "infinity" or 0 is never.`,
		},
		{
			Name: "output_backups", Type: "integer", Default: "10", decode: number(func(t *table) *int { return &t.service.OutputBackups }, 0, 1000),
			value: func(s *Service) any { return s.OutputBackups }, live: true,
			Doc: "How many rotated output files are kept.",
		},
		{
			Name: "publish", Type: "path", example: `"/run/web.sock"`, aside: true, decode: decodePublish,
			value: func(s *Service) any { return s.Publish },
			Doc:   "Instead of listen, for programs that can only open a unix socket themselves: each generation opens ${HUPWATCH_BIND}, a path of its own (in command, --bind unix:${HUPWATCH_BIND} for instance), and this path becomes a link to that of the one that serves.",
		},
		{
			Name: "overlap", Type: "duration", Default: `"500ms"`, aside: true, decode: span(func(t *table) *time.Duration { return &t.service.Overlap }, 0),
			value: func(s *Service) any { return s.Overlap }, live: true,
			Doc: "How long both generations serve, once the link is on the new one and the queue of the old one is empty (10s at most), before the old one is told to stop. With publish only.",
		},
		{
			Name: "compat", Type: "array of strings", example: `["server-starter"]`, decode: decodeCompat,
			value: func(s *Service) any { return s.Compat },
			Doc:   `Other ways to tell of the sockets of listen: "server-starter" sets SERVER_STARTER_PORT and SERVER_STARTER_GENERATION too.`,
		},
	})
}

func listenKeys() []Key {
	return section(sectionListen, []Key{
		{
			Name: "address", Type: "string", example: `"unix:///run/api.sock"`, decode: decodeAddress,
			Doc: "tcp://IP:PORT, tcp4://, tcp6:// or unix:///PATH; unix:PATH is relative to the file.",
		},
		{
			Name: "name", Type: "string", example: `"api"`, decode: decodeListenName,
			Doc: "What LISTEN_FDNAMES says of it. By default the name of the service.",
		},
		{
			Name: "mode", Type: "octal string", Default: `"0666"`, example: `"0660"`, decode: octal(func(t *table) *int { return &t.listen.Mode }),
			Doc: "The permissions of a unix socket: who may connect must be able to write to it.",
		},
		{
			Name: "user", Type: "string", example: `"www-data"`, decode: account(func(t *table) *string { return &t.listen.User }),
			Doc: "The owner of a unix socket.",
		},
		{
			Name: "group", Type: "string", example: `"www-data"`, decode: account(func(t *table) *string { return &t.listen.Group }),
			Doc: "The group of a unix socket.",
		},
		{
			Name: "backlog", Type: "integer", Default: "4096", decode: number(func(t *table) *int { return &t.listen.Backlog }, 1, math.MaxInt32),
			Doc: "How many connections may wait to be accepted; the system's own limit holds too.",
		},
		{
			Name: "blocking", Type: "boolean", Default: "false", decode: boolean(func(t *table) *bool { return &t.listen.Blocking }),
			Doc: "Whether accept waits for a connection, as php-fpm and what is made for inetd want it. A change takes effect when the service is stopped and started: old and new share the socket.",
		},
	})
}

func readyKeys() []Key {
	return section(sectionReady, []Key{
		{
			Name: "http", Type: "URL", example: `"http://127.0.0.1:9000/healthz"`, decode: perGeneration(func(t *table) *string { return &t.ready.URL }, probeURL),
			Doc: `Ready when a GET of this is answered with 2xx; redirects are not followed. An answer counts only if the new generation gave it, whoever else has the address. With publish ask the path of its own, by unix = "${HUPWATCH_BIND}" beside this.`,
		},
		{
			Name: "headers", Type: "table of strings", example: `{ Host = "example.org" }`, decode: decodeHeaders,
			Doc: "What http sends besides.",
		},
		{
			Name: "unix", Type: "path", example: `"${HUPWATCH_BIND}"`, aside: true, decode: perGeneration(func(t *table) *string { return &t.ready.Address }, probeUnix),
			Doc: "Ready when the new generation accepts a connection of this unix socket. Together with http: where that is asked. With publish and no ready this is how, with ${HUPWATCH_BIND}.",
		},
		{
			Name: "tcp", Type: "string", example: `"127.0.0.1:9000"`, aside: true, decode: perGeneration(func(t *table) *string { return &t.ready.Address }, probeTCP),
			Doc: "Ready when the new generation accepts a connection to this address, HOST:PORT.",
		},
		{
			Name: "exec", Type: "array of strings, or one string", example: `["./healthy", "--quick"]`, aside: true, decode: decodeReadyExec,
			Doc: "Ready when this command exits with status 0.",
		},
		{
			Name: "notify", Type: "boolean", example: "true", aside: true, decode: decodeNotify,
			Doc: "Ready when it says READY=1 to NOTIFY_SOCKET, as systemd's Type=notify.",
		},
		{
			Name: "fd", Type: "integer", example: "5", aside: true, decode: number(func(t *table) *int { return &t.ready.FD }, leastReadyFD, mostReadyFD),
			Doc: "Ready when it writes a newline to this descriptor. Those from 3 on are the sockets of listen.",
		},
		{
			Name: "interval", Type: "duration", Default: `"250ms"`, decode: span(func(t *table) *time.Duration { return &t.ready.Interval }, positive),
			Doc: "The pause between two attempts. Each of them may ask several times at once, where the old generation has the same address and answers too.",
		},
		{
			Name: "timeout", Type: "duration", Default: `"2s"`, decode: span(func(t *table) *time.Duration { return &t.ready.Timeout }, positive),
			Doc: "How long each attempt may take. How long all may take is start_timeout.",
		},
	})
}

func section(name string, keys []Key) []Key {
	for i := range keys {
		keys[i].Section = name
	}
	return keys
}

// readyDoc is the text for the key ready, and for the section it can be instead.
const readyDoc = "How to see that a generation is ready: one of http, tcp, unix, exec, notify and fd. It is asked until it succeeds, and once more at the end of the warm-up. " +
	"Without it: with publish when its own path accepts a connection; with listen when it waits for connections on every socket where a generation before it was seen to; else when it listens wherever the one before does. " +
	"ready = \"warmup\" looks at nothing: for a program that shall not accept connections before its predecessor has gone."

// mostInstances is how many processes of one service there may be.
const mostInstances = 1000

// keyIndex finds the keys of each section by name.
type keyIndex map[string]map[string]*Key

func newKeyIndex(keys []Key) keyIndex {
	index := make(keyIndex)
	for i := range keys {
		k := &keys[i]
		if index[k.Section] == nil {
			index[k.Section] = make(map[string]*Key)
		}
		index[k.Section][k.Name] = k
	}
	return index
}
