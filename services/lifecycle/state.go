package lifecycle

// State is how a service is, in one word.
type State string

// The states.
const (
	StateStopped  State = "stopped"  // wanted down, nothing lives
	StateWaiting  State = "waiting"  // for the services it depends on
	StateStarting State = "starting" // nothing serves yet
	StateRunning  State = "running"  // it serves, whatever else is incoming
	StateBackoff  State = "backoff"  // the next start is due later
	StateStopping State = "stopping" // wanted down, something still lives
	StateDone     State = "done"     // it ended with success, and restart says not to start it again
	StateFailed   State = "failed"   // it is not started any more by itself
)

// Wanted is what somebody asked a service to be.
type Wanted string

// What a service can be wanted to be; nobody asked for the empty one.
const (
	WantedUp   Wanted = "up"
	WantedDown Wanted = "down"
)

// Wanted returns what somebody asked for; empty if autostart decides.
func (m *Machine) Wanted() Wanted {
	switch {
	case !m.Commanded, m.removed(), m.Stopping != nil && m.Stopping.Why == StopShutdown: // hupwatch ends, or it was removed
		return ""
	case m.WantedUp:
		return WantedUp
	}
	return WantedDown
}

// Down reports whether the service is wanted down: a reload leaves it alone. For a
// service that was removed from the file autostart decides once it is back.
func (m *Machine) Down() bool {
	return !m.WantedUp && !m.removed()
}

// WhyDown says why a service that is wanted down is.
func (m *Machine) WhyDown() string {
	if m.Commanded {
		return "it was stopped by hand"
	}
	return "autostart = false, and nobody started it"
}

// Up reports whether the service is wanted up. One that is stopped because hupwatch
// ends is wanted as before.
func (m *Machine) Up() bool { return m.WantedUp && !m.removed() }

// removed reports whether the service was removed from the file.
func (m *Machine) removed() bool {
	return m.Stopping != nil && m.Stopping.Why == StopRemoved
}

// State returns the state of the service: that of its worst instance.
func (m *Machine) State() State {
	if !m.startable() {
		if m.living() > 0 {
			return StateStopping
		}
		return StateStopped
	}
	if asked := m.Current != nil && !m.Current.Begun; m.held() && (asked || !m.allDone()) {
		return StateWaiting
	}
	worst := m.Slots[0].State()
	for i := range m.Slots[1:] {
		if s := m.Slots[i+1].State(); badness[s] > badness[worst] {
			worst = s
		}
	}
	return worst
}

var badness = map[State]int{StateRunning: 0, StateDone: 1, StateStarting: 2, StateBackoff: 3, StateFailed: 4}

// State returns the state of one instance.
func (sl *Slot) State() State {
	switch {
	case sl.Active != nil:
		return StateRunning
	case sl.Incoming != nil:
		return StateStarting
	case sl.Resting != "":
		return sl.Resting
	case sl.NextStart != Never:
		return StateBackoff
	}
	return StateStopped
}

// Removed reports whether the service was removed from the file, and nothing of it is
// waited for any more.
func (m *Machine) Removed() bool {
	return m.removed() && m.Stopping.Done
}
