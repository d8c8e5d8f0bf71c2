package rollout

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// reading is why the file is read: for a signal, or for all requests that came before
// it.
type reading struct {
	signal Demand
	asked  []Asked
}

// by says who it is read for.
func (p reading) by() string {
	if len(p.asked) > 0 {
		return p.asked[0].By
	}
	return p.signal.By
}

// readFile lets the file be read once for each purpose, one after the other. A read
// that has not begun covers a later one of the same kind.
func (r *Rollout) readFile(p reading) []Effect {
	for i := 1; i < len(r.readings); i++ {
		q := &r.readings[i]
		switch {
		case len(p.asked) > 0 && len(q.asked) > 0:
			q.asked = append(q.asked, p.asked...)
			return nil
		case len(p.asked)+len(q.asked) == 0 && p.signal.Names == nil && q.signal.Names == nil:
			return nil
		}
	}
	r.readings = append(r.readings, p)
	if len(r.readings) > 1 {
		return nil
	}
	return []Effect{ReadConfig{}}
}

// configRead goes on with what the file was read for.
func (r *Rollout) configRead(in ConfigRead) []Effect {
	if r.ending {
		return nil
	}
	p := r.readings[0]
	r.readings = r.readings[1:]
	var effects []Effect
	if in.Config == nil {
		effects = r.badConfig(p, in.Problems)
	} else {
		r.ConfigError = ""
		effects = r.serve(p, in.Config)
	}
	if len(r.readings) > 0 {
		effects = append(effects, ReadConfig{})
	}
	return effects
}

// badConfig says what is wrong with the file. Nothing is changed.
func (r *Rollout) badConfig(p reading, problems config.Problems) []Effect {
	var effects []Effect
	texts := problems.Errors()
	for _, text := range texts {
		effects = append(effects, Emit{lifecycle.Event{Kind: lifecycle.KindConfigError, By: p.by(), Reason: text}})
	}
	text := fmt.Sprintf("the configuration has %s, nothing was changed; hupwatch check -c %s tells them too", count(texts), r.Config.File)
	r.ConfigError = text
	if len(texts) > 0 {
		r.ConfigError = texts[0]
	}
	effects = append(effects, refused(p.by(), text))
	for _, a := range p.asked {
		effects = append(effects, Rejected{a.Token, control.ReasonConfig, text, texts})
	}
	return effects
}

// rejectAll rejects the requests that wait for the file: the file system may never
// answer.
func (r *Rollout) rejectAll() []Effect {
	var effects []Effect
	for _, p := range r.readings {
		for _, a := range p.asked {
			effects = append(effects, tooLate(a))
		}
	}
	r.readings = nil
	return effects
}

func tooLate(a Asked) Effect {
	return Rejected{Token: a.Token, Reason: control.ReasonEnding, Text: "hupwatch is shutting down"}
}

// serve does what the file was read for, if all services that were named are in it.
func (r *Rollout) serve(p reading, c *config.Config) []Effect {
	all := p.asked
	if len(all) == 0 {
		all = []Asked{{Demand: p.signal}}
	}
	var effects []Effect
	applied, refusal := false, ""
	for _, a := range all {
		if unknown := missing(a.Names, c); len(unknown) > 0 {
			effects = append(effects, unknownTo(c, a, unknown))
			continue
		}
		if text := r.vanished(a, c); text != "" {
			r.ConfigError, refusal = text, text
			effects = append(effects, refusedTo(a, control.ReasonConfig, text))
			continue
		}
		if !applied {
			applied = true
			effects = append(effects, r.applyDaemon(c)...)
		}
		if a.What == VerbReload && a.Names == nil && r.ConfigError == refusal {
			r.ConfigError = ""
		}
		effects = append(effects, r.applyTo(a, c)...)
	}
	return effects
}

func missing(names []string, c *config.Config) []string {
	var found []string
	for _, name := range names {
		if _, ok := c.Service(name); !ok {
			found = append(found, name)
		}
	}
	return found
}

func unknownTo(c *config.Config, a Asked, names []string) Effect {
	return refusedTo(a, control.ReasonUnknown, noSuchService(c, names))
}

// refusedTo tells who asked that nothing is done.
func refusedTo(a Asked, reason control.Reason, text string) Effect {
	if a.Token != 0 {
		return Rejected{Token: a.Token, Reason: reason, Text: text}
	}
	return refused(a.By, text)
}

func noSuchService(c *config.Config, names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return fmt.Sprintf("no such service in %s: %s; nothing was reloaded; it has %s", c.File, strings.Join(quoted, ", "), some(c.Services))
}

// applyTo applies the file to the services that it was read for.
func (r *Rollout) applyTo(a Asked, c *config.Config) []Effect {
	q, effects := r.begin(a)
	if a.Names == nil && a.What == VerbReload {
		effects = append(effects, r.remove(q, c)...)
	}
	var asked []*config.Service
	for _, s := range c.Services {
		if a.Names == nil || slices.Contains(a.Names, s.Name) {
			asked = append(asked, s)
			effects = append(effects, r.tryAgain(s.Name)...)
		}
	}
	for _, s := range asked {
		effects = append(effects, r.askService(q, s)...)
	}
	return append(effects, r.doneIfAnswered(q)...)
}

// askService tells one service what was asked of it, with its part of the file.
func (r *Rollout) askService(q *request, s *config.Service) []Effect {
	var effects []Effect
	named, known := r.declared[s.Name]
	switch {
	case !known:
		effects = append(effects, Add{s, r.known[s.Name]})
	case !named:
		effects = append(effects, Tell{s.Name, lifecycle.Declare{Config: s}})
	}
	r.declared[s.Name], r.files[s.Name] = true, r.Config.Files[s.Name]
	q.waiting[s.Name] = true
	if !known || !named || q.What != VerbReload {
		effects = append(effects, r.hold(s)...)
	}
	return append(effects, Tell{s.Name, q.forService(q.id, s)})
}

// remove stops the services that are not in the file any more.
func (r *Rollout) remove(q *request, c *config.Config) []Effect {
	var effects []Effect
	for _, name := range sorted(r.declared) {
		if _, ok := c.Service(name); ok || !r.declared[name] {
			continue
		}
		r.declared[name] = false
		q.waiting[name] = true
		effects = append(effects, Tell{name, lifecycle.Stop{ID: q.id, Until: lifecycle.Never, Why: lifecycle.StopRemoved}})
	}
	return effects
}

// applyDaemon puts the daemon's keys into force. Not runtime_dir and state_dir, nor a
// name file that is in runtime_dir by default: those stay.
func (r *Rollout) applyDaemon(c *config.Config) []Effect {
	var effects []Effect
	daemon := c.Daemon
	stays := func(key, held string) {
		r.ConfigError = "daemon." + key + " cannot be changed while hupwatch runs; it stays " + cmp.Or(held, "none") + " until hupwatch is started again"
		effects = append(effects, Emit{lifecycle.Event{Kind: lifecycle.KindTrouble, Reason: r.ConfigError}})
	}
	if r.stateDir != daemon.StateDir {
		stays("state_dir", r.stateDir)
	}
	if held := r.runtimeDir; held != daemon.RuntimeDir {
		stays("runtime_dir", held)
		if daemon.NameFile == filepath.Join(daemon.RuntimeDir, nameFileDefault) {
			daemon.NameFile = filepath.Join(held, nameFileDefault)
		}
	}
	r.Config = c
	r.order.learn(c)
	effects = append(effects, r.unholdAll()...)
	effects = append(effects, Apply{daemon})
	return append(effects, r.grant()...)
}

func count(problems []string) string {
	if len(problems) == 1 {
		return "a problem"
	}
	return fmt.Sprintf("%d problems", len(problems))
}

// some names services, as many as fit into a message.
func some(all []*config.Service) string {
	const enough = 20
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return few(names, enough)
}
