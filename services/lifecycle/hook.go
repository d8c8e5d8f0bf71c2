package lifecycle

import (
	"fmt"
	"time"

	"hupwatch/config"
	"hupwatch/services/release"
)

// Hook is a command of a service that runs around its generations, on its way.
type Hook struct {
	Kind     config.Hook
	Token    int
	Deadline Instant
	// Reloads are the requests it is run for.
	Reloads []uint64
}

// runHook runs a command that is about a generation, within that time.
func (s *step) runHook(kind config.Hook, command []string, limit time.Duration, sl *Slot, g *Generation) *Hook {
	h := s.newHook(kind, limit, g.Reloads)
	s.emit(sl, g, Event{Kind: KindHookBegun, Hook: kind, Reloads: h.Reloads})
	s.do(RunHook{Hook: h, Command: command, Generation: g.Number, Instance: sl.Instance, PID: g.PID, Release: g.Release})
	return &h
}

// newHook returns a command that has so much time from now on. It is run for the reload
// under way or, if there is none, for these requests.
func (s *step) newHook(kind config.Hook, limit time.Duration, otherwise []uint64) Hook {
	s.Hooks++
	h := Hook{Kind: kind, Token: s.Hooks, Deadline: s.now.Add(limit), Reloads: otherwise}
	if r := s.Current; r != nil && r.Begun {
		h.Reloads = r.IDs
	}
	return h
}

// hookDone is called when a command has ended.
func (s *step) hookDone(in HookDone) {
	for i := range s.Slots {
		sl := &s.Slots[i]
		for _, g := range sl.generations() {
			if g.Hook != nil && g.Hook.Token == in.Token {
				s.hookEnded(sl, g, in.Failure, in.Tail)
				return
			}
		}
	}
	for i, h := range s.After {
		if h.Token == in.Token {
			s.After = append(s.After[:i:i], s.After[i+1:]...)
			s.afterEnded(h, in.Failure, in.Tail)
			return
		}
	}
}

// hookExpired ends a command that takes too long.
func (s *step) hookExpired(sl *Slot, g *Generation) {
	if g.Hook == nil || g.Hook.Deadline > s.now {
		return
	}
	s.do(KillHook{g.Hook.Token})
	key, limit := "stop_timeout", g.service().StopTimeout
	if g.Hook.Kind == config.HookBeforeStart {
		key, limit = "start_timeout", g.service().StartTimeout
	}
	s.hookEnded(sl, g, fmt.Sprintf("it took longer than %s (%s)", key, limit), nil)
}

// killHook ends the command that is about a generation, which nothing waits for any
// more.
func (s *step) killHook(g *Generation) {
	if g.Hook != nil {
		s.do(KillHook{g.Hook.Token})
		g.Hook = nil
	}
}

// hookEnded goes on with a generation whose command has ended.
func (s *step) hookEnded(sl *Slot, g *Generation, failure string, tail []string) {
	h := g.Hook
	g.Hook = nil
	if h.Kind == config.HookBeforeStart {
		if failure != "" {
			g.Tail = tail
			s.fail(sl, "before_start: "+failure)
			return
		}
		s.prepared(sl, g)
		return
	}
	g.MayStop = true
	if failure != "" {
		s.emit(sl, g, Event{Kind: KindHookFailed, Hook: h.Kind, Reason: failure, Tail: tail, Reloads: h.Reloads})
	}
	switch in := sl.Incoming; {
	case g.Phase == PhaseDraining:
		s.stopNow(sl, g)
	case in != nil && in.Phase == PhaseHandover:
		in.Deadline = s.now
	}
}

// afterReload runs after_reload, if there is one.
func (s *step) afterReload(sl *Slot, g *Generation, r Result, reason string) {
	c, rel := s.Config, (*release.Release)(nil)
	if g != nil && g.Release != nil {
		c, rel = g.service(), g.Release
	}
	if (rel == nil || rel.Dir == "") && sl.Good != nil { // it could not even be made
		rel = sl.Good
	}
	if len(c.AfterReload) == 0 {
		return
	}
	h := s.newHook(config.HookAfterReload, c.StartTimeout, nil)
	s.After = append(s.After, h)
	run := RunHook{Hook: h, Command: c.AfterReload, Instance: sl.Instance, Release: rel, Result: r, Error: reason}
	if rel == nil {
		run.Release = &release.Release{Service: c}
	}
	if g != nil {
		run.Generation, run.PID = g.Number, g.PID
	}
	s.do(run)
}

func (s *step) afterExpired() {
	kept := s.After[:0:0]
	for _, h := range s.After {
		if h.Deadline > s.now {
			kept = append(kept, h)
			continue
		}
		s.do(KillHook{h.Token})
		s.afterEnded(h, "it took longer than start_timeout", nil)
	}
	s.After = kept
}

func (s *step) afterEnded(h Hook, failure string, tail []string) {
	if failure != "" {
		s.emit(nil, nil, Event{Kind: KindHookFailed, Hook: h.Kind, Reason: failure, Tail: tail, Reloads: h.Reloads})
	}
}

// killAfter ends the after_reload commands: hupwatch ends.
func (s *step) killAfter() {
	for _, h := range s.After {
		s.do(KillHook{h.Token})
	}
	s.After = nil
}

// hookDeadline is when the command that is about a generation has taken too long.
func (g *Generation) hookDeadline() Instant {
	if g.Hook == nil {
		return Never
	}
	return g.Hook.Deadline
}
