package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unknownKey says what was probably meant by a key that does not exist.
func (t *table) unknownKey(name string, v any) error {
	f, ok := t.meant(name)
	if err := t.misplaced(name); err != nil && (!ok || t.section != sectionReady) {
		return err
	}
	switch {
	case ok:
		return t.didYouMean(f.key, f.hint)
	case t.section == sectionTop && looksLikeService(v):
		return fmt.Errorf("unknown section, did you mean [services.%s]?", name)
	}
	return errors.New("unknown key: remove it; hupwatch help keys lists all there are")
}

// meant finds the key of this section that was probably meant: the same word
// written differently, another tool's word for it, or a slip of the fingers.
func (t *table) meant(name string) (foreignKey, bool) {
	known := slices.Sorted(maps.Keys(t.keys[t.section]))

	for _, key := range known {
		if plain(key) == plain(name) {
			return foreignKey{key: key}, true
		}
	}
	for _, f := range foreignKeys(t.section) {
		if slices.Contains(strings.Fields(f.names), plain(name)) {
			return f, true
		}
	}
	near := nearest(name, known)
	return foreignKey{key: near}, near != ""
}

func (t *table) didYouMean(key, hint string) error {
	switch k := t.keys[t.section][key]; {
	case key == "":
		return fmt.Errorf("unknown key: %s", hint)
	case !k.Supported():
		key += fmt.Sprintf(" (%v)", errNotYet)
	case t.section == sectionTop && k.Name == sectionService:
		key = "[services.NAME]"
	case t.section == sectionTop && k.Type == "table":
		key = "[" + key + "]"
	}
	if hint != "" {
		hint = " " + hint
	}
	return fmt.Errorf("unknown key, did you mean %s?%s", key, hint)
}

// misplaced says where a key belongs if it exists in another section.
func (t *table) misplaced(name string) error {
	homes := []struct{ section, title string }{
		{sectionTop, "at the top of the file, before the first [section]"},
		{sectionDaemon, "in [daemon]"},
		{sectionService, "in [services.NAME] or [defaults]"},
	}
	for _, home := range homes {
		if _, ok := t.keys[home.section][name]; ok && home.section != t.section {
			return fmt.Errorf("this key belongs %s", home.title)
		}
	}
	return nil
}

func looksLikeService(v any) bool {
	values, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for _, name := range []string{"command", "cmd", "exec", "script"} {
		if _, ok := values[name]; ok {
			return true
		}
	}
	return false
}

// foreignKey says which key of ours stands for those of other tools: supervisord,
// circus, systemd, pm2, compose, pebble and the like. The names are as plain returns
// them.
type foreignKey struct {
	names string
	key   string
	hint  string
}

func foreignKeys(section string) []foreignKey {
	switch section {
	case sectionTop:
		return []foreignKey{
			{names: "service program programs watcher watchers process processes app apps unit group container", key: "services"},
			{names: "supervisord circus global settings hupwatch main config server unixhttpserver inethttpserver", key: "daemon"},
			{names: "default common base template programdefault", key: "defaults"},
			{names: "includes includedir files", key: "include"},
			{names: "env environment", hint: "variables belong in environment of a service or of [defaults]"},
			{names: "socket sockets", hint: "sockets belong in listen of a service"},
			{names: "version name", hint: "remove it, the file has no header"},
		}
	case sectionDaemon:
		return []foreignKey{
			{names: "pidfile pid", key: "runtime_dir", hint: "It is the directory for all that hupwatch writes."},
			{names: "socket controlsocket endpoint serverurl rundir statedir", key: "runtime_dir"},
			{names: "reloadfile namesfile", key: "name_file"},
			{names: "timeout gracefultimeout stoptimeout shutdowngrace gracetimeout stopwaitsecs", key: "shutdown_timeout"},
			{names: "concurrency parallel jobs parallelism maxconcurrency", key: "max_parallel"},
			{names: "loglvl verbosity verbose debug", key: "log_level"},
			{names: "logfile output stdout stderr logoutput", hint: "hupwatch logs to its standard error: redirect that where hupwatch is started"},
			{names: "nodaemon daemonize foreground background", hint: "remove it, hupwatch always stays in the foreground"},
			{names: "metricslisten metrics httpport httpserver statsdendpoint prometheus", key: "http_listen"},
		}
	case sectionListen:
		return []foreignKey{
			{names: "addr path bind url host port socket listen listenstream", key: "address"},
			{names: "fdname filedescriptorname fd", key: "name"},
			{names: "socketmode perm perms permissions chmod umask", key: "mode"},
			{names: "owner uid socketuser chown", key: "user"},
			{names: "gid socketgroup", key: "group"},
			{names: "queue somaxconn", key: "backlog"},
			{names: "nonblocking", key: "blocking", hint: "Sockets do not block unless it is true."},
		}
	case sectionReady:
		return foreignReadyKeys
	}
	return foreignServiceKeys
}

var foreignReadyKeys = []foreignKey{
	{names: "url uri path httpget endpoint httppath httpport scheme host httpurl", key: "http", hint: `It is the whole URL, like "http://127.0.0.1:8000/healthz".`},
	{names: "https tls", hint: `https is not supported, ask by exec, like exec = ["curl", "-fsS", "https://localhost:8443/healthz"]`},
	{names: "header httpheaders httpheader", key: "headers"},
	{names: "port tcpsocket address connect tcpport", key: "tcp", hint: `It is HOST:PORT, like "127.0.0.1:8000".`},
	{names: "socket sock unixsocket socketpath file", key: "unix"},
	{names: "cmd command test script args run program shell", key: "exec"},
	{names: "type sdnotify readynotify systemd waitready notifysocket", key: "notify", hint: "It is true."},
	{names: "notificationfd notifyfd pipe readyfd readinessfd", key: "fd"},
	{names: "period periodseconds periodms every delay freq frequency checkinterval", key: "interval"},
	{names: "timeoutseconds checktimeout deadline wait", key: "timeout"},
	{names: "retries failurethreshold successthreshold threshold attempts maxattempts tries rise fall", hint: "remove it, it is asked again until start_timeout of the service is over"},
	{names: "startperiod initialdelay initialdelayseconds startinterval gracetime", hint: "remove it, a generation has start_timeout of its service to be ready"},
	{names: "grpc", hint: `ask by exec, like exec = ["grpc_health_probe", "-addr=127.0.0.1:8000"]`},
	{names: "method body status expect statuscode expectedstatus codes match", hint: "remove it, http is a GET that any 2xx answers; for more, ask by exec"},
}

var foreignServiceKeys = []foreignKey{
	{names: "cmd exec execstart program entrypoint run start argv script", key: "command"},
	{names: "args arguments params", key: "command", hint: "The arguments follow the program in it."},
	{names: "shell interpreter", key: "command", hint: `No shell runs: where one is needed, write ["sh", "-c", "exec ..."].`},
	{names: "directory dir cwd chdir workdir workingdirectory rootdirectory", key: "working_dir"},
	{names: "env envs envvars setenv variables", key: "environment"},
	{names: "environmentfile environmentfiles envfiles dotenv", key: "env_file"},
	{names: "copyenv passenvironment clearenv copypath", key: "unset_environment", hint: "Services inherit hupwatch's environment."},
	{names: "uid username runas owner", key: "user"},
	{names: "gid groups supplementarygroups", key: "group", hint: "The supplementary groups of user are set too."},
	{names: "rlimits ulimits ulimit rlimitnofile limitnofile limitcore limitnproc maxfds minfds openfiles", key: "limits", hint: "Write it like limits = { nofile = 65536 }."},
	{names: "oomscoreadjust oomadj oom", key: "oom_score_adj"},
	{names: "enabled enable disabled disable startup autorun onboot", key: "autostart", hint: "It is true or false."},
	{names: "after before requires wants priority dependencies needs", key: "depends_on"},
	{names: "numprocs numprocesses processes replicas scale workers count copies", key: "instances"},
	{names: "startsecs minuptime warmuptime warmupdelay minhealthytime minreadyseconds okaydelay", key: "warmup"},
	{names: "timeoutstartsec startuptimeout listentimeout readytimeout startwaitsecs bootwait", key: "start_timeout"},
	{names: "healthcheck health readinessprobe readiness readycheck readyhttp startupprobe probe check checks type notify sdnotify waitready http httpget tcpsocket notificationfd", key: "ready"},
	{names: "liveness livenessprobe livenesscheck watchdog watchdogsec", hint: "remove it, a service is started again when its process ends; ready is asked at starts and reloads only"},
	{names: "bind address socket sockets usesockets listenstream port ports expose", key: "listen"},
	{names: "killsignal termsignal shutdownsignal", key: "stop_signal"},
	{names: "stopwaitsecs timeoutstopsec gracefultimeout killtimeout killdelay stopgraceperiod stopwait gracetimeout stopdelay drain draintimeout", key: "stop_timeout"},
	{names: "stopasgroup killasgroup stopchildren treekill sendsigkill", key: "kill_mode", hint: `"group" sends the stop signal to the whole process group.`},
	{names: "autorestart respawn restartpolicy restarts onfailure onexit onsuccess keepalive", key: "restart", hint: `It is "always", "on-failure" or "no".`},
	{names: "restartsec backoff backoffdelay expbackoffrestartdelay restartpause respawndelay throttle", key: "restart_delay"},
	{names: "restartmaxdelaysec maxbackoff backofflimit maxrestartdelay", key: "restart_max_delay"},
	{names: "startretries maxrestarts maxretry retries startlimitburst maxrespawns maxattempts restartburst", key: "restart_limit", hint: "0 never gives up."},
	{names: "exitcodes successexitstatus successcodes okcodes", key: "success_exit_codes"},
	{names: "stdoutlogfile stdout stdoutstream outfile log logs logfile logging standardoutput redirectstderr", key: "output", hint: "Standard error goes the same way, unless stderr is given too."},
	{names: "stderrlogfile stderrstream errorfile errfile standarderror", key: "stderr", hint: "By default it is one stream with output."},
	{names: "stdoutlogfilemaxbytes stderrlogfilemaxbytes logmaxsize maxbytes rotatesize", key: "output_max_size"},
	{names: "stdoutlogfilebackups stderrlogfilebackups logbackups backupcount", key: "output_backups"},
	{names: "execstartpre prestart prestartscript beforeup beforereload predeploy beforedeploy", key: "before_start"},
	{names: "execstop prestop stopcommand predown", key: "before_stop"},
	{names: "execstartpost poststart afterstart hooks postupdate postdeploy afterdeploy", key: "after_reload"},
	{names: "execreload onreload reloadorder reloadmode updateconfig strategy order sighup sendhup", key: "reload", hint: `"signal" is for programs that reload themselves.`},
	{names: "stopfirst startfirst", key: "reload", hint: `It is "start-first" or "stop-first".`},
	{names: "rolling rollingupdate rollingrestart maxsurge maxunavailable", hint: "remove it, instances are always reloaded one after the other"},
	{names: "hupsignal sigreload reloadsig", key: "reload_signal"},
	{names: "publicsocket publicpath symlink link bindpath", key: "publish"},
	{names: "lameduck lameducktimeout overlaptime", key: "overlap"},
	{names: "name processname title", hint: "the name stands in the header, [services.NAME]"},
	{names: "watch ignorewatch watchpaths", hint: "remove it, files are not watched: a reload begins with HUP"},
	{names: "nice niceness", hint: `remove it, or start the program by "nice"`},
	{names: "pidfile pid", hint: "remove it, and let the program stay in the foreground: hupwatch knows its pid"},
	{names: "daemonize background forking", hint: "remove it, and let the program stay in the foreground"},
}
