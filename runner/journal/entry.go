package journal

import (
	"slices"
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// cutShort is why what was under way when hupwatch ended has no result.
const cutShort = "hupwatch ended"

// entry is a Reload as it is kept, in memory and in the file. It is small, since a
// thousand services have ten each.
type entry struct {
	before *entry // the one before it of the same service
	Who    *asked `json:"who"`

	Service string           `json:"service"`
	ID      uint64           `json:"id,omitempty"` // the first of them; the others are in More
	Result  lifecycle.Result `json:"result,omitempty"`

	Asked     int64 `json:"asked,omitempty"` // nanoseconds since 1970, like those below
	Begun     int64 `json:"begun,omitempty"`
	Started   int64 `json:"started,omitempty"`
	Promoted  int64 `json:"promoted,omitempty"`
	Signalled int64 `json:"signalled,omitempty"`
	Ended     int64 `json:"ended,omitempty"`
	Exited    int64 `json:"exited,omitempty"`

	Ready time.Duration `json:"ready,omitempty"`
	Drain time.Duration `json:"drain,omitempty"`

	Release    string `json:"release,omitempty"`
	OldRelease string `json:"old_release,omitempty"`
	Generation int32  `json:"generation,omitempty"`
	PID        int32  `json:"pid,omitempty"`
	Old        int32  `json:"old,omitempty"`

	Instance  int32 `json:"instance,omitempty"` // the one that failed
	Code      int32 `json:"code,omitempty"`
	Draining  int16 `json:"draining,omitempty"` // old ones that are not gone yet
	Signal    uint8 `json:"signal,omitempty"`
	HasExit   bool  `json:"has_exit,omitempty"` // Code or Signal is how it ended
	Killed    bool  `json:"killed,omitempty"`
	Abandoned bool  `json:"abandoned,omitempty"`
	Cut       bool  `json:"cut,omitempty"`     // it Ended because hupwatch did
	Probed    bool  `json:"probed,omitempty"`  // Ready is when it was seen to be ready
	Undoing   bool  `json:"undoing,omitempty"` // the new one was no good, and had taken the place of the old one
	Current   bool  `json:"current,omitempty"` // what serves was found to be what is configured
	old       bool  // its service has ten newer ones

	More *more `json:"more,omitempty"`
}

// asked is what somebody asked for. The entries of a request share one.
type asked struct {
	What string `json:"what"`
	By   string `json:"by,omitempty"`
}

// more is what most entries do not have.
type more struct {
	Also       []uint64  `json:"also,omitempty"` // the ids after the first
	Reason     string    `json:"reason,omitempty"`
	Tail       []string  `json:"tail,omitempty"`
	NeverRan   string    `json:"never_ran,omitempty"` // why there is no exit status
	RolledBack *RollBack `json:"rolled_back,omitempty"`
}

// add returns More, which most entries do not have, to be changed.
func (r *entry) add() *more {
	if r.More == nil {
		r.More = &more{}
	}
	return r.More
}

// ids are those of all requests it answers.
func (r *entry) ids() []uint64 {
	if r.ID == 0 {
		return nil
	}
	all := []uint64{r.ID}
	if r.More != nil {
		all = append(all, r.More.Also...)
	}
	return all
}

// answers reports whether it is what a request came to.
func (r *entry) answers(id uint64) bool {
	return r.ID == id || r.More != nil && slices.Contains(r.More.Also, id)
}

// open reports whether it has no result yet.
func (r *entry) open() bool { return r.Ended == 0 || r.Cut }

// end gives it its result.
func (r *entry) end(at int64, result lifecycle.Result, reason string, tail []string) {
	r.Ended, r.Cut, r.Result = at, false, result
	if reason != "" || len(tail) > 0 {
		m := r.add()
		m.Reason, m.Tail = reason, tail
	}
}

// failed reports whether the new generation was no good.
func (r *entry) failed() bool { return r.Undoing || r.Result.Failed() }

// replaced reports whether the new generation came to serve.
func (r *entry) replaced() bool {
	return r.Result == lifecycle.ResultPromoted || r.Result == lifecycle.ResultStarted || r.Result == lifecycle.ResultPartial
}

// exit takes note of how a generation ended.
func (r *entry) exit(e *lifecycle.Exit) {
	if e == nil {
		return
	}
	r.HasExit = true
	r.Code, r.Signal = int32(e.Code), uint8(e.Signal)
	if e.Reason != "" {
		r.add().NeverRan = e.Reason
	}
}

func (r *entry) public() Reload {
	p := Reload{
		Service: r.Service, IDs: r.ids(), What: r.Who.What, By: r.Who.By, Result: r.Result,
		Asked: moment(r.Asked), Begun: moment(r.Begun), Started: moment(r.Started), Promoted: moment(r.Promoted),
		Signalled: moment(r.Signalled), Ended: moment(r.Ended), Exited: moment(r.Exited),
		Ready: r.Ready, Drain: r.Drain, Instance: int(r.Instance),
		Generation: int(r.Generation), PID: int(r.PID), Release: r.Release,
		Old: int(r.Old), OldRelease: r.OldRelease,
		Killed: r.Killed, Abandoned: r.Abandoned,
	}
	if m := r.More; m != nil {
		p.Reason, p.Tail = m.Reason, slices.Clone(m.Tail)
	}
	if r.HasExit {
		p.Exit = r.publicExit()
	}
	if m := r.More; m != nil && m.RolledBack != nil {
		p.undo(*m.RolledBack)
	}
	if r.Cut {
		p.Result, p.Reason = lifecycle.ResultAborted, cutShort
	}
	return p
}

// undo changes the result to rolled back.
func (p *Reload) undo(back RollBack) {
	p.RolledBack = &back
	p.Result, p.Reason, p.Tail, p.Exit = lifecycle.ResultRolledBack, back.Reason, slices.Clone(back.Tail), back.Exit
	p.Instance, p.Generation = back.Instance, back.Generation
}

func (r *entry) publicExit() *Exit {
	e := newExit(lifecycle.Exit{Code: int(r.Code), Signal: syscall.Signal(r.Signal)}, moment(r.Exited))
	if r.More != nil {
		e.Reason = r.More.NeverRan
	}
	return e
}

func newExit(e lifecycle.Exit, at time.Time) *Exit {
	p := &Exit{Code: e.ShellCode(), Reason: e.Reason, At: at}
	if e.Signal != 0 {
		p.Signal = config.SignalName(e.Signal)
	}
	return p
}

// moment is a time that is kept as a number.
func moment(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}
