// Package stub is the last step between hupwatch and a command: hupwatch
// started once more, which sets up what only the process itself can set up, and
// then becomes the command. It is needed for LISTEN_PID, resource limits, the
// umask and another user, and wherever an exec may hang, since a fork whose exec
// hangs would stop all of hupwatch.
//
//	hupwatch ── fork, exec /proc/self/exe ──▶ stub ── exec ──▶ command
//	    │                                      ▲ │
//	    └────────────── Request ───────────────┘ │
//	    ◀── nothing: it runs · Report: it failed ┘
//
// The package imports nothing but syscall, so that the stub is gone before the
// rest of hupwatch is initialised, which would cost more than all it does.
package stub

import "syscall"

// Variable names the environment variable that makes hupwatch a stub. Its
// value is the number of the descriptor that the request comes from and the
// report goes to. A command never gets it.
const Variable = "HUPWATCH_STUB"

// The exit code of a stub that did not become the command.
const exitFailed = 127

func init() {
	if fd, found := syscall.Getenv(Variable); found {
		run(number(fd)) // never returns
	}
}

// run becomes the command that is asked for through the descriptor, or ends.
func run(control int) {
	syscall.CloseOnExec(control)

	var r Request
	if !r.read(control) {
		syscall.Exit(exitFailed) // hupwatch is gone, or a person set Variable
	}
	f := r.become(control)
	f.write(control)
	syscall.Exit(exitFailed)
}

// become returns only if it fails. It changes the user late, but enters the
// directory as that user: nobody else needs access to it.
func (r *Request) become(control int) Report {
	if err := r.adjustOOMScore(); err != nil {
		return Report{Stage: OOMScoreAdj, Errno: errno(err)}
	}
	if r.Umask >= 0 {
		syscall.Umask(r.Umask)
	}
	for i, l := range r.Limits {
		if err := l.set(); err != nil {
			return Report{Stage: Limits, Index: i, Errno: errno(err)}
		}
	}
	if stage, err := r.switchUser(); err != nil {
		return Report{Stage: stage, Errno: errno(err)}
	}
	if r.Dir != "" {
		if err := syscall.Chdir(r.Dir); err != nil {
			return Report{Stage: Chdir, Errno: errno(err)}
		}
	}
	clearSignals()

	env := r.environment()
	Report{Stage: Executing}.write(control)
	err := syscall.Exec(r.Path, r.Args, env)
	if err == syscall.ENOENT && syscall.Access(r.Path, 0) == nil {
		return Report{Stage: Interpreter, Errno: syscall.ENOENT}
	}
	return Report{Stage: Exec, Errno: errno(err)}
}

func (r *Request) adjustOOMScore() error {
	if !r.AdjustOOM {
		return nil
	}
	fd, err := syscall.Open("/proc/self/oom_score_adj", syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = syscall.Write(fd, []byte(decimal(r.OOMScoreAdj)))
	syscall.Close(fd)
	return err
}

// switchUser gives up the rights of hupwatch, and makes sure that they are gone.
func (r *Request) switchUser() (Stage, error) {
	if !r.SwitchUser {
		return 0, nil
	}
	groups := make([]int, len(r.Groups))
	for i, g := range r.Groups {
		groups[i] = int(g)
	}
	if err := syscall.Setgroups(groups); err != nil {
		return Groups, err
	}
	gid, uid := int(r.GID), int(r.UID)
	if err := syscall.Setgid(gid); err != nil {
		return Group, err
	}
	if err := syscall.Setuid(uid); err != nil {
		return User, err
	}
	switch {
	case syscall.Getgid() != gid || syscall.Getegid() != gid:
		return Group, syscall.EPERM
	case syscall.Getuid() != uid || syscall.Geteuid() != uid:
		return User, syscall.EPERM
	case uid != 0 && syscall.Setuid(0) == nil:
		return User, syscall.EPERM
	}
	return 0, nil
}

// environment is the command's own. LISTEN_PID is added only here: before, there
// was no process whose number it could be.
func (r *Request) environment() []string {
	env := make([]string, 0, len(r.Env)+1)
	for _, v := range r.Env {
		if !hasName(v, Variable) && (!r.ListenPID || !hasName(v, "LISTEN_PID")) {
			env = append(env, v)
		}
	}
	if r.ListenPID {
		env = append(env, "LISTEN_PID="+decimal(syscall.Getpid()))
	}
	return env
}

func hasName(variable, name string) bool {
	return len(variable) > len(name) && variable[:len(name)] == name && variable[len(name)] == '='
}

func errno(err error) syscall.Errno {
	if e, ok := err.(syscall.Errno); ok { //nolint:errorlint // the stub imports nothing but syscall
		return e
	}
	return syscall.EINVAL
}

// number reads a decimal number; -1 if it is none. This and decimal are here
// since strconv would be a further package to initialise.
func number(s string) int {
	n := 0
	for i := range len(s) {
		d := int(s[i]) - '0'
		if d < 0 || d > 9 || n > 1<<20 {
			return -1
		}
		n = 10*n + d
	}
	if s == "" {
		return -1
	}
	return n
}

func decimal(n int) string {
	if n < 0 {
		return "-" + decimal(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + decimal(n%10)
}
