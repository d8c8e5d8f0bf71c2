package lifecycle

import (
	"fmt"
	"strings"
	"time"

	"hupwatch/config"
)

// Time alone proves nothing, whatever the load and however long the warm-up: a
// generation is believed for what it is seen to do. It is looked at before its warm-up,
// and once more at the end.

// Way is how a generation proves that it is ready.
type Way string

// The ways.
const (
	WayNone      Way = ""          // not at all: only the warm-up counts
	WayProbe     Way = "probe"     // it answers a probe, or its command does
	WayNotified  Way = "said"      // it says so itself
	WayWaiting   Way = "waiting"   // it waits for connections where a generation before it was seen to
	WayListening Way = "listening" // it listens on every address that the active one listens on
)

// The pauses between two looks, and how long the last of them may take.
const (
	firstLook = 10 * time.Millisecond
	everyLook = 250 * time.Millisecond
	lastLook  = 5 * time.Second
)

// lastingLooks is how long a generation has, at the end of its warm-up, to be seen
// ready once more: at any one moment its workers may be busy.
const lastingLooks = 10 * time.Second

// MostAtOnce is how many connections a probe opens at the same time at most, if another
// generation takes those that come one after the other.
const MostAtOnce = 16

// Proof is how far an incoming generation has come in proving that it is ready.
type Proof struct {
	// Way is that of the last look.
	Way Way
	// Asked is set while a look is under way; Next is when the next one is due.
	Asked bool
	Next  Instant
	Pause time.Duration
	// AtOnce is how many connections the next probe opens; 0 is one.
	AtOnce int
	// Failure is why the last probe failed. Own is set if the generation itself has
	// answered so: that says more than a later probe that another one took.
	Failure string
	Own     bool
	// Asks are the addresses of the last look, Missing those of them on which the
	// generation was not seen, and Unseen why more could not be seen.
	Asks    []string
	Missing []string
	Unseen  string
	// Needless is set once the active generation was seen to listen on nothing.
	Needless bool
	// Again is set while it is looked at once more at the end of the warm-up, Lasting
	// once it was seen ready then.
	Again, Lasting bool
	// Overdue is set if its time was over during a look, Last during the look that
	// decides.
	Overdue, Last bool
	// Notified is set once it has said that it is ready. Status is what it says about
	// itself.
	Notified bool
	Status   string
}

// extendLimit is how many times its start_timeout a generation may have in all that
// asks for more, see EXTEND_TIMEOUT_USEC of sd_notify(3).
const extendLimit = 10

// ready is how to see that a generation is ready; nil if the file does not say how.
func (g *Generation) ready() *config.Ready { return g.service().Probe() }

// notifies reports whether a generation says itself that it is ready.
func notifies(r *config.Ready) bool {
	return r != nil && (r.Kind == config.ReadyNotify || r.Kind == config.ReadyFD)
}

// notified takes what a generation says about itself.
func (s *step) notified(in Notified) {
	sl, g := s.find(in.Generation)
	if g == nil {
		return
	}
	if in.MainPID != 0 {
		g.MainPID = in.MainPID
		if in.MainPID == g.PID {
			g.MainPID = 0
		}
	}
	if g != sl.Incoming {
		return
	}
	if in.Extend > 0 && g.Phase == PhaseProving {
		most := g.StartedAt
		for range extendLimit {
			most = most.Add(g.service().StartTimeout)
		}
		g.Deadline = max(g.Deadline, min(s.now.Add(in.Extend), most))
	}
	g.Proof.Notified, g.Proof.Status = g.Proof.Notified || in.Ready, in.Status
	switch {
	case in.Failure != "" && !g.Proof.Notified:
		s.fail(sl, in.Failure)
	case in.Stopping && g.Phase != PhaseResolving:
		s.fail(sl, "it said STOPPING=1 before it had taken over")
	case g.Proof.Notified && g.Phase == PhaseProving && notifies(g.ready()):
		s.warm(sl)
	}
}

// way is how the incoming generation of a slot proves that it is ready.
func (m *Machine) way(sl *Slot) Way {
	g := sl.Incoming
	c := g.service()
	switch r := g.ready(); {
	case c.Ready != nil && c.Ready.Kind == config.ReadyWarmup:
		return WayNone
	case notifies(r):
		return WayNotified
	case r != nil:
		return WayProbe
	case len(m.waits(g)) > 0:
		return WayWaiting
	case len(c.Listen) == 0 && sl.Active != nil && sl.Active.PID != 0 && !g.Proof.Needless:
		return WayListening
	}
	return WayNone
}

// looked reports whether hupwatch looks whether a generation is ready.
func (w Way) looked() bool { return w != WayNone && w != WayNotified }

// proven reports whether there is nothing left to look at.
func (m *Machine) proven(sl *Slot) bool { return sl.Incoming.Proof.Lasting || !m.way(sl).looked() }

// prove asks for a look at the incoming generation.
func (s *step) prove(sl *Slot) {
	g := sl.Incoming
	g.Proof.Asked, g.Proof.Next, g.Proof.Way = true, Never, s.way(sl)
	p := Prove{Generation: g.Number, Instance: sl.Instance, Release: g.Release, Way: g.Proof.Way, Others: s.others(g), AtOnce: max(1, g.Proof.AtOnce)}
	switch p.Way {
	case WayProbe:
		p.Ready = g.ready()
	case WayWaiting:
		p.Waits = s.waits(g)
		g.Proof.Asks = config.Addresses(p.Waits)
	case WayListening:
		p.Active = sl.Active.Number
		if public := sl.Active.service().Publish; public != "" {
			p.Own = config.BindPath(public, sl.Active.Number)
		}
	case WayNone, WayNotified:
	}
	s.do(p)
}

// others are the other generations of the service that run: each of them may answer in
// its place.
func (m *Machine) others(g *Generation) []int {
	var numbers []int
	for i := range m.Slots {
		for _, other := range m.Slots[i].generations() {
			if other != g && other.PID != 0 {
				numbers = append(numbers, other.Number)
			}
		}
	}
	return numbers
}

// proveOn asks for the next look if it is due, or goes on if none is needed any more.
func (s *step) proveOn(sl *Slot) {
	p, way := &sl.Incoming.Proof, s.way(sl)
	switch {
	case p.Asked, way == WayNotified:
	case !way.looked() && sl.Incoming.Phase == PhaseProving:
		s.warm(sl)
	case !way.looked():
		sl.Incoming.Deadline, p.Next = s.now, Never
	case p.Next <= s.now || p.Next == Never:
		s.prove(sl)
	}
}

// proveAgain begins the looks at the end of the warm-up.
func (s *step) proveAgain(sl *Slot) {
	g := sl.Incoming
	g.Proof.Again, g.Proof.Pause = true, 0
	g.Deadline = s.now.Add(min(g.service().StartTimeout, lastingLooks))
	if s.way(sl) == WayProbe {
		g.Deadline = s.now.Add(g.service().StartTimeout)
	}
	s.prove(sl)
}

// outOfTime gives a generation whose time is over one last look, which begins after
// that: what it did while hupwatch was paused counts.
func (s *step) outOfTime(sl *Slot) {
	g := sl.Incoming
	p := &g.Proof
	switch {
	case s.observes(g):
		if until := s.observedUntil(); until > s.now { // before that it is not known what it has to do
			g.Deadline = until
			return
		}
		s.Observing = 0 // whatever holds the look up
		g.Deadline = s.now.Add(lastLook)
		s.proveOn(sl)
	case p.Last, p.Asked && p.Overdue, !s.way(sl).looked():
		s.fail(sl, g.unproven())
	case p.Asked:
		p.Overdue = true
		g.Deadline = s.now.Add(g.lookTakes())
	default:
		s.lookLast(sl)
	}
}

// observedUntil is until when the generation that serves may be observed for a reload.
func (m *Machine) observedUntil() Instant {
	if _, g := m.find(m.Observing); g != nil {
		return g.looksUntil()
	}
	return 0
}

// lookLast asks for the look that decides.
func (s *step) lookLast(sl *Slot) {
	g := sl.Incoming
	g.Proof.Overdue, g.Proof.Last = true, true
	g.Deadline = s.now.Add(g.lookTakes())
	s.prove(sl)
}

// lookTakes is how long a look may take at most.
func (g *Generation) lookTakes() time.Duration {
	if r := g.ready(); r != nil {
		return r.Timeout + lastLook
	}
	return lastLook
}

// proved takes the result of a look.
func (s *step) proved(in Proved) {
	sl, g := s.find(in.Generation)
	if g == nil || g.Phase == PhaseDraining || !g.Proof.Asked {
		return
	}
	g.Proof.Asked = false
	if g == sl.Active {
		s.probedActive(sl, in)
		return
	}
	p := &g.Proof
	p.Missing, p.Needless, p.Unseen = in.Missing, in.Needless, in.Unseen
	if !p.Own || !in.Other {
		p.Failure, p.Own = in.Failure, in.Own
	}
	proven := in.Failure == "" && len(in.Missing) == 0
	if proven {
		s.learn(sl, in)
	}
	if in.Other {
		p.AtOnce = min(MostAtOnce, 2*max(1, p.AtOnce))
	}
	certain := p.Way == WayListening || p.Way == WayProbe && !in.Other && !in.Late
	switch {
	case proven && g.Phase == PhaseProving:
		s.warm(sl)
	case proven: // the next Tick goes on: its process may have ended meanwhile
		p.Lasting = true
		g.Deadline = s.now
	case p.Last && p.Way == WayWaiting && in.Unseen != "": // only its warm-up is left
		s.unseenWaiting(in.Unseen)
		p.Missing, p.Lasting, p.Way = nil, true, WayNone
		if g.Phase == PhaseProving {
			s.warm(sl)
			return
		}
		g.Deadline = s.now
	case p.Last, g.Phase == PhaseWarming && certain:
		s.fail(sl, g.unproven())
	case p.Overdue:
		s.lookLast(sl)
	default:
		p.Pause = g.pause()
		p.Next = s.now.Add(p.Pause)
	}
}

// pause is the time until the next look. The first ones come sooner than interval says:
// most servers need less, and a look costs next to nothing unless it runs a command.
func (g *Generation) pause() time.Duration {
	every := everyLook
	if r := g.ready(); r != nil {
		every = r.Interval
		if r.Kind == config.ReadyExec {
			return every
		}
	}
	return min(max(firstLook, 2*g.Proof.Pause), every)
}

// Lacks says what an incoming generation has not done yet to be ready; empty if there
// is nothing to say.
func (m *Machine) Lacks(g *Generation) string {
	if len(g.Proof.Missing) > 0 && m.observes(g) {
		return fmt.Sprintf("neither it nor generation %d, which serves, was seen yet to wait for connections on %s", m.Observing, strings.Join(g.Proof.Missing, ", "))
	}
	return g.lacks()
}

// lacks says what a generation has not done yet to be ready; empty if there is nothing
// to say.
func (g *Generation) lacks() string {
	p, r := &g.Proof, g.ready()
	switch {
	case p.Way == WayWaiting && len(p.Missing) > 0:
		return withUnseen("it does not wait for connections on "+strings.Join(p.Missing, ", "), p.Unseen)
	case p.Way == WayListening && len(p.Missing) > 0:
		return "it does not listen on " + strings.Join(p.Missing, ", ") + ", as the active one does"
	case p.Failure != "" || r == nil:
		return p.Failure
	case r.Kind == config.ReadyNotify:
		return "it has not said READY=1"
	case r.Kind == config.ReadyFD:
		return fmt.Sprintf("it has not written a line to descriptor %d", r.FD)
	}
	return ""
}

// lacked is what it had not done when its end was judged.
func (g *Generation) lacked() string {
	text := g.lacks()
	switch r := g.ready(); {
	case r == nil:
	case r.Kind == config.ReadyNotify && g.Proof.Status != "":
		text += ", but STATUS=" + g.Proof.Status
	case text == "":
		text = string(r.Kind)
	}
	return text
}

func withUnseen(text, unseen string) string {
	if unseen != "" {
		text += " as far as can be seen: " + unseen
	}
	return text
}

// remedy says what to do if a release that has not proven itself is as it was meant to
// be.
func (g *Generation) remedy() string {
	switch p := &g.Proof; {
	case p.Way == WayListening && len(p.Missing) > 0:
		return "; " + ListenRemedy
	case p.Way == WayWaiting && len(p.Missing) > 0:
		return "; " + waitRemedy
	}
	return ""
}

// unproven says why a generation was not proven in its time.
func (g *Generation) unproven() string {
	text, limit := g.lacked(), g.service().StartTimeout
	switch {
	case g.Phase == PhaseWarming && text != "":
		return "it was not ready any more at the end of its warm-up: " + text + g.remedy()
	case g.Phase == PhaseWarming:
		return "it could not be seen whether it was still ready at the end of its warm-up"
	case text != "":
		return fmt.Sprintf("not ready within start_timeout (%s): %s%s", limit, text, g.remedy())
	}
	return fmt.Sprintf("what it listens on could not be seen within start_timeout (%s)", limit)
}

// The remedies: what to do if a generation does not listen where the one before does, or
// does not wait for connections where one before did.
const (
	ListenRemedy = "a server that opens its address itself cannot have it twice: give the address to the key listen, and let the server take the socket from hupwatch; where it cannot, set reload to stop-first, with a gap; or, if the address is to change, stop the service and start it"
	waitRemedy   = `a generation before it did: does it take the sockets of listen, and serve? An address that it shall not serve any more is to be taken out of listen; if it shall not accept connections before the old one has gone, set ready = "warmup"`
)
