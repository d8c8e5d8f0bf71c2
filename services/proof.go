package services

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hupwatch/services/process"
)

// A server that opens its address itself may not get it while the old generation
// has it, and go on trying: it is alive, and serves nobody. So where hupwatch
// does not own the address, the incoming generation has to listen on all that
// the active one listens on, before its warm-up and once more at its end.

// The pauses between two looks at what the incoming generation listens on.
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
	// Missing is what the last look found missing.
	Missing []string
	// Needless is set once the active one was seen to listen on nothing.
	Needless bool
}

// provable tells whether the incoming generation has something to prove.
func (s *step) provable(sl *Slot) bool {
	g := sl.Incoming
	return len(g.service().Listen) == 0 && sl.Active != nil && sl.Active.PID != 0 && !g.Proof.Needless
}

// prove has a look at what the incoming generation listens on.
func (s *step) prove(sl *Slot) {
	g := sl.Incoming
	g.Proof.Asked, g.Proof.Next = true, Never
	s.do(Prove{Generation: g.Number, Active: sl.Active.Number})
}

// proveOn has the next look when its time has come, or none any more.
func (s *step) proveOn(sl *Slot) {
	switch p := &sl.Incoming.Proof; {
	case p.Asked:
	case !s.provable(sl):
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
	if g == nil || g != sl.Incoming || !g.Proof.Asked {
		return
	}
	g.Proof.Asked = false
	g.Proof.Missing, g.Proof.Needless = in.Missing, in.Needless
	switch {
	case len(in.Missing) == 0 && g.Phase == PhaseProving:
		s.warm(sl)
	case len(in.Missing) == 0:
		s.promote(sl)
	case g.Phase == PhaseWarming:
		s.fail(sl, g.Proof.lacks()+" any more at the end of its warm-up")
	default:
		g.Proof.Pause = min(max(firstLook, 2*g.Proof.Pause), everyLook)
		g.Proof.Next = s.now.Add(g.Proof.Pause)
	}
}

// lacks says what is missing.
func (p *Proof) lacks() string {
	return "it does not listen on " + strings.Join(p.Missing, ", ") + ", as the active one does,"
}

// unproven says why the time to prove itself was not enough.
func (g *Generation) unproven() string {
	if len(g.Proof.Missing) == 0 {
		return fmt.Sprintf("what it listens on could not be seen within start_timeout (%s)", g.service().StartTimeout)
	}
	return fmt.Sprintf("%s within start_timeout (%s); %s", g.Proof.lacks(), g.service().StartTimeout, listenRemedy)
}

const listenRemedy = "a server that opens its address itself cannot have it twice: give the address to the key listen, and let the server take the socket from hupwatch; or, if the address is to change, stop the service and start it"

// look compares what two generations listen on.
func look(e Prove, incoming, active *process.Process) Proved {
	in := Proved{Generation: e.Generation}
	if incoming == nil || active == nil {
		return in
	}
	wanted := process.Listening(active.PID())
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
