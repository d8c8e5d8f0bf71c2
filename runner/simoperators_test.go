package runner

import (
	"fmt"
	"strings"
	"time"

	"hupwatch/config"
	"hupwatch/services"
)

// file is what the operators mean the configuration file to say.
type file struct {
	revision    int
	maxParallel int
	shutdown    time.Duration // 0 is infinity
	services    []fileService
}

type fileService struct {
	name         string
	warmup       time.Duration
	startTimeout time.Duration
	stopTimeout  time.Duration
	maxDraining  int
	restart      string
	restartLimit int
	killMode     string
	autostart    bool
}

func (f *file) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[daemon]\nruntime_dir = \"/run/hupwatch\"\nmax_parallel = %d\n", f.maxParallel)
	if f.shutdown > 0 {
		fmt.Fprintf(&b, "shutdown_timeout = %q\n", f.shutdown)
	}
	for _, s := range f.services {
		fmt.Fprintf(&b, "[services.%s]\ncommand = [\"/bin/server\"]\nenvironment = { REVISION = \"%d\" }\n", s.name, f.revision)
		fmt.Fprintf(&b, "warmup = %q\nstart_timeout = %q\nstop_timeout = %q\n", s.warmup, s.startTimeout, s.stopTimeout)
		fmt.Fprintf(&b, "max_draining = %d\nrestart = %q\nrestart_limit = %d\nkill_mode = %q\n", s.maxDraining, s.restart, s.restartLimit, s.killMode)
		fmt.Fprintf(&b, "autostart = %v\n", s.autostart)
	}
	return b.String()
}

// begin writes the first file and boots.
func (w *world) begin() {
	w.file = file{revision: 1, maxParallel: w.between(1, 3)}
	if w.chance(50) {
		w.file.shutdown = time.Second + w.upTo(20*time.Second)
	}
	for i := range w.between(1, 5) {
		w.file.services = append(w.file.services, w.drawService(fmt.Sprintf("s%d", i)))
	}
	w.healthy = w.chance(30)
	w.text = w.file.text()
	c, problems := config.Parse("/etc/hupwatch.toml", []byte(w.text), func(string) (string, bool) { return "", false })
	if c == nil {
		w.violated("the first file has problems: %v\n%s", problems, w.text)
	}
	w.parsed = c
	w.healthy = w.chance(20)
	w.inbox = append(w.inbox, boot{c})
}

func (w *world) drawService(name string) fileService {
	s := fileService{
		name:         name,
		warmup:       w.upTo(3 * time.Second),
		startTimeout: time.Second + w.upTo(60*time.Second),
		stopTimeout:  w.upTo(30 * time.Second),
		maxDraining:  w.between(1, 3),
		restart:      "always",
		killMode:     "mixed",
		autostart:    w.chance(95),
	}
	if w.chance(10) {
		s.warmup = 0
	}
	if w.chance(20) {
		s.restart = "on-failure"
	}
	if w.chance(10) {
		s.restart = "no"
	}
	if w.chance(20) {
		s.restartLimit = w.between(1, 5)
	}
	if w.chance(20) {
		s.killMode = "group"
	}
	return s
}

// mischief is one thing people, their programs or their disks do.
func (w *world) mischief() {
	switch w.rng.IntN(10) {
	case 0, 1, 2:
		w.deploy()
		w.hup(1)
	case 3:
		w.deploy()
		w.hup(w.between(2, 5)) // somebody is impatient
	case 4:
		w.edit()
		w.hup(1)
	case 5:
		w.breakFile()
		w.hup(1)
	case 6, 7:
		w.deploy()
		w.usr2()
	case 8:
		w.crash()
	case 9:
		w.say("operators: from now on things are healthy: %v", !w.healthy)
		w.healthy = !w.healthy
	}
}

// deploy switches the links to a new release and the file to a new revision.
func (w *world) deploy() {
	w.current++
	w.file.revision++
	w.text = w.file.text()
	w.say("operators: deploy revision %d", w.file.revision)
}

func (w *world) hup(times int) {
	for range times {
		w.after(w.upTo(2*time.Second), func() { w.inbox = append(w.inbox, hangup{}) })
	}
}

func (w *world) edit() {
	w.file.revision++
	i := w.rng.IntN(len(w.file.services))
	switch w.rng.IntN(3) {
	case 0:
		w.file.services[i] = w.drawService(w.file.services[i].name)
	case 1:
		w.file.services = append(w.file.services, w.drawService(fmt.Sprintf("n%d", w.rng.IntN(4))))
		for _, s := range w.file.services[:len(w.file.services)-1] {
			if s.name == w.file.services[len(w.file.services)-1].name {
				w.file.services = w.file.services[:len(w.file.services)-1] // it is there already
				break
			}
		}
	case 2:
		if len(w.file.services) > 1 {
			w.file.services = append(w.file.services[:i:i], w.file.services[i+1:]...)
		}
	}
	w.text = w.file.text()
	w.say("operators: edit the file, revision %d", w.file.revision)
}

func (w *world) breakFile() {
	w.faults++
	w.say("operators: break the file")
	switch w.rng.IntN(3) {
	case 0:
		w.text = w.text[:w.rng.IntN(len(w.text))] + "\n= broken"
	case 1:
		w.text += "stop_singal = \"TERM\"\n"
	case 2:
		w.text = strings.Replace(w.text, "warmup", "wramup", 1)
	}
	w.after(w.upTo(10*time.Second), func() {
		w.say("operators: mend the file")
		w.text = w.file.text()
	})
}

func (w *world) usr2() {
	var text string
	for _, s := range w.file.services {
		if w.chance(40) {
			text += s.name + "\r\n"
		}
	}
	if w.chance(10) {
		text += "nobody\n"
		w.faults++
	}
	if w.chance(5) {
		text = "two names\n"
		w.faults++
	}
	w.nameText = &text
	if w.chance(5) {
		w.nameText = nil
	}
	w.after(w.upTo(time.Second), func() { w.inbox = append(w.inbox, namesAsked{}) })
}

// crash ends a process that lives, for no reason.
func (w *world) crash() {
	var living []*proc
	for _, name := range w.names() {
		for number := 1; number <= w.actors[name].machine.Generations; number++ {
			if p := w.procs[generation{name, number}]; p != nil && p.spawned && !p.dead {
				living = append(living, p)
			}
		}
	}
	if len(living) == 0 {
		return
	}
	w.faults++
	p := living[w.rng.IntN(len(living))]
	w.say("kernel: generation %d of %s crashes", p.number, p.service)
	w.die(p, services.Exit{Signal: 11})
}

// heal takes every fault out of the world, reloads, and waits for calm.
func (w *world) heal() {
	w.say("operators: everything is mended")
	w.healthy = true
	w.run(w.now.Add(15 * time.Second)) // what was going to be mended by then
	w.current++
	w.file.revision++
	w.text = w.file.text()
	w.inbox = append(w.inbox, hangup{})
	w.run(w.now.Add(5 * time.Minute))
	w.inbox = append(w.inbox, hangup{}) // what died of its own fate meanwhile
	w.run(w.now.Add(5 * time.Minute))
	w.checkHealed()
}

// end asks hupwatch to end, in whatever phase it is, and sees that it does.
func (w *world) end() {
	limit := w.now.Add(30*time.Second + 11*time.Second)
	if w.file.shutdown > 0 {
		limit = min(limit, w.now.Add(w.rollout.config.Daemon.ShutdownTimeout).Add(6*time.Second))
	}
	signal := "TERM"
	if w.chance(30) {
		signal = "INT"
		if w.chance(50) {
			w.after(w.upTo(2*time.Second), func() { w.inbox = append(w.inbox, stop{"INT", w.now}, kill{}) })
		}
	}
	w.inbox = append(w.inbox, stop{signal, w.now})
	w.hup(1)
	w.run(w.now.Add(time.Hour))
	w.checkEnded(limit)
}
