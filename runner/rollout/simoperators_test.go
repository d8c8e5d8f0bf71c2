package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// operators are the people around a world, and the files they write.
type operators struct {
	file     file
	text     string         // what is in the configuration file, but for the revision
	written  int            // the revision in it
	parsed   *config.Config // the file last read that had no problems
	nameText *string        // what is in the name file; nil if there is none
	healthy  bool           // nothing new goes wrong
	ambush   *ambush
	token    uint64 // of the client that asked last

	essential map[string]bool // services that must not be down for good
	leaves    bool            // at_exit is leave

	shape    string // the text parsed last, and what came of it
	config   *config.Config
	problems config.Problems
}

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
	probation    time.Duration
	startTimeout time.Duration
	stopTimeout  time.Duration
	maxDraining  int
	restart      string
	restartDelay time.Duration
	restartMax   time.Duration
	restartLimit int
	killMode     string
	autostart    bool
	port         int // 0 for none
	stage        int // in its environment
	fileFeatures
}

// fileFeatures are the keys that only some services have.
type fileFeatures struct {
	ready       string // the kind; empty for none
	interval    time.Duration
	beforeStart bool
	beforeStop  bool
	afterReload bool
	publish     bool
	overlap     time.Duration
	instances   int
	reload      string // the mode; empty for the default
	dependsOn   []string
}

// text says them in the file, as far as it goes: of what it depends on, the
// services that are there.
func (f *fileFeatures) text(b *strings.Builder, name string, there func(string) bool) {
	ready := map[string]string{
		"http": `http = "http://127.0.0.1:80/"`, "tcp": `tcp = "127.0.0.1:80"`, "exec": `exec = ["./healthy"]`,
		"notify": "notify = true", "fd": "fd = 9",
	}[f.ready]
	if ready != "" {
		if f.ready != "notify" && f.ready != "fd" {
			ready += fmt.Sprintf(", interval = %q", f.interval)
		}
		fmt.Fprintf(b, "ready = { %s }\n", ready)
	}
	hook := func(key string, on bool) {
		if on {
			fmt.Fprintf(b, "%s = [\"./hook\"]\n", key)
		}
	}
	hook("before_start", f.beforeStart)
	hook("before_stop", f.beforeStop)
	hook("after_reload", f.afterReload)
	if f.publish {
		fmt.Fprintf(b, "publish = %q\noverlap = %q\n", "/run/"+name+".sock", f.overlap)
	}
	if f.instances > 1 {
		fmt.Fprintf(b, "instances = %d\n", f.instances)
	}
	if f.reload != "" {
		fmt.Fprintf(b, "reload = %q\n", f.reload)
	}
	var names []string
	for _, name := range f.dependsOn {
		if there(name) {
			names = append(names, strconv.Quote(name))
		}
	}
	if len(names) > 0 {
		fmt.Fprintf(b, "depends_on = [%s]\n", strings.Join(names, ", "))
	}
}

func (f *file) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[daemon]\nruntime_dir = \"/run/hupwatch\"\nmax_parallel = %d\n", f.maxParallel)
	if f.shutdown > 0 {
		fmt.Fprintf(&b, "shutdown_timeout = %q\n", f.shutdown)
	}
	there := func(name string) bool {
		return slices.ContainsFunc(f.services, func(s fileService) bool { return s.name == name })
	}
	for _, s := range f.services {
		fmt.Fprintf(&b, "[services.%s]\ncommand = [\"/bin/server\"]\nenvironment = { STAGE = \"%d\" }\n", s.name, s.stage)
		fmt.Fprintf(&b, "warmup = %q\nstart_timeout = %q\nstop_timeout = %q\n", s.warmup, s.startTimeout, s.stopTimeout)
		fmt.Fprintf(&b, "probation = %q\n", s.probation)
		fmt.Fprintf(&b, "max_draining = %d\nrestart = %q\nrestart_limit = %d\nkill_mode = %q\n", s.maxDraining, s.restart, s.restartLimit, s.killMode)
		fmt.Fprintf(&b, "restart_delay = %q\nrestart_max_delay = %q\nautostart = %v\n", s.restartDelay, s.restartMax, s.autostart)
		if s.port > 0 {
			fmt.Fprintf(&b, "listen = [\"tcp://127.0.0.1:%d\"%s]\n", s.port, s.second())
		}
		s.fileFeatures.text(&b, s.name, there)
	}
	return b.String()
}

// second is a socket that some have besides.
func (s *fileService) second() string {
	if s.port%2 == 0 {
		return ""
	}
	return fmt.Sprintf(", \"unix:/run/%s.second\"", s.name)
}

// write puts a new revision of the file into its place.
func (w *world) write() {
	w.file.revision++
	w.text, w.written = w.file.text(), w.file.revision
}

// firstRevision is far from every exit code there is.
const firstRevision = 1000

// read is what a daemon gets that reads the file now. The revision is put into a
// key that takes effect without a new process, and does nothing; the text is without
// it, so that the real parsers read a text of every shape, but none twice.
func (w *world) read() (*config.Config, config.Problems) {
	if w.text != w.shape {
		w.shape = w.text
		w.config, w.problems = config.Parse("/etc/hupwatch.toml", []byte(w.text), func(string) (string, bool) { return "", false })
	}
	if w.config == nil {
		return nil, w.problems
	}
	c := *w.config
	c.Services = slices.Clone(c.Services)
	if w.leaves {
		c.Daemon.AtExit = config.AtExitLeave
	}
	for i := range c.Services {
		s := *c.Services[i]
		s.SuccessExitCodes = []int{0, firstRevision + w.written}
		s.Essential = w.essential[s.Name]
		c.Services[i] = &s
	}
	return &c, w.problems
}

// revision is which version of the file a configuration comes from.
func revision(c *config.Service) int { return c.SuccessExitCodes[1] - firstRevision }

// readTakes is how long a read of the file takes.
func (w *world) readTakes() time.Duration {
	if !w.healthy && w.chance(5) {
		w.faults++
		return w.upTo(time.Minute)
	}
	return w.upTo(30 * time.Millisecond)
}

// begin writes the first file and boots.
func (w *world) begin() {
	w.file.maxParallel = w.between(1, 3)
	w.drawShutdown()
	w.essential = make(map[string]bool)
	for i := range w.between(1, 5) {
		s := w.drawService(fmt.Sprintf("s%d", i))
		w.file.services = append(w.file.services, s)
		w.essential[s.name] = w.chance(2)
	}
	w.leaves = w.chance(15)
	w.write()
	c, problems := w.read()
	if c == nil {
		w.violated("the first file has problems: %v\n%s", problems, w.text)
	}
	w.parsed = c
	w.healthy = w.chance(20)
	told := make(map[string]lifecycle.Wanted) // an earlier hupwatch
	for _, s := range c.Services {
		if w.chance(5) {
			told[s.Name] = pick(w, lifecycle.WantedUp, lifecycle.WantedDown)
		}
	}
	w.inbox = append(w.inbox, Boot{Config: c, Wanted: told})
}

func (w *world) drawShutdown() {
	w.file.shutdown = 0
	if w.chance(50) {
		w.file.shutdown = time.Second + w.upTo(20*time.Second)
	}
}

func (w *world) drawService(name string) fileService {
	s := fileService{
		name:         name,
		warmup:       w.upTo(3 * time.Second),
		startTimeout: time.Second + w.upTo(60*time.Second),
		stopTimeout:  w.upTo(30 * time.Second),
		maxDraining:  w.between(1, 3),
		restart:      "always",
		restartDelay: time.Millisecond + w.upTo(time.Second),
		killMode:     "mixed",
		probation:    w.upTo(20 * time.Second),
		autostart:    w.chance(95),
	}
	s.restartMax = s.restartDelay + w.upTo(20*time.Second)
	if w.chance(10) {
		s.warmup = 0
	}
	if w.chance(10) {
		s.probation = 0
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
	if w.chance(30) { // a digit of the name keeps it from being another's
		s.port = 8000 + 10*int(name[0]) + 2*int(name[1]-'0') + w.between(0, 1)
	}
	if s.fileFeatures = w.drawFeatures(name); s.publish {
		s.port = 0
	}
	return s
}

func (w *world) drawFeatures(name string) fileFeatures {
	f := fileFeatures{
		beforeStart: w.chance(20), beforeStop: w.chance(20), afterReload: w.chance(15),
		interval: 50*time.Millisecond + w.upTo(400*time.Millisecond),
	}
	if w.chance(45) {
		f.ready = pick(w, "http", "tcp", "exec", "notify", "notify", "fd")
	}
	switch w.rng.IntN(10) {
	case 0, 1:
		f.publish, f.overlap = true, w.upTo(2*time.Second)
		if w.chance(20) {
			f.overlap = 0
		}
		if w.chance(50) {
			f.ready = "" // then that is its own path
		}
	case 2, 3, 4:
		f.instances = w.between(2, 3)
	}
	switch w.rng.IntN(10) {
	case 0, 1:
		f.reload = "stop-first"
	case 2:
		if !f.publish {
			f.reload = "signal"
		}
	}
	// Only on those whose names come first, lest they wait for each other.
	for _, other := range []string{"n0", "n2", "s0", "s1", "s2", "s3"} {
		if other < name && w.chance(15) {
			f.dependsOn = append(f.dependsOn, other)
		}
	}
	return f
}

// mischief is one thing people, their programs or their disks do.
func (w *world) mischief() {
	switch w.rng.IntN(25) {
	case 0, 1, 2, 3:
		w.deploy()
		w.hup(1)
	case 4:
		w.deploy()
		w.hup(w.between(2, 5)) // somebody is impatient
	case 5, 6:
		w.edit()
		w.hup(1)
	case 7:
		w.breakFile()
		w.hup(1)
	case 8, 9:
		w.deploy()
		w.usr2(1)
	case 10:
		w.usr2(w.between(2, 6))
	case 11, 12:
		w.crash()
	case 13:
		w.flap()
	case 14:
		w.freeze(w.list[w.rng.IntN(len(w.list))])
		if w.chance(30) {
			w.freezeRollout()
		}
	case 15:
		w.standStill()
	case 16, 17, 18:
		w.layAmbush()
	case 19:
		w.say("operators: from now on things are healthy: %v", !w.healthy)
		w.healthy = !w.healthy
	default:
		w.clients()
	}
}

// deploy switches the links to a new release and the file to a new revision.
func (w *world) deploy() {
	w.current++
	w.write()
	if !w.healthy && w.chance(20) {
		f := flaw{noResolve: w.chance(25), noSpawn: w.chance(25), noExec: w.chance(25)}
		f.dies = f == flaw{}
		w.flaws[w.dir()] = f
	}
	w.say("operators: deploy revision %d, %+v", w.file.revision, w.flaws[w.dir()])
}

func (w *world) hup(times int) {
	for range times {
		w.after(w.upTo(2*time.Second), func() { w.inbox = append(w.inbox, Hangup{}) })
	}
}

func (w *world) edit() {
	i := w.rng.IntN(len(w.file.services))
	switch w.rng.IntN(7) {
	case 6:
		if s := &w.file.services[i]; !s.publish {
			s.instances = w.between(1, 3)
		}
	case 5:
		s := &w.file.services[i]
		if s.fileFeatures = w.drawFeatures(s.name); s.publish {
			s.port = 0
		}
	case 4:
		w.file.services[i].stage++
	case 0:
		w.file.services[i] = w.drawService(w.file.services[i].name)
	case 1:
		w.put(w.drawService(fmt.Sprintf("n%d", w.rng.IntN(4))))
	case 2:
		w.take(i)
	case 3:
		w.file.maxParallel = w.between(1, 4)
		w.drawShutdown()
	}
	w.write()
	w.say("operators: edit the file, revision %d", w.file.revision)
}

// put adds a service to the file, unless it is there.
func (w *world) put(s fileService) {
	if !slices.ContainsFunc(w.file.services, func(f fileService) bool { return f.name == s.name }) {
		w.file.services = append(w.file.services, s)
	}
}

// take removes one from it, unless it is the last.
func (w *world) take(i int) {
	if len(w.file.services) > 1 {
		w.file.services = slices.Delete(slices.Clone(w.file.services), i, i+1)
	}
}

// flap removes a service and thinks better of it while it drains.
func (w *world) flap() {
	i := w.rng.IntN(len(w.file.services))
	s := w.file.services[i]
	w.take(i)
	w.write()
	if w.chance(25) {
		s.autostart = !s.autostart
	}
	w.say("operators: remove %s, revision %d", s.name, w.file.revision)
	w.hup(1)
	w.after(w.upTo(5*time.Second), func() {
		w.put(s)
		w.write()
		w.say("operators: and put it back, revision %d", w.file.revision)
		w.hup(w.between(1, 2))
	})
}

// regret removes a service, puts it back as soon as it stops, and then the host
// goes down.
func (w *world) regret(terminate func()) {
	i := w.rng.IntN(len(w.file.services))
	s := w.file.services[i]
	w.take(i)
	w.write()
	w.ambush = &ambush{"stopping", func(a *actor) {
		w.freeze(a)
		w.put(s)
		w.write()
		w.inbox = append(w.inbox, Hangup{})
		w.after(w.upTo(time.Second), terminate)
	}}
	w.inbox = append(w.inbox, Hangup{})
	w.run(w.now.Add(w.upTo(5 * time.Second)))
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
		w.text, w.written = w.file.text(), w.file.revision
	})
}

// usr2 writes a name file and sends USR2, so many times.
func (w *world) usr2(times int) {
	for range times {
		var text strings.Builder
		for _, s := range w.file.services {
			if w.chance(40) {
				text.WriteString(s.name + "\r\n")
			}
		}
		if w.chance(10) {
			text.WriteString("nobody\n")
			w.faults++
		}
		if w.chance(5) {
			text.WriteString("two names\n")
			w.faults++
		}
		w.after(w.upTo(time.Second), func() { w.sendNames(text.String()) })
	}
}

func (w *world) sendNames(text string) {
	w.nameText = &text
	if w.chance(5) {
		w.nameText = nil
	}
	w.inbox = append(w.inbox, NamesAsked{})
}

// claim takes the name file, as claimNameFile does.
func (w *world) claim() {
	in := NamesClaimed{Err: errors.New("there is none")}
	if w.nameText != nil {
		in.Names, in.Err = ParseNames([]byte(*w.nameText))
	}
	w.nameText = nil
	w.inbox = append(w.inbox, in)
}

// heal takes every fault out of the world, reloads, and waits for calm.
func (w *world) heal() {
	w.say("operators: everything is mended")
	w.healthy = true
	w.ambush = nil
	w.run(w.now.Add(time.Minute)) // what was going to be mended by then
	w.current++
	w.write()
	w.inbox = append(w.inbox, Hangup{})
	w.run(w.now.Add(5 * time.Minute))
	w.healAgain() // what died of its own fate meanwhile
	w.run(w.now.Add(5 * time.Minute))
	if !w.rollout.ending {
		w.checkHealed()
	}
}

// end asks hupwatch to end, in whatever phase it is, and sees that it does.
func (w *world) end() {
	name := "TERM"
	if w.chance(30) {
		name = "INT"
	}
	w.ambush = nil
	terminate := func() { w.inbox = append(w.inbox, Stop{name, w.now}) }
	if w.chance(20) {
		w.regret(terminate)
	}
	if w.chance(60) {
		w.layAmbushFor(terminate)
		w.hup(1)
		w.run(w.now.Add(w.upTo(20 * time.Second)))
		w.ambush = nil
	}
	for range w.between(0, 3) {
		w.ask(w.drawDemand())
	}
	terminate()
	if name == "INT" && w.chance(50) {
		w.after(w.upTo(2*time.Second), func() { w.inbox = append(w.inbox, Stop{"INT", w.now}, Kill{}) })
	}
	w.hup(1)
	w.askLater(w.upTo(2*time.Second), w.drawDemand())
	w.run(w.now.Add(time.Hour))
	if !w.done {
		w.violated("hupwatch does not end")
	}
}
