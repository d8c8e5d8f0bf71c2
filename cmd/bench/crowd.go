//go:build linux && amd64

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"hupwatch/runner/control"
)

// How many clients a crowd has: those that ask for the status, those that stall
// within a request, and those that talk nonsense.
const (
	askers   = 1000
	stallers = 100
	babblers = 20
)

// crowd compares a reload in a crowd of clients with one alone, and looks at
// what the crowd leaves behind.
func (b *bench) crowd(ctx context.Context) error {
	const warmup = 500 * time.Millisecond
	n := min(100, b.services)
	r := row{what: "reload of one, its warm-up of 500ms included, while 1000 ask for the status, 100 stall and 20 talk nonsense; against alone, ms", services: n, goal: goal{times: 1.1}}
	pss := row{what: "– memory (PSS) afterwards against before, MB", services: n}
	err := b.with(ctx, n, fmt.Sprintf("warmup = %q", warmup), func(d *daemon) error {
		if err := pause(ctx, 2*warmup); err != nil { // the first warm-ups
			return err
		}
		if err := d.settle(ctx); err != nil {
			return err
		}
		before, err := footprintOf(d.pid)
		if err != nil {
			return err
		}
		for range b.runs {
			seen, err := d.reload(ctx, serviceName(0), syscall.SIGUSR2)
			if err != nil {
				return err
			}
			r.reference.add(seen.told - seen.asked)
			disperse := d.gather(ctx)
			seen, err = d.reload(ctx, serviceName(0), syscall.SIGUSR2)
			disperse()
			if err != nil {
				return err
			}
			r.ours.add(seen.told - seen.asked)
		}
		if err := d.settle(ctx); err != nil {
			return err
		}
		after, err := footprintOf(d.pid)
		pss.reference, pss.ours = append(pss.reference, before.pss), append(pss.ours, after.pss)
		return err
	})
	b.report(r, pss)
	return err
}

// gather sends the crowd, which stays until it is told to disperse.
func (d *daemon) gather(ctx context.Context) (disperse func()) {
	ctx, cancel := context.WithCancel(ctx)
	socket := filepath.Join(d.runtimeDir, "control.sock")
	var all sync.WaitGroup
	for i := range stallers + babblers {
		all.Go(func() {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				return // there are enough of them
			}
			defer conn.Close()
			text := "GET /v1/status HTTP/1.1\r\nHo"
			if i >= stallers {
				text = "\x16\x03\x01 what?\r\n\r\n"
			}
			_, _ = io.WriteString(conn, text)
			<-ctx.Done()
		})
	}
	for range askers {
		all.Go(func() { _, _ = control.NewClient(socket).Status(ctx, false) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// output compares services whose standard error goes through hupwatch with
// services that have hupwatch's own.
func (b *bench) output(ctx context.Context) error {
	start := row{what: "start until all run: stderr with prefix, against inherited, ms", services: b.services}
	pss := row{what: "memory (PSS): stderr with prefix, against inherited, MB", services: b.services}
	for range b.runs {
		for _, way := range []struct {
			keys       string
			start, pss *series
		}{{atOnce, &start.reference, &pss.reference}, {captured, &start.ours, &pss.ours}} {
			d, took, err := b.site.start(ctx, b.services, way.keys)
			if err != nil {
				return err
			}
			way.start.add(took)
			if err := d.settle(ctx); err != nil {
				return err
			}
			f, err := footprintOf(d.pid)
			*way.pss = append(*way.pss, f.pss)
			d.stop()
			if err != nil {
				return err
			}
		}
	}
	b.report(start, pss)
	return nil
}
