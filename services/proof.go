package services

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hupwatch/config"
	"hupwatch/services/process"
)

// Time alone is no proof. A generation is ready when a probe says so, or when it
// says so itself. Where nobody said how to see it, and hupwatch does not own the
// address: a server that opens its address itself may not get it while the old
// generation has it, and go on trying; it is alive, and serves nobody. So the
// incoming one has to listen on all that the active one listens on.
//
// Both are looked at before the warm-up, and once more at its end.

// The pauses between two looks.
const (
	firstLook = 10 * time.Millisecond
	everyLook = 250 * time.Millisecond
)

// Proof is how far an incoming generation has come in proving itself.
type Proof struct {
	// Asked is set while a Prove is under way; Next is when to ask again.
	Asked bool
	Next  Instant
	Pause time.Duration
	// Failure is why the last probe failed.
	Failure string
	// Missing is what the last look found missing.
	Missing []string
	// Needless is set once the active one was seen to listen on nothing.
	Needless bool
	// Lasting is set once the look at the end of the warm-up found it ready still.
	Lasting bool
	// Said is set once it said that it is ready, and Status is what it says it does.
	Said   bool
	Status string
}

// provable tells whether there is something to look at in the incoming generation.
func (sl *Slot) provable() bool {
	g := sl.Incoming
	if r := g.ready(); r != nil {
		return !speaks(r)
	}
	return len(g.service().Listen) == 0 && sl.Active != nil && sl.Active.PID != 0 && !g.Proof.Needless
}

// proven tells whether nothing is to be looked at any more.
func (sl *Slot) proven() bool { return sl.Incoming.Proof.Lasting || !sl.provable() }

// prove has a look at the incoming generation.
func (s *step) prove(sl *Slot) {
	g := sl.Incoming
	g.Proof.Asked, g.Proof.Next = true, Never
	p := Prove{Generation: g.Number, Ready: g.ready()}
	if sl.Active != nil {
		p.Active = sl.Active.Number
	}
	s.do(p)
}

// proveOn has the next look when its time has come, or none any more.
func (s *step) proveOn(sl *Slot) {
	switch p := &sl.Incoming.Proof; {
	case p.Asked, speaks(sl.Incoming.ready()):
	case !sl.provable():
		s.warm(sl)
	case p.Next <= s.now:
		s.prove(sl)
	}
}

// proveAgain has the last look, at the end of the warm-up.
func (s *step) proveAgain(sl *Slot) {
	g := sl.Incoming
	if g.Proof.Asked {
		s.fail(sl, g.unproven())
		return
	}
	g.Deadline = s.now.Add(g.service().StartTimeout)
	s.prove(sl)
}

// proved takes the result of a look.
func (s *step) proved(in Proved) {
	sl, g := s.find(in.Generation)
	if g == nil || g.Phase == PhaseDraining || !g.Proof.Asked {
		return
	}
	g.Proof.Asked = false
	if g == sl.Active {
		if r := s.Under; r != nil && r.Watching == Never && &s.Slots[r.Slot] == sl {
			s.signalled(sl, in.Failure)
		}
		return
	}
	g.Proof.Failure, g.Proof.Missing, g.Proof.Needless = in.Failure, in.Missing, in.Needless
	proven := in.Failure == "" && len(in.Missing) == 0
	switch {
	case proven && g.Phase == PhaseProving:
		s.warm(sl)
	case proven: // the next Tick goes on: its process may have ended meanwhile
		g.Proof.Lasting = true
		g.Deadline = s.now
	case g.Phase == PhaseWarming && in.Failure != "":
		s.fail(sl, "it was not ready any more at the end of its warm-up: "+in.Failure)
	case g.Phase == PhaseWarming:
		s.fail(sl, g.Proof.lacks()+" any more at the end of its warm-up")
	default:
		g.Proof.Pause = g.pause()
		g.Proof.Next = s.now.Add(g.Proof.Pause)
	}
}

// pause is how long to wait for the next look. The first ones come sooner than
// interval says: most servers need much less, and a look costs next to nothing but
// where it runs a command.
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

// lacks says what is missing.
func (p *Proof) lacks() string {
	return "it does not listen on " + strings.Join(p.Missing, ", ") + ", as the active one does,"
}

// unproven says why the time to prove itself was not enough.
func (g *Generation) unproven() string {
	if text := g.proves(); text != "" {
		return fmt.Sprintf("not ready within start_timeout (%s): %s", g.service().StartTimeout, text)
	}
	if len(g.Proof.Missing) == 0 {
		return fmt.Sprintf("what it listens on could not be seen within start_timeout (%s)", g.service().StartTimeout)
	}
	return fmt.Sprintf("%s within start_timeout (%s); %s", g.Proof.lacks(), g.service().StartTimeout, listenRemedy)
}

const listenRemedy = "a server that opens its address itself cannot have it twice: give the address to the key listen, and let the server take the socket from hupwatch; where it cannot, set reload to stop-first, with a gap; or, if the address is to change, stop the service and start it"

// look compares what two generations listen on. Own is the path that only the active
// one was to open, if there is such.
func look(e Prove, incoming, active *process.Process, own string) Proved {
	in := Proved{Generation: e.Generation}
	if incoming == nil || active == nil {
		return in
	}
	wanted := slices.DeleteFunc(process.Listening(active.PID()), func(address string) bool { return address == "unix "+own })
	if len(wanted) == 0 {
		in.Needless = true
		return in
	}
	has := process.Listening(incoming.PID())
	for _, address := range wanted {
		if !slices.Contains(has, address) {
			in.Missing = append(in.Missing, address)
		}
	}
	return in
}
