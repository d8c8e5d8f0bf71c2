package services

import (
	"fmt"
	"slices"

	"hupwatch/config"
)

// What a generation of the service was once seen to do, its successor must be seen
// to do: to wait for connections on a socket of listen. It is learned when a
// generation is promoted, and again when a reload begins, for at any one moment a
// server may be starting, or busy.

// Waiting is what is known of who waits for connections on the sockets of listen.
type Waiting struct {
	// Seen are the addresses on which a generation was seen to wait, All is set if
	// these were all that the last one had.
	Seen []string
	All  bool
	// Unseen is why who waits could not be seen, as it was told.
	Unseen string
}

// Looked reports whether it is looked at what the processes of the service do.
func (m *Machine) Looked() bool {
	if r := m.Config.Ready; r != nil {
		return r.Kind == config.ReadyHTTP || r.Kind == config.ReadyTCP || r.Kind == config.ReadyUnix
	}
	return len(m.Config.Listen) > 0
}

// mustWait are the sockets of a configuration on which a generation has to be seen to
// wait: a server that waits on all it has does so on a new one too.
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

// observe has it seen where a generation that serves waits for connections, as far
// as that is not known. It reports whether there is something to see.
func (s *step) observe(g *Generation) bool {
	c := g.service()
	if c.Ready != nil || g.PID == 0 {
		return false
	}
	unknown := slices.DeleteFunc(slices.Clone(c.Listen), func(l config.Listen) bool { return slices.Contains(s.Waiting.Seen, l.String()) })
	if len(unknown) == 0 {
		s.Waiting.All = len(c.Listen) > 0
		return false
	}
	s.do(Observe{Generation: g.Number, Listen: unknown, Others: s.others(g)})
	return true
}

// observes reports whether it is still being found out what a generation has to be
// seen to do.
func (m *Machine) observes(g *Generation) bool {
	return m.Observing != 0 && g.Cause == CauseReload
}

// observed takes where it waits.
func (s *step) observed(in Observed) {
	sl, g := s.find(in.Generation)
	if g == nil || s.Ending != nil { // what begins after a stop begins with nothing known
		s.observedEnough(in.Generation)
		return
	}
	s.seen(g.service(), in.Seen)
	nothing := sl.Active == g && len(s.Waiting.Seen) == 0 && s.Waiting.Unseen == "" && in.Unseen == ""
	limit := g.service().StartTimeout
	switch {
	case nothing && s.now < g.StartedAt.Add(limit): // its warm-up was shorter than its start
		g.Proof.Next = s.now.Add(everyLook)
		return
	case nothing:
		in.Unseen = fmt.Sprintf("none of its processes was seen to wait within start_timeout (%s)", limit)
	}
	s.observedEnough(in.Generation)
	if len(in.Seen) == 0 {
		s.unseen("who waits for connections on its sockets cannot be seen, and only its warm-up tells a good release from a bad one: ", in.Unseen)
	}
}

// observedEnough lets the reload go on that waits for what a generation is seen to
// do; settle does that.
func (s *step) observedEnough(generation int) {
	if s.Observing == generation {
		s.Observing = 0
	}
}

// observeOn has the next look at a generation that serves when its time has come.
func (s *step) observeOn(g *Generation) {
	if g == nil || g.Proof.Next > s.now {
		return
	}
	g.Proof.Next = Never
	if !s.observe(g) {
		s.observedEnough(g.Number)
	}
}

// learn takes what an incoming generation was seen to do.
func (s *step) learn(sl *Slot, in Proved) {
	g := sl.Incoming
	if g.Proof.Way == WayWaiting {
		s.seen(g.service(), addressesOf(s.mustWait(g.service())))
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

// UnseenText says that what a new generation does cannot be seen, why, and what to do
// about it.
func UnseenText(why string) string {
	return "what a new generation does cannot be seen, only its warm-up tells a good release from a bad one: " + why + sayInReady
}

// sayInReady is the remedy where something cannot be seen.
const sayInReady = "; say in ready how it can be seen, by notify, fd or exec"

// unseen tells, once, why something cannot be seen.
func (s *step) unseen(what, why string) {
	if why == "" || why == s.Waiting.Unseen {
		return
	}
	s.Waiting.Unseen = why
	s.keep = true
	s.emit(nil, nil, Event{Kind: KindAdvice, Reason: what + why + sayInReady})
}
