package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func decodeDependsOn(t *table, k *Key, v any) {
	var names []string
	t.stringElements(k, v, func(at, s string) {
		if slices.Contains(names, s) {
			t.problem(at, fmt.Errorf("%s is named twice: remove one", s))
			return
		}
		names = append(names, s)
	})
	t.service.DependsOn = names
}

// checkDependencies runs once all services are known: a named one may come later, or
// in another file.
func (l *loader) checkDependencies() {
	l.defaultsTable.checkDependencyNames()
	for _, name := range slices.Sorted(maps.Keys(l.serviceTables)) {
		l.serviceTables[name].checkDependencyNames()
	}
	l.checkCycles()
}

// checkDependencyNames reports the names in a table that no service has.
func (t *table) checkDependencyNames() {
	elements, _ := list(t.given["depends_on"])
	for i, e := range elements {
		name, ok := e.(string)
		if _, known := t.serviceTables[name]; !ok || known || t.incomplete {
			continue
		}
		t.problem(joinIndex("depends_on", i), t.unknownService(name))
	}
}

func (l *loader) unknownService(name string) error {
	if name == AllServices {
		return errors.New("name the services one by one, all is none")
	}
	plain := strings.TrimSuffix(name, ".service") // systemd's way
	known := slices.Sorted(maps.Keys(l.serviceTables))
	if near := nearest(plain, known); near != "" {
		return fmt.Errorf("there is no service %q, did you mean %s?", clip(name), near)
	}
	return fmt.Errorf("there is no service %q: add it, or remove it here", clip(name))
}

// checkCycles reports services that wait for each other.
func (l *loader) checkCycles() {
	w := walk{loader: l, seen: make(map[string]bool), reported: make(map[string]bool)}
	for _, name := range slices.Sorted(maps.Keys(l.serviceTables)) {
		w.visit(name)
	}
}

// walk follows the dependencies of services, and visits each service once.
type walk struct {
	*loader
	// seen has the services that were visited: true as long as one is on the way,
	// false afterwards.
	seen     map[string]bool
	reported map[string]bool
	// way has the services from where the walk began to where it is.
	way []string
}

func (w *walk) visit(name string) {
	onWay, seen := w.seen[name]
	if onWay {
		w.cycle(w.way[slices.Index(w.way, name):])
	}
	t, known := w.serviceTables[name]
	if !known || seen {
		return
	}

	w.seen[name] = true
	w.way = append(w.way, name)
	for _, next := range t.service.DependsOn {
		w.visit(next)
	}
	w.way = w.way[:len(w.way)-1]
	w.seen[name] = false
}

// cycle reports services in a ring, unless one of them is in a ring reported before:
// breaking that one may break this one too.
func (w *walk) cycle(ring []string) {
	if slices.ContainsFunc(ring, func(name string) bool { return w.reported[name] }) {
		return
	}
	for _, name := range ring {
		w.reported[name] = true
	}

	first := w.serviceTables[ring[0]]
	at := first.dependencyPlace(ring[1%len(ring)])
	switch {
	case len(ring) > 1:
		first.problem(at, fmt.Errorf("they wait for each other, so none would start: %s → %s; take one out", strings.Join(ring, " → "), ring[0]))
	case at == "":
		first.problem(at, fmt.Errorf("%s would wait for itself, as [defaults] says: give it a depends_on of its own, [] for none", ring[0]))
	default:
		first.problem(at, fmt.Errorf("%s would wait for itself: take it out", ring[0]))
	}
}

// dependencyPlace is where a service is named in the table, empty if it is named in
// [defaults].
func (t *table) dependencyPlace(name string) string {
	elements, _ := list(t.given["depends_on"])
	for i, e := range elements {
		if e == name {
			return joinIndex("depends_on", i)
		}
	}
	return ""
}
