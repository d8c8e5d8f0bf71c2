package view

import (
	"slices"
	"strings"

	"hupwatch/config"
	"hupwatch/services"
)

// Front is the configuration and the watchers as of now. It is not changed.
type Front struct {
	Config      *config.Config
	ConfigError string
	// Files has the file of each service that is in it.
	Files    map[string]string
	Watchers []*services.Watcher // in the order of their names
}

// watcher returns the one of that name, or nil.
func (f *Front) watcher(name string) *services.Watcher {
	i, found := slices.BinarySearchFunc(f.Watchers, name, func(w *services.Watcher, name string) int { return strings.Compare(w.Name(), name) })
	if !found {
		return nil
	}
	return f.Watchers[i]
}
