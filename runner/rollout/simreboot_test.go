package rollout

import (
	"maps"
	"slices"
	"time"

	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// archive is what of the releases outlives a reboot.
type archive map[string]lifecycle.Record

// keep writes down what is to be remembered, as the disk has it: without what may be
// secret.
func (a archive) keep(service string, r lifecycle.Record) {
	stored := func(rel *release.Release) *release.Release {
		if rel.Stored != nil {
			return rel
		}
		return &release.Release{Service: rel.Service, Dir: rel.Dir, Path: rel.Path, Program: rel.Program, Stored: release.NewStored("salt", rel.Env)}
	}
	kept := lifecycle.Record{Waiting: r.Waiting}
	kept.Waiting.Seen = slices.Clone(r.Waiting.Seen)
	for _, p := range r.History {
		kept.History = append(kept.History, lifecycle.Past{Release: stored(p.Release), Well: p.Well})
	}
	if r.Refused != nil {
		kept.Refused = &lifecycle.Refusal{Release: stored(r.Refused.Release), Reason: r.Refused.Reason}
	}
	a[service] = kept
}

// reboot takes the host down, with all that still lived, and starts hupwatch again: with
// what it had written down, or on an empty disk.
func (w *world) reboot() {
	w.now = w.now.Add(time.Minute + w.upTo(time.Hour))
	known := maps.Clone(w.archive)
	if w.chance(20) {
		known = nil
		w.say("operators: the disk is lost")
	}
	w.say("kernel: the host boots")
	w.rollout, w.inbox, w.actors, w.list = New(), nil, make(map[string]*actor), nil
	w.soon, w.done, w.frozen, w.ambush = nil, false, 0, nil
	w.watch, w.endBy = newRolloutWatch(), lifecycle.Never
	w.archive = maps.Clone(known)
	if w.archive == nil {
		w.archive = make(archive)
	}
	w.text, w.written = w.file.text(), w.file.revision
	if w.chance(30) {
		w.deploy()
	}
	c, problems := w.read()
	if c == nil {
		w.violated("the file has problems: %v\n%s", problems, w.text)
	}
	w.parsed = c
	w.rebooted = known
	w.inbox = append(w.inbox, Boot{Config: c, Known: known})
}

// begins takes what a service knows from before a reboot.
func (w *world) begins(a *actor) {
	r, ok := w.rebooted[a.machine.Name]
	if !ok {
		return
	}
	a.configured(a.machine.Config)
	for _, p := range r.History {
		a.configured(p.Release.Service)
	}
	past := a.pastOf(0)
	past.list = slices.Clone(r.History)
	a.waited, a.unseen = slices.Clone(r.Waiting.Seen), r.Waiting.Unseen != ""
	if r.Refused != nil && past.target(r.Refused.Release) != nil {
		a.refused = r.Refused.Release
	}
}

// checkBoot: what was refused before a reboot is not what is started after it, unless
// somebody asks for it.
func (w *world) checkBoot(a *actor, e lifecycle.Launch) {
	if a.refused != nil && e.Instance == 0 && a.reloads == 0 && !a.commanded && !a.reused[e.Generation] && e.Release.Same(a.refused) {
		w.violated("%s is started from %s after a reboot, which was refused before it", a.machine.Name, e.Release.Dir)
	}
}
