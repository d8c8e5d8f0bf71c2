//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// daemon is one hupwatch with services that report to stamps.
type daemon struct {
	*stamps
	pid        int
	began      time.Duration
	runtimeDir string
	current    map[string]int // the process that runs, by service
	ended      bool
}

// site is where the daemons of a run find what they need.
type site struct {
	hupwatch string // the binary
	service  string // likewise
	dir      string
	// runtimeDir is runtime_dir of every hupwatch.
	runtimeDir string
}

// serviceName is short enough for a stamp.
func serviceName(i int) string { return fmt.Sprintf("s%05d", i) }

func (s *site) config(n int, keys string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[daemon]\nruntime_dir = %q\nstate_dir = %q\nmax_parallel = 64\n\n[defaults]\noutput = \"inherit\"\n%s\n", s.runtimeDir, filepath.Join(s.dir, "state"), keys)
	for i := range n {
		fmt.Fprintf(&b, "\n[services.%s]\ncommand = [%q, %q]\n", serviceName(i), s.service, serviceName(i))
	}
	return b.String()
}

// start starts a hupwatch with n services that have these keys, and returns when
// all of them run; took is how long that was.
func (s *site) start(ctx context.Context, n int, keys string) (d *daemon, took time.Duration, err error) {
	file := filepath.Join(s.dir, "hupwatch.toml")
	if err := os.WriteFile(file, []byte(s.config(n, keys)), 0o600); err != nil {
		return nil, 0, err
	}
	st, err := newStamps()
	if err != nil {
		return nil, 0, err
	}
	d = &daemon{stamps: st, runtimeDir: s.runtimeDir, current: make(map[string]int)}
	// The log goes to /dev/null, so that it costs only the writing.
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	defer null.Close()
	d.began = now()
	d.pid, err = syscall.ForkExec(s.hupwatch, []string{"hupwatch", "-c", file}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{null.Fd(), uintptr(st.to), null.Fd()},
	})
	if err != nil {
		st.close()
		return nil, 0, fmt.Errorf("start %s: %w", s.hupwatch, err)
	}
	last, err := d.awaitRunning(ctx, n)
	if err != nil {
		d.stop()
		return nil, 0, err
	}
	return d, last - d.began, nil
}

// awaitRunning waits for n services to report that they run, and returns when
// the last one did.
func (d *daemon) awaitRunning(ctx context.Context, n int) (last time.Duration, err error) {
	err = d.await(ctx, fmt.Sprintf("%d services to run", n), func(st stamp) bool {
		if st.kind == running {
			d.current[st.service] = st.pid
			n--
		}
		last = max(last, st.at)
		return n == 0
	})
	return last, err
}

// kill kills the process of a service.
func (d *daemon) kill(service string) error {
	pid, found := d.current[service]
	if !found {
		return fmt.Errorf("%s does not run", service) // 0 would be the benchmark's own group
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// reloaded is what a reload of one service looked like from within.
type reloaded struct{ asked, runs, told time.Duration }

// reload asks by a signal for a reload of one service alone, and returns what that
// service saw of it.
func (d *daemon) reload(ctx context.Context, service string, sig syscall.Signal) (reloaded, error) {
	old := d.current[service]
	if sig == syscall.SIGUSR2 {
		if err := os.WriteFile(d.runtimeDir+"/reload", []byte(service+"\n"), 0o600); err != nil {
			return reloaded{}, err
		}
	}
	r := reloaded{asked: now()}
	if err := syscall.Kill(d.pid, sig); err != nil {
		return r, fmt.Errorf("signal hupwatch: %w", err)
	}
	err := d.await(ctx, "the reload of one service", func(st stamp) bool {
		switch {
		case st.kind == running:
			r.runs, d.current[service] = st.at, st.pid
		case st.pid == old:
			r.told = st.at
		}
		return r.runs > 0 && r.told > 0
	})
	return r, err
}

// reloadAll reloads all services by a HUP, and returns how long that took until
// every old process was gone and reaped.
func (d *daemon) reloadAll(ctx context.Context) (took time.Duration, err error) {
	var old []int
	for _, pid := range d.current {
		old = append(old, pid)
	}
	asked := now()
	if err := syscall.Kill(d.pid, syscall.SIGHUP); err != nil {
		return 0, fmt.Errorf("signal hupwatch: %w", err)
	}
	last, err := d.awaitRunning(ctx, len(old))
	if err != nil {
		return 0, err
	}
	err = await(ctx, "the old processes to go", func() bool {
		for len(old) > 0 && syscall.Kill(old[0], 0) == syscall.ESRCH {
			old = old[1:]
			if len(old) == 0 {
				last = max(last, now())
			}
		}
		return len(old) == 0
	})
	d.read()
	return last - asked, err
}

// stop ends hupwatch and all it runs, and returns how long that took.
func (d *daemon) stop() time.Duration {
	if d.ended {
		return 0
	}
	d.ended = true
	asked := now()
	_ = syscall.Kill(d.pid, syscall.SIGTERM)
	for {
		if _, err := syscall.Wait4(d.pid, nil, 0, nil); err != syscall.EINTR {
			break
		}
	}
	took := now() - asked
	d.close()
	return took
}

// settle waits until hupwatch does nothing any more, and has given back what it
// needed before.
func (d *daemon) settle(ctx context.Context) error {
	const quiet = 2500 * time.Millisecond
	before := time.Duration(-1)
	for {
		used, _, err := usage(d.pid)
		if err != nil || used == before {
			return err
		}
		before = used
		if err := pause(ctx, quiet); err != nil {
			return err
		}
	}
}
