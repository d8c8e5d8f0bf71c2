//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// The keys of the services. Without a warm-up nothing more happens once they run.
const (
	atOnce   = `warmup = 0`
	viaStub  = "warmup = 0\numask = \"022\"" // only the process itself can set it
	captured = "warmup = 0\nstderr = \"prefix\""
)

// measurement is one part of the benchmark.
type measurement struct {
	name string
	run  func(*bench, context.Context) error
}

var measurements = []measurement{
	{"start", (*bench).startsFewAndMany},
	{"memory", (*bench).memory},
	{"crash", (*bench).crash},
	{"reload", (*bench).reloadOne},
	{"all", (*bench).reloadAll},
	{"stub", (*bench).stub},
	{"output", (*bench).output},
	{"crowd", (*bench).crowd},
	{"endurance", (*bench).endurance},
	{"idle", (*bench).idleCost},
}

func (b *bench) startsFewAndMany(ctx context.Context) error {
	for _, n := range []int{min(100, b.services), b.services} {
		if err := b.starts(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// starts compares starting and stopping n services with the loop.
func (b *bench) starts(ctx context.Context, n int) error {
	start := row{what: "start until all run, ms", services: n, goal: goal{times: 1.3}}
	used := row{what: "– CPU of hupwatch itself until then, ms", services: n}
	stop := row{what: "TERM until all have gone, ms", services: n}
	for range b.runs {
		l, err := b.newLoop()
		if err != nil {
			return err
		}
		before := ownCPU()
		took, err := l.start(ctx, n)
		used.reference.add(ownCPU() - before)
		start.reference.add(took)
		stop.reference.add(l.stop())
		l.end()
		if err != nil {
			return err
		}
		d, took, err := b.site.start(ctx, n, atOnce)
		if err != nil {
			return err
		}
		cpu, _, err := usage(d.pid)
		start.ours.add(took)
		used.ours.add(cpu)
		if err == nil {
			err = d.settle(ctx)
		}
		stop.ours.add(d.stop())
		if err != nil {
			return err
		}
	}
	b.report(start, used, stop)
	return nil
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory looks at what hupwatch holds when all is quiet: after the start, and
// after everything was reloaded once.
func (b *bench) memory(ctx context.Context) error {
	for _, n := range b.sizes(1, 100) {
		var goals [2]goal
		if n >= 1000 {
			goals = [2]goal{{most: 12}, {most: 40}}
		}
		pss := row{what: "memory (PSS), MB", services: n, goal: goals[0]}
		threads := row{what: "threads", services: n, goal: goals[1]}
		later := row{what: "memory after a reload of all, MB", services: n, goal: goals[0]}
		laterThreads := row{what: "threads after a reload of all", services: n, goal: goals[1]}
		for range b.runs {
			err := b.with(ctx, n, atOnce, func(d *daemon) error {
				f, err := footprintOf(d.pid)
				if err != nil {
					return err
				}
				pss.ours = append(pss.ours, f.pss)
				threads.ours = append(threads.ours, float64(f.threads))
				if _, err := d.reloadAll(ctx); err != nil {
					return err
				}
				if err := d.settle(ctx); err != nil {
					return err
				}
				f, err = footprintOf(d.pid)
				later.ours = append(later.ours, f.pss)
				laterThreads.ours = append(laterThreads.ours, float64(f.threads))
				return err
			})
			if err != nil {
				return err
			}
		}
		b.report(pss, threads, later, laterThreads)
	}
	return nil
}

// idleCost is what hupwatch does when there is nothing to do.
func (b *bench) idleCost(ctx context.Context) error {
	cpu := row{what: fmt.Sprintf("%s idle: CPU, ms", b.idle), services: b.services, goal: goal{most: 10}}
	woken := row{what: fmt.Sprintf("%s idle: context switches of all threads", b.idle), services: b.services}
	err := b.with(ctx, b.services, atOnce, func(d *daemon) error {
		cpuBefore, before, err := usage(d.pid)
		if err != nil {
			return err
		}
		if err := pause(ctx, b.idle); err != nil {
			return err
		}
		cpuAfter, after, err := usage(d.pid)
		cpu.ours.add(cpuAfter - cpuBefore)
		woken.ours = append(woken.ours, float64(after-before))
		return err
	})
	b.report(cpu, woken)
	return err
}

// crash kills services, each once: the first crash of a service is followed by a
// restart at once.
func (b *bench) crash(ctx context.Context) error {
	n := min(100, b.services)
	r := row{what: "KILL of a service until its replacement runs, ms", services: n, goal: goal{most: 2}}
	err := b.with(ctx, n, atOnce, func(d *daemon) error {
		for i := range n {
			killed := now()
			if err := d.kill(serviceName(i)); err != nil {
				return err
			}
			runs, err := d.awaitRunning(ctx, 1)
			if err != nil {
				return err
			}
			r.ours.add(runs - killed)
		}
		return nil
	})
	b.report(r)
	return err
}

// reloadOne reloads one service of few and of many.
func (b *bench) reloadOne(ctx context.Context) error {
	const warmup = 50 * time.Millisecond
	for _, n := range b.sizes(1, 10, 100) {
		var most goal
		if n == 1 {
			most.most = 3
		}
		sig, by := syscall.SIGHUP, "HUP"
		if n > 1 {
			sig, by = syscall.SIGUSR2, "USR2 for one"
		}
		runs := row{what: by + " until the new process runs, ms", services: n, goal: most}
		told := row{what: "end of the warm-up until TERM of the old one, ms", services: n, goal: most}
		err := b.with(ctx, n, fmt.Sprintf("warmup = %q", warmup), func(d *daemon) error {
			if err := pause(ctx, 2*warmup); err != nil { // the first warm-ups
				return err
			}
			for i := range 5 * b.runs {
				seen, err := d.reload(ctx, serviceName(i*7919%n), sig)
				if err != nil {
					return err
				}
				runs.ours.add(seen.runs - seen.asked)
				told.ours.add(seen.told - seen.runs - warmup)
			}
			return nil
		})
		if err != nil {
			return err
		}
		b.report(runs, told)
	}
	return nil
}

// reloadAll compares a reload of all with a loop that starts, tells and waits.
func (b *bench) reloadAll(ctx context.Context) error {
	for _, n := range b.sizes(100) {
		r := row{what: "HUP until all are replaced and the old ones reaped, ms", services: n, goal: goal{times: 2}}
		used := row{what: "– CPU of hupwatch itself until then, ms", services: n}
		for range b.runs {
			if err := b.replaceAll(ctx, n, &r, &used); err != nil {
				return err
			}
		}
		b.report(r, used)
	}
	return nil
}

func (b *bench) replaceAll(ctx context.Context, n int, r, used *row) error {
	l, err := b.newLoop()
	if err != nil {
		return err
	}
	defer l.end()
	if _, err := l.start(ctx, n); err != nil {
		return err
	}
	before := ownCPU()
	took, err := l.replace(ctx)
	if err != nil {
		return err
	}
	r.reference.add(took)
	used.reference.add(ownCPU() - before)
	l.stop()

	return b.with(ctx, n, atOnce, func(d *daemon) error {
		before, _, err := usage(d.pid)
		if err != nil {
			return err
		}
		took, err := d.reloadAll(ctx)
		if err != nil {
			return err
		}
		after, _, err := usage(d.pid)
		r.ours.add(took)
		used.ours.add(after - before)
		return err
	})
}

// stub compares starts through the stub with direct ones.
func (b *bench) stub(ctx context.Context) error {
	n := min(100, b.services)
	one := row{what: "HUP until the new process runs: through the stub, against directly, ms", services: 1}
	many := row{what: "start until all run: through the stub, against directly, ms", services: n}
	for range b.runs {
		for _, way := range []struct {
			keys      string
			one, many *series
		}{{atOnce, &one.reference, &many.reference}, {viaStub, &one.ours, &many.ours}} {
			d, took, err := b.site.start(ctx, n, way.keys)
			if err != nil {
				return err
			}
			way.many.add(took)
			d.stop()
			err = b.with(ctx, 1, way.keys, func(d *daemon) error {
				for range 5 {
					seen, err := d.reload(ctx, serviceName(0), syscall.SIGHUP)
					if err != nil {
						return err
					}
					way.one.add(seen.runs - seen.asked)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	b.report(one, many)
	return nil
}

// endurance looks for what is left over by reloads: the reference is hupwatch
// itself after the first few of them.
func (b *bench) endurance(ctx context.Context) error {
	what := fmt.Sprintf("after %d reloads, against after %d: ", b.reloads, b.reloads/100)
	pss := row{what: what + "memory (PSS), MB", services: 1, goal: goal{times: 1.1}}
	threads := row{what: what + "threads", services: 1, goal: goal{times: 1}}
	fds := row{what: what + "descriptors", services: 1, goal: goal{times: 1}}
	note := func(d *daemon, pss, threads, fds *series) error {
		if err := d.settle(ctx); err != nil {
			return err
		}
		f, err := footprintOf(d.pid)
		*pss = append(*pss, f.pss)
		*threads = append(*threads, float64(f.threads))
		*fds = append(*fds, float64(f.descriptors))
		return err
	}
	err := b.with(ctx, 1, atOnce, func(d *daemon) error {
		for i := range b.reloads {
			if i == b.reloads/100 {
				if err := note(d, &pss.reference, &threads.reference, &fds.reference); err != nil {
					return err
				}
			}
			if _, err := d.reload(ctx, serviceName(0), syscall.SIGHUP); err != nil {
				return err
			}
		}
		return note(d, &pss.ours, &threads.ours, &fds.ours)
	})
	b.report(pss, threads, fds)
	return err
}
