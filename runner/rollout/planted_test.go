package rollout

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// planted is a mistake somebody could make in good faith. PLANTED in its code is
// replaced by whether the simulation runs with it.
type planted struct {
	name string
	file string // below the module
	code string // what stands there; exactly once
	bug  string // what is to stand there instead
	want string // what the simulation must say, as a regular expression
}

var plants = []planted{
	{
		name: "a HUP shortens the warm-up",
		file: "services/lifecycle/reload.go",
		code: "		s.Next.merge(id, run)\n",
		bug: `		s.Next.merge(id, run)
		if g := s.Slots[s.Current.Slot].Incoming; PLANTED && g != nil && g.Phase == PhaseWarming {
			g.Deadline = s.now
		}
`,
		want: "is (promoted|published) before its warm-up was over",
	},
	{
		name: "the old one is told to stop when the new one starts",
		file: "services/lifecycle/start.go",
		code: "	g.Phase = PhaseWarming\n",
		bug: `	if old := sl.Active; PLANTED && old != nil {
		sl.Active = nil
		s.retire(sl, old, old.service().StopTimeout)
	}
	g.Phase = PhaseWarming
`,
		want: "is told to end while nothing has taken its place",
	},
	{
		name: "the death of the old one fails the reload",
		file: "services/lifecycle/restart.go",
		code: "		s.crashed(sl, g)\n",
		bug: `		s.crashed(sl, g)
		if PLANTED && sl.Incoming != nil {
			s.fail(sl, "the old one ended")
		}
`,
		want: "gives up its incoming generation for no reason of its own",
	},
	{
		name: "the end of a draining generation is taken for that of the active one",
		file: "services/lifecycle/restart.go",
		code: "	if g == nil || g.MainGone {\n		return\n	}\n	g.MainGone = true\n",
		bug: `	if PLANTED && g != nil && g != sl.Incoming && sl.Active != nil {
		g = sl.Active
	}
	if g == nil || g.MainGone {
		return
	}
	g.MainGone = true
`,
		want: "lets go of generation|lives, but the ledger does not know it",
	},
	{
		name: "an old one is told of as the one that serves",
		file: "services/lifecycle/start.go",
		code: "		old.MayStop, old.Role = true, RoleOld\n",
		bug:  "		if old.MayStop = true; !PLANTED {\n			old.Role = RoleOld\n		}\n",
		want: "told of as active, want old",
	},
	{
		name: "merged requests are dropped",
		file: "services/lifecycle/reload.go",
		code: "	s.Current, s.Next = s.Next, nil\n",
		bug: `	if s.Current, s.Next = s.Next, nil; PLANTED {
		s.Current = nil
	}
`,
		want: "answered",
	},
	{
		name: "a failed reload keeps its turn",
		file: "services/lifecycle/reload.go",
		code: "	s.Observing = 0\n	s.returnTurn(r)\n	a := Answer{",
		bug: `	s.Observing = 0
	if !PLANTED || result != ResultKeptOld {
		s.returnTurn(r)
	}
	a := Answer{`,
		want: "never returns its turn",
	},
	{
		name: "the drain slots are miscounted",
		file: "services/lifecycle/reload.go",
		code: "	if sl.draining() < s.Config.MaxDraining {\n",
		bug:  "	if sl.draining() < s.Config.MaxDraining || PLANTED && sl.draining() == s.Config.MaxDraining {\n",
		want: "draining generations, max_draining was never more than",
	},
	{
		name: "nobody wakes up for the KILL at stop_timeout",
		file: "services/lifecycle/slot.go",
		code: "		next = min(next, g.KillAt)\n",
		bug: `		if !PLANTED {
			next = min(next, g.KillAt)
		}
`,
		want: "does not end|never answered|drains for ever|after its time was over",
	},
	{
		name: "a TERM lets a warm-up go on",
		file: "services/lifecycle/stop.go",
		code: "	if g := sl.Incoming; g != nil {\n",
		bug:  "	if g := sl.Incoming; g != nil && !(PLANTED && g.Phase == PhaseWarming && g.Cause != CauseReload) {\n",
		want: "hupwatch does not end|never answered|is started, and was to stop|falls back to",
	},
	{
		name: "what the old one listens on does not matter",
		file: "services/lifecycle/ready.go",
		code: "	case len(c.Listen) == 0 &&",
		bug:  "	case !PLANTED && len(c.Listen) == 0 &&",
		want: "does not listen where",
	},
	{
		name: "what is given up while it is being forked is forgotten",
		file: "services/lifecycle/start.go",
		code: "		g.Killed, g.Abandoned = false, false\n",
		bug:  "		g.Killed, g.Abandoned = g.Killed && PLANTED, g.Abandoned && PLANTED\n",
		want: "has 2 incoming generations|has stopped, and its generation .* lives|cannot live twice",
	},
	{
		name: "the rest of a crashed group is forgotten while a reload is under way",
		file: "services/lifecycle/restart.go",
		code: "	if e.Rest {\n",
		bug:  "	if e.Rest && !(PLANTED && sl.Incoming != nil) {\n",
		want: "lives, but the ledger does not know it",
	},
	{
		name: "a crash restart uses the configured release",
		file: "services/lifecycle/restart.go",
		code: "	s.launch(sl, sl.NextCause, good)\n",
		bug: `	if PLANTED {
		good = nil
	}
	s.launch(sl, sl.NextCause, good)
`,
		want: "is not started again with the whole release last promoted",
	},
	{
		name: "the second restart in a row does not wait either",
		file: "services/lifecycle/backoff.go",
		code: "	if b.Restarts == 0 {\n",
		bug:  "	if b.Restarts == 0 || PLANTED && b.Restarts == 1 {\n",
		want: "it must wait",
	},
	{
		name: "the sockets are closed while the service is down",
		file: "services/lifecycle/machine.go",
		code: "	case sl.Good != nil:\n		all",
		bug:  "	case sl.Good != nil && !(PLANTED && sl.Active == nil):\n		all",
		want: "has closed",
	},
	{
		name: "the sockets of a start that came too late stay open",
		file: "services/lifecycle/start.go",
		code: "		s.keepSockets() // it has its own by now\n",
		bug: `		if !PLANTED {
			s.keepSockets()
		}
`,
		want: "listens on",
	},
	{
		name: "the sockets of what comes back wanted down stay open",
		file: "services/lifecycle/machine.go",
		code: "	if !s.WantedUp {\n		s.keepSockets(",
		bug:  "	if !s.WantedUp && !PLANTED {\n		s.keepSockets(",
		want: "listens on",
	},
	{
		name: "a HUP is merged into the read that is under way",
		file: "runner/rollout/file.go",
		code: "	for i := 1; i < len(r.readings); i++ {\n",
		bug: `	first := 1
	if PLANTED {
		first = 0
	}
	for i := first; i < len(r.readings); i++ {
`,
		want: "a HUP or USR2 is forgotten|served with a file that was read before",
	},
	{
		name: "a name file with an unknown name is half acted on",
		file: "runner/rollout/file.go",
		code: "unknown := missing(a.Names, c); len(unknown) > 0 {\n",
		bug:  "unknown := missing(a.Names, c); len(unknown) > 0 && !(PLANTED && len(unknown) < len(a.Names)) {\n",
		want: "what was refused is half done",
	},
	{
		name: "a name file stops what was removed from the configuration file",
		file: "runner/rollout/file.go",
		code: "	if a.Names == nil && a.What == VerbReload {\n",
		bug:  "	if a.Names == nil && a.What == VerbReload || PLANTED {\n",
		want: "for .* touches",
	},
	{
		name: "one turn too many is granted",
		file: "runner/rollout/turns.go",
		code: "len(r.held) < r.Config.Daemon.MaxParallel {\n",
		bug:  "(len(r.held) < r.Config.Daemon.MaxParallel || PLANTED && len(r.held) == r.Config.Daemon.MaxParallel) {\n",
		want: "reloads at the same time, max_parallel is",
	},
	{
		name: "a service that was removed, and comes back at a TERM, counts as ended",
		file: "services/lifecycle/stop.go",
		code: "	case s.Stopping.Why.Final(): // a service that was only removed can come back\n",
		bug:  "	case s.Stopping.Why.Final() || PLANTED && !s.Stopping.Why.asked():\n",
		want: "hupwatch ends|has ended, and its",
	},
	{
		name: "a restart does not wait for what it stops",
		file: "services/lifecycle/stop.go",
		code: "s.Stopping.Done || !s.allGone() {\n",
		bug:  "s.Stopping.Done || !s.allGone() && !(PLANTED && len(s.Stopping.Again) > 0) {\n",
		want: "says it has stopped, and its generation .* lives",
	},
	{
		name: "a reload starts what was stopped",
		file: "services/lifecycle/reload.go",
		code: "	case !s.WantedUp:\n",
		bug:  "	case !s.WantedUp && !PLANTED:\n",
		want: "is wanted down|nothing will ever let it",
	},
	{
		name: "who wants a restart hears nothing of the stop that comes between",
		file: "services/lifecycle/demand.go",
		code: "		s.abort(e.Again, reason)\n",
		bug: `		if !PLANTED {
			s.abort(e.Again, reason)
		}
`,
		want: "never answered|not answered",
	},
	{
		name: "a stop is undone by a start, and ends what that starts",
		file: "services/lifecycle/demand.go",
		code: "		s.answerEnding(ResultAborted, \"it was started again meanwhile\")\n		s.Stopping = nil\n",
		bug: `		s.answerEnding(ResultAborted, "it was started again meanwhile")
		if !PLANTED {
			s.Stopping = nil
		}
`,
		want: "nothing will ever start it|never returns its turn|serves, and the request|are never answered|is about to be started with it|is not started again at once",
	},
	{
		name: "a start of what runs reloads it",
		file: "services/lifecycle/demand.go",
		code: "	if s.serves() {\n		s.do(Answer{IDs: []uint64{in.ID}, Result: ResultSkipped",
		bug:  "	if s.serves() && !PLANTED {\n		s.do(Answer{IDs: []uint64{in.ID}, Result: ResultSkipped",
		want: "serves, and|answers request .* a start",
	},
	{
		name: "a signal goes to what is to serve next",
		file: "services/lifecycle/demand.go",
		code: "		g := s.Slots[i].Active\n",
		bug: `		g := s.Slots[i].Active
		if n := s.Slots[i].Incoming; PLANTED && n != nil && n.PID != 0 {
			g = n
		}
`,
		want: "is passed a signal, and does not serve",
	},
	{
		name: "what is left alone crashes back into its old configuration",
		file: "services/lifecycle/unchanged.go",
		code: "	sl.Good = &amended\n",
		bug: `	if !PLANTED {
		sl.Good = &amended
	}
`,
		want: "is not started again with the whole release last promoted",
	},
	{
		name: "what is left alone keeps all of its old configuration",
		file: "services/lifecycle/unchanged.go",
		code: "	amended.Service = made.Service\n",
		bug: `	if !PLANTED {
		amended.Service = made.Service
	}
`,
		want: "what takes effect without a new process does not",
	},
	{
		name: "who wants a reload is content with one of what is new",
		file: "services/lifecycle/reload.go",
		code: "	r.Up, r.Changed = r.Up && other.Up, r.Changed && other.Changed\n",
		bug:  "	r.Up, r.Changed = r.Up && other.Up, r.Changed && (other.Changed || PLANTED)\n",
		want: "is left alone|skips request .* to reload it|gives up its incoming generation",
	},
	{
		name: "the sockets of what restarts are closed",
		file: "services/lifecycle/machine.go",
		code: "	if m.comes() {\n",
		bug:  "	if m.comes() && !PLANTED {\n",
		want: "is about to be started with it",
	},
	{
		name: "a stop of an unknown service among others is half carried out",
		file: "runner/rollout/rollout.go",
		code: "		if !r.declared[name] {\n			unknown",
		bug:  "		if !r.declared[name] && !(PLANTED && len(names) > 1) {\n			unknown",
		want: "what was refused is half done|nil pointer",
	},
	{
		name: "a service that is named twice is stopped twice",
		file: "runner/rollout/rollout.go",
		code: "		if q.waiting[name] {\n",
		bug:  "		if q.waiting[name] && !PLANTED {\n",
		want: "which is told [2-9] times",
	},
	{
		name: "clients whose file is being read hear nothing of the end",
		file: "runner/rollout/file.go",
		code: "	for _, p := range r.readings {\n		for _, a",
		bug:  "	for i, p := range r.readings {\n		if PLANTED && i == 0 {\n			continue\n		}\n		for _, a",
		want: "clients are not told",
	},
	{
		name: "what has to say that it is ready is taken to be so",
		file: "services/lifecycle/start.go",
		code: "	case way == WayNotified && !g.Proof.Notified:\n",
		bug:  "	case way == WayNotified && !g.Proof.Notified && !PLANTED:\n",
		want: "is promoted before its warm-up was over",
	},
	{
		name: "a Tick takes every instance further",
		file: "services/lifecycle/start.go",
		code: "	case alive:\n		s.takeOver(sl)\n",
		bug:  "	case alive || PLANTED && s.warmed != 0:\n		s.takeOver(sl)\n",
		want: "is promoted after its end",
	},
	{
		name: "what before_start comes to does not matter",
		file: "services/lifecycle/hook.go",
		code: "		if failure != \"\" {\n			g.Tail",
		bug:  "		if failure != \"\" && !PLANTED {\n			g.Tail",
		want: "before_start has not done well",
	},
	{
		name: "before_stop is for reloads only",
		file: "services/lifecycle/stop.go",
		code: "	case !g.MainGone && !g.Aborted && !g.MayStop &&",
		bug:  "	case !PLANTED && !g.MainGone && !g.Aborted && !g.MayStop &&",
		want: "is told to end before before_stop has run",
	},
	{
		name: "before_stop is for stops only",
		file: "services/lifecycle/handover.go",
		code: "	if old == nil || old.MayStop ||",
		bug:  "	if PLANTED || old == nil || old.MayStop ||",
		want: "is told to end before before_stop has run",
	},
	{
		name: "nobody wakes up for a hook that hangs",
		file: "services/lifecycle/hook.go",
		code: "	return g.Hook.Deadline\n",
		bug: `	if PLANTED {
		return Never
	}
	return g.Hook.Deadline
`,
		want: "nobody will ever kill it|never answered|does not end|after its time was over",
	},
	{
		name: "a TERM lets after_reload run on",
		file: "services/lifecycle/stop.go",
		code: "	if in.Why.Final() {\n		s.killAfter()",
		bug:  "	if in.Why.Final() && !PLANTED {\n		s.killAfter()",
		want: "has ended, and its after_reload still runs",
	},
	{
		name: "what is left keeps its before_stop",
		file: "services/lifecycle/stop.go",
		code: "		s.killHook(g)\n		s.emit(sl, g, Event{Kind: KindLeft",
		bug:  "		if !PLANTED {\n			s.killHook(g)\n		}\n		s.emit(sl, g, Event{Kind: KindLeft",
		want: "has ended, and its before_stop still runs",
	},
	{
		name: "what is left of a group is not killed where its main process died in before_stop",
		file: "services/lifecycle/stop.go",
		code: "		g.KillAt = s.killAt(g.service().StopTimeout)\n	}\n",
		bug:  "		if !PLANTED {\n			g.KillAt = s.killAt(g.service().StopTimeout)\n		}\n	}\n",
		want: "nothing will ever kill it",
	},
	{
		name: "the public path is flipped before the new one is warm",
		file: "services/lifecycle/handover.go",
		code: "g.Phase == PhaseWarming && sl.Active == nil {",
		bug:  "g.Phase == PhaseWarming && (sl.Active == nil || PLANTED) {",
		want: "is published before its warm-up was over",
	},
	{
		name: "the public path is not given back",
		file: "services/lifecycle/handover.go",
		code: "	if g.Phase == PhasePublishing || g.Published {\n",
		bug:  "	if (g.Phase == PhasePublishing || g.Published) && !PLANTED {\n",
		want: "the public path of .* leads to generation",
	},
	{
		name: "there is no overlap",
		file: "services/lifecycle/handover.go",
		code: "			g.Deadline = s.now.Add(g.service().Overlap)\n",
		bug:  "			if !PLANTED {\n				g.Deadline = s.now.Add(g.service().Overlap)\n			}\n",
		want: "takes over before the overlap",
	},
	{
		name: "the handover waits for a before_stop whose old one has died",
		file: "services/lifecycle/restart.go",
		code: "		s.unopposed(sl)\n",
		bug:  "		if !PLANTED {\n			s.unopposed(sl)\n		}\n",
		want: "nothing will ever take it further",
	},
	{
		name: "the sockets of what is idle are guarded",
		file: "services/lifecycle/guard.go",
		code: "		if sl.Incoming.runs() ||",
		bug:  "		if sl.Incoming.runs() || PLANTED && sl.Active != nil ||",
		want: "is idle, and its sockets are guarded",
	},
	{
		name: "the socket of what stops is put back",
		file: "services/lifecycle/guard.go",
		code: "		case sl.Active == nil:\n",
		bug:  "		case sl.Active == nil && !PLANTED:\n",
		want: "and nothing serves there",
	},
	{
		name: "each instance gets a release of its own",
		file: "services/lifecycle/reload.go",
		code: "	s.launch(sl, CauseReload, r.Made)\n",
		bug:  "	made := r.Made\n	if PLANTED {\n		made = nil\n	}\n	s.launch(sl, CauseReload, made)\n",
		want: "with another release than the others",
	},
	{
		name: "the instances that are too many live on",
		file: "services/lifecycle/reload.go",
		code: "		s.shrink(r.Instances)\n",
		bug:  "		if !PLANTED {\n			s.shrink(r.Instances)\n		}\n",
		want: "serve, the file has|did not recover|runs revision|never promoted|starts again only",
	},
	{
		name: "a roll back while other instances still come is forgotten",
		file: "services/lifecycle/history.go",
		code: "r != nil && r.Begun && sl.Instance < r.Slot {",
		bug:  "r != nil && r.Begun && sl.Instance < r.Slot && !PLANTED {",
		want: "with a release of revision",
	},
	{
		name: "a start is done while an instance is missing",
		file: "services/lifecycle/instances.go",
		code: "return sl.Active == nil && !sl.idle() })",
		bug:  "return sl.Active == nil && !sl.idle() && !PLANTED })",
		want: "never served|does not serve|to start it|nil pointer",
	},
	{
		name: "what cannot live twice does so",
		file: "services/lifecycle/start.go",
		code: "g.service().Reload == config.ReloadStopFirst && sl.draining() > 0 {",
		bug:  "g.service().Reload == config.ReloadStopFirst && sl.draining() > 0 && !PLANTED {",
		want: "it cannot live twice",
	},
	{
		name: "nobody wakes up for what reloads itself",
		file: "services/lifecycle/machine.go",
		code: "		next = min(next, m.Current.WatchedUntil)\n",
		bug:  "		if !PLANTED {\n			next = min(next, m.Current.WatchedUntil)\n		}\n",
		want: "never answered|did not recover",
	},
	{
		name: "the turn is given back before before_stop",
		file: "services/lifecycle/handover.go",
		code: "	g.Phase = PhaseHandover\n",
		bug:  "	if g.Phase = PhaseHandover; PLANTED && s.Current != nil {\n		s.returnTurn(s.Current)\n	}\n",
		want: "has given its turn back|it is not its turn",
	},
	{
		name: "nobody waits for what it depends on",
		file: "services/lifecycle/order.go",
		code: "	return len(m.Awaits) > 0 &&",
		bug:  "	return !PLANTED && len(m.Awaits) > 0 &&",
		want: "which it depends on, was ready",
	},
	{
		name: "a TERM ends all at once",
		file: "runner/rollout/end.go",
		code: "		if r.last.Why != lifecycle.StopLeave && r.order.inTheWay(name, r.stopping) {\n",
		bug:  "		if r.last.Why != lifecycle.StopLeave && r.order.inTheWay(name, r.stopping) && !PLANTED {\n",
		want: "which depends on it, has not ended",
	},
	{
		name: "a stop of several stops all at once",
		file: "runner/rollout/rollout.go",
		code: "		if q.What == VerbStop && r.order.inTheWay(name, q.waiting) {\n",
		bug:  "		if q.What == VerbStop && r.order.inTheWay(name, q.waiting) && !PLANTED {\n",
		want: "which depends on it",
	},
	{
		name: "what another one answered counts",
		file: "services/lifecycle/ready.go",
		code: "	proven := in.Failure == \"\" && len(in.Missing) == 0\n",
		bug:  "	proven := (in.Failure == \"\" || PLANTED && in.Other) && len(in.Missing) == 0\n",
		want: "is published before its warm-up was over|has never waited",
	},
	{
		name: "one connection at a time meets the old one for ever",
		file: "services/lifecycle/ready.go",
		code: "		p.AtOnce = min(MostAtOnce, 2*max(1, p.AtOnce))\n",
		bug:  "		if !PLANTED {\n			p.AtOnce = min(MostAtOnce, 2*max(1, p.AtOnce))\n		}\n",
		want: "was not met .* times, and is looked at with",
	},
	{
		name: "a deadline is judged without a last look",
		file: "services/lifecycle/ready.go",
		code: "		p.Overdue = true\n		g.Deadline = s.now.Add(g.lookTakes())\n",
		bug:  "		if p.Overdue = true; PLANTED {\n			s.fail(sl, g.unproven())\n			return\n		}\n		g.Deadline = s.now.Add(g.lookTakes())\n",
		want: "gives up its incoming generation for no reason of its own",
	},
	{
		name: "the sockets of a start that failed are closed before the next",
		file: "services/lifecycle/machine.go",
		code: "	case m.WantedUp && sl.NextStart != Never:\n",
		bug:  "	case m.WantedUp && sl.NextStart != Never && !PLANTED:\n",
		want: "which it may be started with next",
	},
	{
		name: "the sockets that a roll back needs are closed",
		file: "services/lifecycle/machine.go",
		code: "		if before := sl.before(sl.Active.Release); before != nil {\n			all",
		bug:  "		if before := sl.before(sl.Active.Release); before != nil && !PLANTED {\n			all",
		want: "which it may be started with next",
	},
	{
		name: "sockets of what is left are shut down",
		file: "services/lifecycle/guard.go",
		code: "m.Stopping.Why != StopLeave)",
		bug:  "m.Stopping.Why != StopLeave || PLANTED)",
		want: "are shut down while generation",
	},
	{
		name: "what waits for a failed service answers nobody",
		file: "services/lifecycle/order.go",
		code: "	for s.held() && len(s.Failed) > 0 &&",
		bug:  "	for !PLANTED && s.held() && len(s.Failed) > 0 &&",
		want: "waits for a service that failed",
	},
	{
		name: "what is given up keeps its sockets",
		file: "services/lifecycle/machine.go",
		code: "	case m.Stopping != nil, sl.Resting != \"\":\n",
		bug:  "	case m.Stopping != nil, sl.Resting != \"\" && !PLANTED:\n",
		want: "which nothing serves",
	},
	{
		name: "no answer in time is taken for a no",
		file: "services/lifecycle/ready.go",
		code: "&& !in.Other && !in.Late\n",
		bug:  "&& !in.Other && (PLANTED || !in.Late)\n",
		want: "gives up its incoming generation for no reason of its own",
	},
	{
		name: "nobody looks again at the end of the warm-up",
		file: "services/lifecycle/ready.go",
		code: "func (m *Machine) proven(sl *Slot) bool { return sl",
		bug:  "func (m *Machine) proven(sl *Slot) bool { return PLANTED || sl",
		want: "nobody looked whether it was ready|does not listen where",
	},
	{
		name: "what a generation is seen to do is forgotten",
		file: "services/lifecycle/waiting.go",
		code: "	s.seen(g.service(), in.Seen)\n",
		bug:  "	if !PLANTED {\n		s.seen(g.service(), in.Seen)\n	}\n",
		want: "it is not written down that generations",
	},
	{
		name: "one socket that is waited on is enough",
		file: "services/lifecycle/waiting.go",
		code: "		if m.Waiting.All || slices.Contains(",
		bug:  "		if PLANTED && len(all) == 1 {\n			break\n		}\n		if m.Waiting.All || slices.Contains(",
		want: "has never waited for connections",
	},
	{
		name: "a reload begins before it is known what the old one does",
		file: "services/lifecycle/waiting.go",
		code: "return m.Observing != 0 && g.Cause == CauseReload",
		bug:  "return m.Observing != 0 && g.Cause == CauseReload && !PLANTED",
		want: "is ready before it was seen where generation",
	},
	{
		name: "what does not wait for connections yet is taken for what never does",
		file: "services/lifecycle/waiting.go",
		code: "	case unsure && s.now < g.looksUntil():",
		bug:  "	case unsure && !PLANTED && s.now < g.looksUntil():",
		want: "may still be starting|with nothing known",
	},
	{
		name: "the end of hupwatch forgets where generations wait",
		file: "services/lifecycle/stop.go",
		code: "	if !s.Stopping.Why.Final() {",
		bug:  "	if !s.Stopping.Why.Final() || PLANTED {",
		want: "it is not written down that generations",
	},
	{
		name: "the probation of before ends while a release is gone back to",
		file: "services/lifecycle/mode.go",
		code: "		sl.Probation.State = ProbationUndone //",
		bug:  "		if !PLANTED {\n			sl.Probation.State = ProbationUndone\n		} //",
		want: "can be taken back|goes back to|falls back|rolled back|may be started with next",
	},
	{
		name: "a reload with nothing new puts a good release on probation",
		file: "services/lifecycle/history.go",
		code: "	onTrial := asked && !known ||",
		bug:  "	onTrial := asked && (PLANTED || !known) ||",
		want: "rolled back, and nothing was on probation|goes back to|is written down, and not|can be taken back",
	},
	{
		name: "a roll back goes to the oldest release",
		file: "services/lifecycle/history.go",
		code: "		case p.Well:\n			return p.Release\n",
		bug:  "		case p.Well && PLANTED:\n			any = p.Release\n		case p.Well:\n			return p.Release\n",
		want: "and not to the newest release that served well",
	},
	{
		name: "a chain of bad releases goes in a circle",
		file: "services/lifecycle/history.go",
		code: "	sl.Undone = append(slices.Clone(sl.Undone), g.Release)\n	if len(sl.Undone) == 1 {\n",
		bug:  "	sl.Undone = append(slices.Clone(sl.Undone), g.Release)\n	if PLANTED {\n		sl.Undone = sl.Undone[len(sl.Undone)-1:]\n	}\n	if len(sl.Undone) == 1 {\n",
		want: "and not to the newest release that served well|nothing was on probation",
	},
	{
		name: "what was refused is started after a reboot",
		file: "services/lifecycle/history.go",
		code: "	if g.Cause != CauseStart || !s.Booting {\n",
		bug:  "	if g.Cause != CauseStart || !s.Booting || PLANTED {\n",
		want: "after a reboot, which was refused before it",
	},
	{
		name: "what was promoted is not written down",
		file: "services/lifecycle/history.go",
		code: "		sl.History = sl.History.served(g.Release)\n	}\n	s.keep = true\n",
		bug:  "		sl.History = sl.History.served(g.Release)\n	}\n	s.keep = s.keep || !PLANTED\n",
		want: "is written down, and not",
	},
	{
		name: "the end of a server with success is taken for that of a task",
		file: "services/lifecycle/done.go",
		code: "	return g.Phase == PhaseWarming && !served",
		bug:  "	return g.Phase == PhaseWarming && (!served || PLANTED)",
		want: "promoted after its end|lives, but the ledger does not know it",
	},
	{
		name: "a task that ended with success is not known to have done well",
		file: "services/lifecycle/done.go",
		code: "	sl.History, s.keep = sl.History.done(g.Release), true\n",
		bug:  "	if !PLANTED {\n		sl.History, s.keep = sl.History.done(g.Release), true\n	}\n",
		want: "is written down, and not|can be taken back any more, and nobody is told",
	},
	{
		name: "a task is done once more with nothing new",
		file: "services/lifecycle/start.go",
		code: "	if sl.Resting != StateDone { //",
		bug:  "	if sl.Resting != StateDone || PLANTED { //",
		want: "left alone",
	},
	{
		name: "a task that was done is done again for one that failed",
		file: "services/lifecycle/history.go",
		code: "		case p.Done, slices",
		bug:  "		case p.Done && !PLANTED, slices",
		want: "goes back to|can be taken back|nothing was on probation",
	},
	{
		name: "the path of a service that serves is not watched",
		file: "services/lifecycle/guard.go",
		code: "|| sl.Active.hasPaths()",
		bug:  "|| !PLANTED && sl.Active.hasPaths()",
		want: "nobody guards the paths of",
	},
	{
		name: "a probation outlives its time",
		file: "services/lifecycle/history.go",
		code: "p.State == ProbationOn && now < p.Until\n",
		bug:  "p.State == ProbationOn && (now < p.Until || PLANTED)\n",
		want: "and nobody is told|nothing ever comes to rest",
	},
	{
		name: "a roll back does not name the request it undoes",
		file: "services/lifecycle/history.go",
		code: "Probation{State: ProbationOn, Until: s.now.Add(d), Requests: g.Reloads}",
		bug:  "Probation{State: ProbationOn, Until: s.now.Add(d), Requests: map[bool][]uint64{false: g.Reloads}[PLANTED]}",
		want: "takes back what the requests",
	},
	{
		name: "nobody is told that nothing can be taken back any more",
		file: "services/lifecycle/machine.go",
		code: "	s.settled()\n",
		bug:  "	if !PLANTED {\n		s.settled()\n	}\n",
		want: "and nobody is told",
	},
	{
		name: "a reload merges with a roll back",
		file: "services/lifecycle/reload.go",
		code: "	case !r.Begun && !r.Back:\n",
		bug:  "	case !r.Begun && (!r.Back || PLANTED):\n",
		want: "with a release of revision",
	},
	{
		name: "a reload starts a release of its own after a roll back by hand",
		file: "services/lifecycle/demand.go",
		code: "s.demand(in.ID, Reloading{Back: true, Made: made})",
		bug:  "s.demand(in.ID, Reloading{Back: !PLANTED, Made: made})",
		want: "with another release than the others",
	},
}

// TestSimulationFindsPlantedBugs plants one mistake after the other into a copy
// of the code and sees that the simulation finds each: it would notice if
// somebody made it.
func TestSimulationFindsPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test binary")
	}
	t.Parallel()
	program := buildPlanted(t)
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestSimulation$", "-simulation.seeds=6000", "-simulation.failures=1")
			cmd.Env = append(os.Environ(), "PLANTED="+p.name, "GOMAXPROCS=1") // one seed after the other: the first failure is always the same
			out, err := cmd.CombinedOutput()
			said := firstFailure(string(out))
			switch {
			case err == nil:
				t.Errorf("the simulation does not notice:\n%s", out)
			case !regexp.MustCompile(p.want).MatchString(said):
				t.Errorf("the simulation says %q, want %q:\n%s", said, p.want, out)
			}
		})
	}
}

// firstFailure is what the invariant said that did not hold.
func firstFailure(out string) string {
	_, rest, _ := strings.Cut(out, ": seed ")
	said, _, _ := strings.Cut(rest, "\n")
	return said
}

// buildPlanted builds the tests of this package from a copy of the code in which
// every mistake sleeps until it is named in the environment.
func buildPlanted(t *testing.T) string {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	for file, text := range plantAll(t, module) {
		overlay.Replace[filepath.Join(module, file)] = write(strings.ReplaceAll(file, "/", "_"), text)
	}
	const switchboard = "package lifecycle\n\nimport \"os\"\n\nvar Planted = os.Getenv(\"PLANTED\")\n"
	overlay.Replace[filepath.Join(module, "services/lifecycle/planted.go")] = write("planted.go", switchboard)
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "planted.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", write("overlay.json", string(text)), "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with the bugs planted: %v\n%s", err, out)
	}
	return program
}

// plantAll returns the files with the mistakes in them.
func plantAll(t *testing.T, module string) map[string]string {
	files := make(map[string]string)
	for _, p := range plants {
		text, ok := files[p.file]
		if !ok {
			b, err := os.ReadFile(filepath.Join(module, p.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if n := strings.Count(text, p.code); n != 1 {
			t.Fatalf("%s: the code to plant it in stands %d times in %s, want once:\n%s", p.name, n, p.file, p.code)
		}
		condition := `(Planted == "` + p.name + `")`
		if strings.HasPrefix(p.file, "runner/") {
			condition = "(lifecycle." + condition[1:]
		}
		files[p.file] = strings.Replace(text, p.code, strings.ReplaceAll(p.bug, "PLANTED", condition), 1)
	}
	return files
}
