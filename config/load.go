package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Load reads a configuration file and all it includes, and reports every
// problem of all of them at once. With any problem beyond warnings there is no
// configuration.
func Load(path string) (*Config, Problems) {
	l := newLoader(path, os.LookupEnv)

	unsafe, err := l.main.read()
	if err != nil {
		return nil, Problems{{File: path, Text: err.Error()}}
	}
	l.suspect(l.main, unsafe)

	top := l.document(l.main)
	top.decode()
	l.follow(top)
	return l.finish(top)
}

// Parse decodes the text of a configuration as Load does, but reads no files:
// include is checked and not followed. The name stands for the file in messages
// and gives the directory of relative paths; env looks up the variables of
// hupwatch's own environment.
func Parse(name string, text []byte, env func(string) (string, bool)) (*Config, Problems) {
	l := newLoader(name, env)
	l.main.text = append([]byte{}, text...)

	top := l.document(l.main)
	top.decode()
	return l.finish(top)
}

// loader is one configuration while it is read.
type loader struct {
	env    func(string) (string, bool)
	keys   keyIndex
	base   baseline
	config Config
	found  []finding

	main *source
	// files has the files read and the directories warned of, by path.
	files map[string]bool
	read  int
	// What the tables of the main file came to; empty ones where it has none.
	daemonTable   *table
	defaultsTable *table
	includes      []include
	// serviceTables has the table of each service so far.
	serviceTables map[string]*table
	claims        map[string][]claim
}

func newLoader(name string, env func(string) (string, bool)) *loader {
	keys := Keys()
	l := &loader{
		env:           env,
		keys:          newKeyIndex(keys),
		main:          &source{name: name},
		files:         make(map[string]bool),
		serviceTables: make(map[string]*table),
		claims:        make(map[string][]claim),
	}

	l.base = l.builtin(keys)
	l.config = Config{File: name, Daemon: l.base.daemon}
	l.daemonTable = &table{loader: l, source: l.main, section: sectionDaemon, path: "daemon", daemon: &l.config.Daemon}
	defaults := l.base.service
	l.defaultsTable = &table{loader: l, source: l.main, section: sectionService, path: "defaults", service: &defaults}
	return l
}

// baseline is what holds where a file says nothing.
type baseline struct {
	daemon  Daemon
	service Service
	listen  Listen
}

// builtin decodes the defaults of the key table, as if they stood in a file.
func (l *loader) builtin(keys []Key) baseline {
	var text strings.Builder
	for _, k := range keys {
		if k.Default != "" {
			fmt.Fprintf(&text, "%s.%s = %s\n", k.Section, k.Name, k.Default)
		}
	}

	var given map[string]map[string]any
	if _, err := toml.Decode(text.String(), &given); err != nil {
		panic(fmt.Sprintf("decode the defaults: %v", err))
	}

	b := baseline{service: Service{Umask: -1}, listen: Listen{Mode: -1}}
	for section, values := range given {
		t := &table{loader: l, source: l.main, section: section, given: values, daemon: &b.daemon, service: &b.service, listen: &b.listen}
		t.decode()
	}
	if len(l.found) > 0 {
		panic(fmt.Sprintf("decode the defaults: %v", problems(l.found)))
	}
	return b
}

// document decodes a file as TOML, its values not looked at yet.
func (l *loader) document(s *source) *table {
	t := &table{loader: l, source: s, section: sectionTop}

	abs, err := filepath.Abs(s.name)
	if err != nil {
		l.found = append(l.found, finding{source: s, text: fmt.Sprintf("find its directory: %v", err)})
		return t
	}
	s.dir = filepath.Dir(abs)
	s.rank = l.read
	l.read++
	l.files[abs] = true

	values, line, err := s.decode()
	if err != nil {
		l.found = append(l.found, finding{source: s, line: line, text: err.Error()})
		return t
	}
	t.given = values
	return t
}

// suspect warns of what is unsafe about a file and its directory.
func (l *loader) suspect(s *source, unsafe []string) {
	dir := filepath.Dir(s.name)
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 && !l.files[dir] {
		l.files[dir] = true
		unsafe = append(unsafe, fmt.Sprintf("others may write to the directory of this file and so replace it: chmod o-w %s", dir))
	}

	for _, text := range unsafe {
		l.found = append(l.found, finding{source: s, text: text, warn: true})
	}
}

func decodeDaemon(t *table, k *Key, v any) {
	given, ok := v.(map[string]any)
	if !ok {
		t.problem(k.Name, fmt.Errorf("expected a section [%s], not %s", k.Name, typeName(v)))
		return
	}
	t.daemonTable.given = given
	t.daemonTable.decode()
}

func decodeDefaults(t *table, k *Key, v any) {
	given, ok := v.(map[string]any)
	if !ok {
		t.problem(k.Name, fmt.Errorf("expected a section [%s], not %s", k.Name, typeName(v)))
		return
	}
	t.defaultsTable.given = given
	t.defaultsTable.decode()
	t.defaultsTable.checkDelays()
}

// decodeServices comes after decodeDefaults: keys are decoded in the order of
// their names.
func decodeServices(t *table, k *Key, v any) {
	given, ok := v.(map[string]any)
	if !ok {
		t.problem(k.Name, fmt.Errorf("expected sections [services.NAME], one for each service, not %s", typeName(v)))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		t.addService(joinKey(k.Name, name), name, given[name])
	}
}

// addService decodes one service upon the defaults.
func (t *table) addService(at, name string, v any) {
	given, ok := v.(map[string]any)
	if !ok {
		t.problem(at, t.noService(name, v))
		return
	}
	if err := checkServiceName(name); err != nil {
		t.problem(at, err)
	}
	if other, ok := t.serviceTables[name]; ok {
		t.problem(at, fmt.Errorf("this service is there already, at %s: keep one, or rename one", other.source.place(other.path)))
		return
	}

	service := *t.defaultsTable.service
	service.Name = name
	sub := &table{loader: t.loader, source: t.source, section: sectionService, path: t.absolute(at), given: given, service: &service}
	t.serviceTables[name] = sub

	sub.decode()
	sub.checkCommand()
	sub.checkDelays()
	sub.claimAddresses()
	t.config.Services = append(t.config.Services, service)
}

// noService says what is wrong with a value where the section of a service
// should be.
func (t *table) noService(name string, v any) error {
	if _, ok := t.keys[sectionService][name]; ok {
		return errors.New("this key is in no service: write it below a header like [services.web]")
	}
	return fmt.Errorf("expected a section [services.%s], not %s", name, typeName(v))
}

func (t *table) checkCommand() {
	if len(t.service.Command) > 0 || t.failed["command"] || t.defaultsTable.failed["command"] {
		return
	}
	for name := range t.given {
		if _, known := t.keys[t.section][name]; known {
			continue
		}
		// What is misspelt has been reported already.
		if f, _ := t.meant(name); f.key == "command" {
			return
		}
	}
	t.problem("command", errors.New(`missing: say what to run, like command = ["gunicorn", "myapp:app"]`))
}

// checkDelays compares the delays between restarts, if this table gives one.
func (t *table) checkDelays() {
	first, most := "restart_delay", "restart_max_delay"
	if t.service.RestartDelay <= t.service.RestartMaxDelay {
		return
	}
	for _, failed := range []map[string]bool{t.failed, t.defaultsTable.failed} {
		if failed[first] || failed[most] {
			return
		}
	}

	if _, ok := t.given[most]; ok {
		t.problem(most, fmt.Errorf("%v is less than restart_delay, %v: raise it", t.service.RestartMaxDelay, t.service.RestartDelay))
		return
	}
	if _, ok := t.given[first]; ok {
		t.problem(first, fmt.Errorf("%v is more than restart_max_delay, %v: raise that too", t.service.RestartDelay, t.service.RestartMaxDelay))
	}
}

// claim is an address that a service listens on, and where the file says so.
type claim struct {
	Listen
	service string
	source  *source
	path    string
}

// claimAddresses names the sockets that have no name, and reports those that
// another has already.
func (t *table) claimAddresses() {
	from := t
	if _, own := t.given["listen"]; !own {
		from = t.defaultsTable
		t.service.Listen = slices.Clone(t.service.Listen)
	}

	for i := range t.service.Listen {
		l := &t.service.Listen[i]
		if l.Name == "" {
			l.Name = t.service.Name
		}
		if l.Network != "" {
			from.claim(claim{Listen: *l, service: t.service.Name, source: from.source, path: from.absolute(joinIndex("listen", i))})
		}
	}
}

func (t *table) claim(c claim) {
	slot := c.slot()
	for _, other := range t.claims[slot] {
		if !c.overlap(other.Listen) {
			continue
		}
		t.found = append(t.found, finding{source: c.source, path: c.path, text: fmt.Sprintf(
			"service %s cannot listen on %s, service %s does so at %s",
			c.service, c.Address, other.service, other.source.place(other.path))})
		return
	}
	t.claims[slot] = append(t.claims[slot], c)
}

// finish does what takes the whole configuration.
func (l *loader) finish(top *table) (*Config, Problems) {
	l.defaultDirectories()
	l.checkShutdown()
	if len(l.config.Services) == 0 && len(l.includes) == 0 && len(l.found) == 0 {
		top.problem("", errors.New("no services: add a section like [services.web] with a command in it"))
	}

	slices.SortFunc(l.config.Services, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	ps := problems(l.found)
	if ps.fatal() {
		return nil, ps
	}
	return &l.config, ps
}

// defaultDirectories fills in what depends on who hupwatch runs as.
func (l *loader) defaultDirectories() {
	d := &l.config.Daemon

	if _, ok := l.daemonTable.given["runtime_dir"]; !ok {
		d.RuntimeDir = l.runtimeDir(os.Geteuid())
	}
	if _, ok := l.daemonTable.given["name_file"]; !ok {
		d.NameFile = filepath.Join(d.RuntimeDir, "reload")
	}
}

func (l *loader) runtimeDir(euid int) string {
	if euid == 0 {
		return l.base.daemon.RuntimeDir
	}
	if dir, ok := l.env("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "hupwatch")
	}
	return fmt.Sprintf("/tmp/hupwatch-%d", euid)
}

// checkShutdown warns of services that hupwatch's end leaves less time than
// they have at a reload.
func (l *loader) checkShutdown() {
	budget := l.config.Daemon.ShutdownTimeout
	if _, ok := l.daemonTable.given["shutdown_timeout"]; !ok || l.daemonTable.failed["shutdown_timeout"] {
		return
	}

	var names []string
	for _, s := range l.config.Services {
		if s.StopTimeout > budget {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	if most := 3; len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	if len(names) > 0 {
		l.daemonTable.warn("shutdown_timeout", fmt.Sprintf(
			"shorter than the stop_timeout of %s: at the end of hupwatch they get KILL after %v", strings.Join(names, ", "), budget))
	}
}
