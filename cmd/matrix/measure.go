package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hupwatch/config"
	"hupwatch/examples/load"
)

// The load on each variant, shared out among its addresses.
const (
	freshWorkers     = 8
	keepAliveWorkers = 8
	slowWorkers      = 4
)

// slowness is how long the slow requests of the first and second half of the
// load take.
var slowness = [2]time.Duration{600 * time.Millisecond, 1200 * time.Millisecond}

// subject is a variant that is being tested.
type subject struct {
	*row
	service   *config.Service
	addresses []string // "network://address"
	loads     []*load.Load
	gone      map[int]time.Time // when each generation was gone
}

func newSubject(r *row, cfg *config.Config) (*subject, error) {
	service, found := cfg.Service(r.variant.service)
	if !found {
		return nil, fmt.Errorf("no service %q", r.variant.service)
	}
	sub := &subject{row: r, service: service, gone: make(map[int]time.Time)}
	r.stopSignal = config.SignalName(service.StopSignal)
	var over []string
	for _, address := range r.variant.addresses {
		network, _, _ := strings.Cut(address, "://")
		sub.addresses = append(sub.addresses, address)
		over = append(over, network+" of its own")
	}
	for _, l := range service.Listen {
		sub.addresses = append(sub.addresses, l.Network+"://"+l.Address)
		over = append(over, l.Network)
	}
	if service.Publish != "" {
		sub.addresses = append(sub.addresses, "unix://"+service.Publish)
		over = append(over, "unix, published")
	}
	r.over = strings.Join(over, ", ")
	return sub, nil
}

// measure runs the example, reloads it and fills in the rows.
func (m *matrix) measure(ctx context.Context, s server, rows []row) (err error) {
	at, err := m.newSite(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.remove()) }()
	cfg, err := at.config()
	if err != nil {
		return err
	}
	subjects := make([]*subject, len(rows))
	for i := range rows {
		if subjects[i], err = newSubject(&rows[i], cfg); err != nil {
			return fmt.Errorf("%s: %w", at.file(), err)
		}
	}

	d, err := m.startDaemon(at)
	if err != nil {
		return err
	}
	err = m.reloadUnderLoad(ctx, d, at, cfg, subjects)
	for _, sub := range subjects {
		sub.finish()
	}
	err = errors.Join(err, d.stop())
	if err != nil {
		err = fmt.Errorf("%w; the last lines:\n%s", err, d.tail())
	}
	return err
}

// reloadUnderLoad puts the load on as soon as all services run, and reloads them
// again and again.
func (m *matrix) reloadUnderLoad(ctx context.Context, d *daemon, at *site, cfg *config.Config, subjects []*subject) error {
	for _, service := range cfg.Services {
		if _, err := d.await(ctx, 0, "msg=generation promoted", "service="+service.Name); err != nil {
			return err
		}
	}
	for _, sub := range subjects {
		if err := sub.start(ctx, d, at); err != nil {
			return err
		}
	}
	for range m.reloads {
		if err := reload(ctx, d, cfg, subjects); err != nil {
			return err
		}
	}
	return nil
}

// reload reloads everything by a HUP, and returns when the old generations are
// gone and the new ones answer.
func reload(ctx context.Context, d *daemon, cfg *config.Config, subjects []*subject) error {
	from, begun := d.lines(), time.Now()
	if err := d.hup(); err != nil {
		return err
	}
	done, err := d.await(ctx, from, "msg=reload done")
	if err != nil {
		return err
	}
	if want := strconv.Itoa(len(cfg.Services)); done["promoted"] != want {
		return fmt.Errorf("%s of %s services were promoted", cmp.Or(done["promoted"], "0"), want)
	}
	for _, service := range cfg.Services {
		if _, err := d.await(ctx, from, "msg=generation exited", "service="+service.Name); err != nil {
			return err
		}
	}
	for _, sub := range subjects {
		if err := sub.reloaded(ctx, d, from, begun); err != nil {
			return fmt.Errorf("%s: %w", sub.service.Name, err)
		}
	}
	return nil
}

// clean reports whether a generation ended as it should.
func clean(exited event, service *config.Service) bool {
	return exited["exit"] == "exited with status 0" ||
		exited["exit"] == "killed by signal "+config.SignalName(service.StopSignal)
}

// start puts the load on.
func (sub *subject) start(ctx context.Context, d *daemon, at *site) error {
	for i, slow := range slowness {
		cfg := sub.load(at, sub.addresses[i%len(sub.addresses)])
		cfg.SlowPath = fmt.Sprintf("/slow?ms=%d", slow.Milliseconds())
		// Not ctx: a ^C must not cut requests and count them as lost.
		sub.loads = append(sub.loads, load.Start(context.WithoutCancel(ctx), cfg))
	}
	return sub.awaitAnswers(ctx, d, 0)
}

// load is half of the load, on one address.
func (sub *subject) load(at *site, address string) load.Config {
	cfg := load.Config{
		Fresh: freshWorkers / 2, KeepAlive: keepAliveWorkers / 2, Slow: slowWorkers / 2,
		Timeout: 30 * time.Second,
	}
	cfg.Network, cfg.Address, _ = strings.Cut(address, "://")
	if sub.variant.noKeepAlive {
		cfg.Fresh, cfg.KeepAlive = cfg.Fresh+cfg.KeepAlive, 0
	}
	if sub.variant.script != "" {
		cfg.Script = filepath.Join(at.dir, sub.variant.script)
	}
	return cfg
}

// awaitAnswers waits until the generation that was promoted, from that line of
// the log on, answers on every address.
func (sub *subject) awaitAnswers(ctx context.Context, d *daemon, from int) error {
	promoted, err := d.await(ctx, from, "msg=generation promoted", "service="+sub.service.Name)
	if err != nil {
		return err
	}
	g, err := generationOf(promoted)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%v does not answer", g))
	defer cancel()
	for _, l := range sub.loads {
		if _, err := l.Await(ctx, g.answered); err != nil {
			return err
		}
	}
	return nil
}

// reloaded notes what a reload was like, from its log.
func (sub *subject) reloaded(ctx context.Context, d *daemon, from int, begun time.Time) error {
	signalled, err := d.await(ctx, from, "msg=stop signal sent", "service="+sub.service.Name)
	if err != nil {
		return err
	}
	exited, err := d.await(ctx, from, "msg=generation exited", "service="+sub.service.Name)
	if err != nil {
		return err
	}
	old, err := generationOf(exited)
	if err != nil {
		return err
	}
	stopped, err := signalled.at()
	if err != nil {
		return err
	}
	gone, err := exited.at()
	if err != nil {
		return err
	}
	if !clean(exited, sub.service) {
		sub.unclean = append(sub.unclean, exited["exit"])
	}
	sub.stops = append(sub.stops, stop{stopped, old.number})
	if ready, found := d.find(from, "msg=generation ready", "service="+sub.service.Name); found {
		took, err := time.ParseDuration(ready["took"])
		if err != nil {
			return err
		}
		sub.ready = append(sub.ready, took)
	}
	sub.took = append(sub.took, stopped.Sub(begun))
	sub.drained = append(sub.drained, gone.Sub(stopped))
	sub.gone[old.number] = time.Now() // later than it was
	return sub.awaitAnswers(ctx, d, from)
}

// finish takes the load off and counts.
func (sub *subject) finish() {
	for _, l := range sub.loads {
		sub.results = append(sub.results, l.Stop())
	}
	for number, gone := range sub.gone {
		for _, r := range sub.results {
			for a := range r.After(gone) {
				if n := answeredBy(a); n > 0 && n <= number {
					sub.ghosts++
				}
			}
		}
	}
}
