package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

func decodeDaemon(t *table, k *Key, v any) {
	if given, ok := t.sectionOf(k, v); ok {
		t.daemonTable.given = given
		t.daemonTable.decode()
	}
}

func decodeDefaults(t *table, k *Key, v any) {
	if given, ok := t.sectionOf(k, v); ok {
		t.defaultsTable.given = given
		t.defaultsTable.decode()
		t.defaultsTable.checkDelays()
	}
}

func (t *table) sectionOf(k *Key, v any) (map[string]any, bool) {
	given, ok := v.(map[string]any)
	if !ok {
		t.problem(k.Name, fmt.Errorf("expected a section [%s], not %s", k.Name, typeName(v)))
	}
	return given, ok
}

// decodeServices comes after decodeDefaults: keys are decoded in the order of
// their names.
func decodeServices(t *table, k *Key, v any) {
	given, ok := v.(map[string]any)
	if !ok {
		t.problem(k.Name, fmt.Errorf("expected sections [services.NAME], one for each service, not %s", typeName(v)))
		t.incomplete = true
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
		t.incomplete = true
		return
	}
	if err := CheckServiceName(name); err != nil {
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
	sub.essentialEnds()
	sub.checkCommand()
	sub.checkDelays()
	sub.claimAddresses()
	sub.claimOutputs()
	sub.claimPublish()
	sub.checkPublish()
	sub.checkReady()
	sub.checkReload()
	sub.checkCompat()
	t.config.Services = append(t.config.Services, &service)
	t.config.Files[name] = t.source.name
}

// essentialEnds makes "no" the default of restart for an essential service: its first
// end is its last.
func (t *table) essentialEnds() {
	_, here := t.given["restart"]
	_, inDefaults := t.defaultsTable.given["restart"]
	if t.service.Essential && !here && !inDefaults {
		t.service.Restart = RestartNo
	}
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
	if len(t.service.Command) > 0 || !t.sound("command") {
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
	first, most := t.service.RestartDelay, t.service.RestartMaxDelay
	if first <= most || !t.sound("restart_delay") || !t.sound("restart_max_delay") {
		return
	}

	if _, ok := t.given["restart_max_delay"]; ok {
		t.problem("restart_max_delay", fmt.Errorf("%v is less than restart_delay, %v: raise it", most, first))
		return
	}
	if _, ok := t.given["restart_delay"]; ok {
		t.problem("restart_delay", fmt.Errorf("%v is more than restart_max_delay, %v: raise that too", first, most))
	}
}

// sound reports whether the value of a key was decoded, wherever it comes from.
func (t *table) sound(key string) bool {
	if _, own := t.given[key]; own {
		return !t.failed[key]
	}
	return !t.defaultsTable.failed[key]
}
