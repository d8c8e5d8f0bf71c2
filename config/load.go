package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Load reads a configuration file and all it includes, and reports every
// problem of all of them at once. If one of these is more than a warning, there is no
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
	l.incomplete = l.incomplete || len(l.includes) > 0
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
	// The tables of the main file; empty if it has none.
	daemonTable   *table
	defaultsTable *table
	includes      []include
	// serviceTables has the table of each service so far.
	serviceTables map[string]*table
	claims        map[string][]claim
	// incomplete says that there may be services that are not known.
	incomplete bool
	// rotations has how the files of outputs are rotated, by path.
	rotations map[string]rotation
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
		rotations:     make(map[string]rotation),
	}

	l.base = l.builtin(keys)
	l.config = Config{File: name, Daemon: l.base.daemon, Files: make(map[string]string)}
	l.daemonTable = &table{loader: l, source: l.main, section: sectionDaemon, path: "daemon", daemon: &l.config.Daemon}
	defaults := l.base.service
	l.defaultsTable = &table{loader: l, source: l.main, section: sectionService, path: "defaults", service: &defaults}
	return l
}

// baseline is what holds if a file says nothing.
type baseline struct {
	daemon  Daemon
	service Service
	listen  Listen
	ready   Ready
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
		t := &table{loader: l, source: l.main, section: section, given: values, daemon: &b.daemon, service: &b.service, listen: &b.listen, ready: &b.ready}
		t.decode()
	}
	if len(l.found) > 0 {
		panic(fmt.Sprintf("decode the defaults: %v", problems(l.found)))
	}
	return b
}

// document decodes a file as TOML. The values are not checked yet.
func (l *loader) document(s *source) *table {
	t := &table{loader: l, source: s, section: sectionTop}

	if err := s.locate(); err != nil {
		l.found = append(l.found, finding{source: s, text: err.Error()})
		return t
	}
	s.rank = l.read
	l.read++
	l.files[s.real] = true

	values, line, err := s.decode()
	if err != nil {
		l.found = append(l.found, finding{source: s, line: line, text: err.Error()})
		l.incomplete = true
		return t
	}
	t.given = values
	return t
}

// suspect warns of what is unsafe about a file and its directory.
func (l *loader) suspect(s *source, unsafe []string) {
	dir := DirOf(s.name)
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 && !l.files[dir] {
		l.files[dir] = true
		unsafe = append(unsafe, fmt.Sprintf("others may write to the directory of this file and so replace it: chmod o-w %s", dir))
	}

	for _, text := range unsafe {
		l.found = append(l.found, finding{source: s, text: text, warn: true})
	}
}

// finish does what needs the whole configuration.
func (l *loader) finish(top *table) (*Config, Problems) {
	l.defaultDirectories()
	l.checkShutdown()
	l.checkDependencies()
	if len(l.config.Services) == 0 && len(l.includes) == 0 && len(l.found) == 0 {
		top.problem("", errors.New("no services: add a section like [services.web] with a command in it"))
	}

	slices.SortFunc(l.config.Services, func(a, b *Service) int { return strings.Compare(a.Name, b.Name) })
	ps := problems(l.found)
	if ps.fatal() {
		return nil, ps
	}
	c := l.config // a pointer into the loader would keep all that was read
	return &c, ps
}
