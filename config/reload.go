package config

import (
	"errors"
	"fmt"
	"syscall"
)

// ReloadMode is how a new generation takes the place of the one before.
type ReloadMode string

// The ways to reload.
const (
	ReloadStartFirst ReloadMode = "start-first" // the new one is proven good before the old one is told to stop
	ReloadStopFirst  ReloadMode = "stop-first"  // the old one ends first
	ReloadSignal     ReloadMode = "signal"      // there is no new one: the program reloads itself
)

// ReloadWhen says which reloads a service takes part in.
type ReloadWhen string

// When a reload that does not name the service reloads it.
const (
	ReloadAlways  ReloadWhen = "always"
	ReloadChanged ReloadWhen = "changed" // only if something is new for it
)

func decodeReload(t *table, k *Key, v any) {
	word(func(t *table) *ReloadMode { return &t.service.Reload }, []ReloadMode{ReloadStartFirst, ReloadStopFirst, ReloadSignal}, wordHints{
		instead: map[string]string{
			"rolling": "start-first", "rolling-update": "start-first", "rollingupdate": "start-first", "overlap": "start-first",
			"blue-green": "start-first", "blue_green": "start-first", "bluegreen": "start-first", "graceful": "start-first",
			"zero-downtime": "start-first", "start": "start-first", "true": "start-first", "cluster": "start-first",
			"restart": "stop-first", "recreate": "stop-first", "stop": "stop-first", "exclusive": "stop-first", "fork": "stop-first",
			"hup": "signal", "sighup": "signal", "usr1": "signal", "sigusr1": "signal", "usr2": "signal", "sigusr2": "signal",
			"self": "signal", "inplace": "signal", "in-place": "signal", "kill": "signal",
		},
	})(t, k, v)
}

func decodeReloadSignal(t *table, k *Key, v any) {
	sig, err := parseSignal(v)
	switch {
	case err != nil:
		t.problem(k.Name, err)
	case sig == syscall.SIGKILL, sig == syscall.SIGSTOP:
		t.problem(k.Name, errors.New("no program can catch KILL or STOP, so none reloads at it: most do at HUP, some at USR1 or USR2"))
	default:
		t.service.ReloadSignal = sig
	}
}

// checkReload reports what does not go with the way the service is reloaded.
func (t *table) checkReload() {
	if !t.sound("reload") {
		return
	}
	mode := t.service.Reload

	if t.place("reload_signal") != "" && mode != ReloadSignal {
		t.problem("reload_signal", fmt.Errorf(`nothing is sent with reload = %q: write reload = "signal", or remove this`, mode))
	}
	if mode == ReloadSignal && t.service.Publish != "" {
		t.problem(t.place("reload", "publish"), errors.New(
			`reload = "signal" starts no new generation that publish could show: remove publish, or write reload = "start-first"`))
	}
}
