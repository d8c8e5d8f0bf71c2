package lifecycle

import (
	"fmt"
	"slices"
	"time"

	"hupwatch/config"
)

// A generation must be seen to do what one before it was seen to do: to wait for
// connections on the sockets of listen. That is learned when a generation is promoted,
// and again when a reload begins: at any one moment a server may still be starting, or
// be busy.

// Waiting is what is known of the processes that wait for connections on the sockets of
// listen.
type Waiting struct {
	// Seen are the addresses on which a generation was seen to wait. All is set if
	// those were all that the last one had.
	Seen []string
	All  bool
	// Unseen is why that could not be seen, as it was told.
	Unseen string
}

// Looked reports whether hupwatch looks at what the processes of the service do.
func (m *Machine) Looked() bool {
	if r := m.Config.Ready; r != nil {
		return r.Kind == config.ReadyHTTP || r.Kind == config.ReadyTCP || r.Kind == config.ReadyUnix
	}
	return len(m.Config.Listen) > 0
}

// mustWait are the sockets of a configuration on which a generation must be seen to
// wait. A server that waits on all sockets it has is expected to wait on a new one too.
func (m *Machine) mustWait(c *config.Service) []config.Listen {
	if c.Ready != nil {
		return nil
	}
	var all []config.Listen
	for _, l := range c.Listen {
		if m.Waiting.All || slices.Contains(m.Waiting.Seen, l.String()) {
			all = append(all, l)
		}
	}
	return all
}

// observe asks where a generation that serves waits for connections, as far as that is
// not known. It reports whether there is something to ask.
func (s *step) observe(g *Generation) bool {
	c := g.service()
	unknown := slices.DeleteFunc(slices.Clone(c.Listen), func(l config.Listen) bool { return slices.Contains(s.Waiting.Seen, l.String()) })
	switch {
	case len(unknown) == 0:
		s.Waiting.All = len(c.Listen) > 0
		return false
	case g.PID == 0:
		return false
	}
	s.do(Observe{Generation: g.Number, Listen: unknown, Others: s.others(g)})
	return true
}

// observeFor finds out, for a reload, what the new generation has to do.
func (s *step) observeFor(next *config.Service, active *Generation) {
	if next.Ready == nil && len(next.Listen) > 0 && s.observe(active) {
		s.Observing = active.Number
	}
}

// observes reports whether it is still being found out what a generation has to do.
func (m *Machine) observes(g *Generation) bool {
	return m.Observing != 0 && g.Cause == CauseReload && g.service().Ready == nil
}

// waits are the sockets on which an incoming generation is looked at.
func (m *Machine) waits(g *Generation) []config.Listen {
	if m.observes(g) {
		return g.service().Listen
	}
	return m.mustWait(g.service())
}

// looksUntil is until when a generation that was not seen to wait on all its sockets
// may still be starting: with a short warm-up, or on a busy host, it was promoted
// before.
func (g *Generation) looksUntil() Instant {
	return g.StartedAt.Add(min(g.service().StartTimeout, longestLook))
}

// longestLook bounds looksUntil if start_timeout is longer.
const longestLook = 10 * time.Minute

// observed takes where a generation that serves waits.
func (s *step) observed(in Observed) {
	sl, g := s.find(in.Generation)
	if g == nil || s.Stopping != nil { // what begins after a stop begins with nothing known
		return
	}
	s.seen(g.service(), in.Seen)
	unsure := sl.Active == g && in.Unseen == "" && !s.Waiting.All
	switch {
	case unsure && s.now < g.looksUntil():
		g.Proof.Next = s.now.Add(everyLook)
		return
	case unsure && len(s.Waiting.Seen) == 0:
		in.Unseen = fmt.Sprintf("none of its processes was seen to wait within %s of its start", round(g.looksUntil().Sub(g.StartedAt)))
	}
	s.observedEnough(in.Generation)
	if len(in.Seen) == 0 {
		s.unseenWaiting(in.Unseen)
	}
}

// observedEnough ends the observation that a reload waits for.
func (s *step) observedEnough(generation int) {
	if s.Observing != generation {
		return
	}
	s.Observing = 0
	for i := range s.Slots {
		if g := s.Slots[i].Incoming; g != nil && g.Phase == PhaseProving { // it was given as long as the other one
			g.Deadline = min(g.Deadline, max(s.now, g.StartedAt.Add(g.service().StartTimeout)))
		}
	}
}

// observeOn asks for the next look at a generation that serves if it is due.
func (s *step) observeOn(g *Generation) {
	if g == nil || g.Proof.Next > s.now {
		return
	}
	g.Proof.Next = Never
	if !s.observe(g) {
		s.observedEnough(g.Number)
	}
}

// observeNoMore ends the observation of a generation that does not serve any more.
func (s *step) observeNoMore() {
	if s.Observing == 0 {
		return
	}
	if sl, g := s.find(s.Observing); g == nil || g != sl.Active {
		s.observedEnough(s.Observing)
	}
}

// learn takes what an incoming generation was seen to do.
func (s *step) learn(sl *Slot, in Proved) {
	g := sl.Incoming
	if g.Proof.Way == WayWaiting {
		s.seen(g.service(), g.Proof.Asks)
	}
	s.unseen("who answers its probe cannot be seen, and an old generation may answer for a new one: ", in.Unseen)
}

func (s *step) seen(c *config.Service, addresses []string) {
	w, known := &s.Waiting, len(s.Waiting.Seen)
	w.Seen = append(w.Seen, addresses...)
	slices.Sort(w.Seen)
	w.Seen = slices.Compact(w.Seen)
	w.All = len(c.Listen) > 0 && !slices.ContainsFunc(c.Listen, func(l config.Listen) bool { return !slices.Contains(w.Seen, l.String()) })
	if len(addresses) > 0 {
		w.Unseen = ""
	}
	s.keep = s.keep || len(w.Seen) > known
}

// sayInReady is the remedy if something cannot be seen.
const sayInReady = "; say in ready how it can be seen, by notify, fd or exec"

// unseenWaiting tells, once, why it cannot be seen whether a generation waits for
// connections.
func (s *step) unseenWaiting(why string) {
	s.unseen("who waits for connections on its sockets cannot be seen, and only its warm-up tells a good release from a bad one: ", why)
}

// unseen tells, once, why something cannot be seen.
func (s *step) unseen(what, why string) {
	if why == "" || why == s.Waiting.Unseen {
		return
	}
	s.Waiting.Unseen = why
	s.keep = true
	s.emit(nil, nil, Event{Kind: KindAdvice, Reason: what + why + sayInReady})
}
