package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hupwatch/runner/control"
)

// row is one service while something is done to it.
type row struct {
	name   string
	step   step
	why    string // why its turn has not come
	awaits string // the services that are to be ready first
	// many is how many instances it has, as far as that is known, and done how many
	// of them have been promoted.
	many, done int
	generation int
	instance   int
	started    bool      // its process is there
	gap        bool      // the old one stops first
	until      time.Time // the end of the step
	hook       string    // what runs
	lacks      string    // what it lacks to be ready
	says       string    // and what it says of itself
	failure    *outcome  // of the new one after it had replaced the old one
	settles    time.Time // until when what was promoted can be taken back
	to         string    // the release that it goes back to
	undone     bool      // rolled back after the result had come
	notes      []note
	outcome    *outcome
	drains     []drain
	waits      bool // for the end of probation too
}

// step is how far it has come.
type step string

const (
	stepWaiting   step = "waiting"
	stepPreparing step = "preparing"
	stepStarting  step = "starting"
	stepWarming   step = "warming up"
	stepBoth      step = "both serve"
	stepHandover  step = "handover"
	stepPromoted  step = "promoted"
	stepTaken     step = "taken back" // the incoming one is stopped again
	stepUndoing   step = "going back" // the release before is started again
	stepStopping  step = "stopping"
	stepWatching  step = "watching" // it reloads itself
)

// note is a failure that did not decide the result.
type note struct {
	text string
	tail []string
}

// outcome is what it came to.
type outcome struct {
	result     string
	reason     string
	tail       []string
	exit       *control.Exit
	generation int
	instance   int // the one that failed
	seconds    float64
	drained    float64 // how long the old one took
}

// drain is an old generation that finishes its work.
type drain struct {
	instance, generation int
	killAt               time.Time
	connections          *int
	killed               bool
}

// know notes how the service was before.
func (r *row) know(svc control.Service) {
	r.many = len(svc.Instances) + len(svc.Lacking)
	r.awaits = strings.Join(svc.Awaits, ", ")
}

// add notes what happened to the service.
func (r *row) add(e control.Event) {
	if e.Instance > 0 { // there are more than were known
		r.many = max(r.many, e.Instance+1)
	}
	switch e.Kind {
	case control.KindReloadWaits:
		r.why = cmp.Or(e.Error, "an old generation has to end first")
	case control.KindAwaits:
		r.awaits = awaited(e)
	case control.KindReloadBegun:
		r.step, r.why, r.awaits = stepStarting, "", ""
	case control.KindHookBegun:
		r.hooked(e)
	case control.KindHookFailed:
		r.notes = append(r.notes, note{hookText(e), e.Tail})
	case control.KindStarted:
		r.begun(e)
	case control.KindReady:
		r.warm(e)
	case control.KindIncoming:
		r.incoming(e)
	case control.KindPublished:
		if r.started && !r.until.After(e.At.Time) {
			r.step = stepBoth
		}
	case control.KindPromoted:
		r.promoted(e)
	case control.KindForwarded:
		r.step, r.instance, r.generation = stepWatching, e.Instance, e.Generation
	case control.KindStopSignalled:
		r.signalled(e)
	case control.KindDraining:
		if d := r.drain(e); d != nil {
			d.connections = e.Connections
		}
	case control.KindKilled:
		if d := r.drain(e); d != nil {
			d.killed = true
		}
	case control.KindExited, control.KindEnded, control.KindDone, control.KindAbandoned:
		r.gone(e)
	case control.KindReloadEnded, control.KindAnswered:
		r.ended(e)
	case control.KindRolledBack:
		r.rolledBack(e)
	case control.KindSettled:
		r.settles = time.Time{}
	default:
	}
}

// awaited names the services that a service waits for.
func awaited(e control.Event) string {
	return cmp.Or(strings.Join(e.Services, ", "), e.Error)
}

// hooked notes that a hook of the service runs. If its new generation has no process
// yet, before_stop is the hook of an old one that has to stop first.
func (r *row) hooked(e control.Event) {
	r.hook, r.until = e.Hook, time.Time{}
	switch {
	case e.Hook == control.HookBeforeStart:
		r.step, r.instance, r.generation = stepPreparing, e.Instance, e.Generation
	case r.started:
		r.step = stepHandover
	default:
		r.stops()
	}
}

func (r *row) begun(e control.Event) {
	known := r.started && r.generation == e.Generation // from an incoming event
	r.started, r.instance, r.generation, r.hook = true, e.Instance, e.Generation, ""
	if !known {
		r.warm(e)
	}
}

func (r *row) warm(e control.Event) {
	r.step, r.until, r.lacks, r.says = stepStarting, after(e.At.Time, e.WaitSeconds), "", ""
	if !r.until.IsZero() {
		r.step = stepWarming
	}
}

// incoming notes how far a new generation has come.
func (r *row) incoming(e control.Event) {
	r.instance, r.generation = e.Instance, cmp.Or(e.Generation, r.generation)
	r.until, r.lacks, r.says = after(e.At.Time, e.WaitSeconds), e.Error, e.Status
	switch e.Phase {
	case control.PhasePreparing:
		r.step, r.hook = stepPreparing, control.HookBeforeStart
	case control.PhaseWaiting:
		r.step = stepStopping
	case control.PhaseProving:
		r.step, r.started = stepStarting, true
		r.lacks = cmp.Or(r.lacks, "no answer so far")
	case control.PhaseWarming:
		r.step, r.started = stepWarming, true
	case control.PhaseOverlapping:
		r.step = stepBoth
	case control.PhaseHandover:
		r.step, r.hook = stepHandover, control.HookBeforeStop
	default:
		r.step = stepStarting
	}
}

// signalled notes that a generation was told to stop: an old one, or the incoming
// one, which failed.
func (r *row) signalled(e control.Event) {
	switch {
	case e.Role == control.RoleIncoming, e.Generation == r.generation && e.Instance == r.instance && r.started: // or it was to be stopped anyway
		r.step = stepTaken
		return
	case r.step != stepPromoted || e.Instance != r.instance: // it stops first
		r.stops()
		r.hook = ""
	}
	r.drains = append(r.drains, drain{instance: e.Instance, generation: e.Generation, killAt: after(e.At.Time, e.WaitSeconds)})
}

// stops notes that what serves stops. There is a gap if another step had begun.
func (r *row) stops() {
	r.gap = r.gap || r.step != stepWaiting
	r.step = stepStopping
}

// promoted notes that a generation serves: the new one, or one of the release that the
// service went back to.
func (r *row) promoted(e control.Event) {
	r.step, r.started, r.hook = stepPromoted, false, ""
	if f := r.failure; f != nil && r.undone {
		f.generation = e.Generation
		r.outcome = f
		return
	}
	r.done++
}

// rolledBack notes that the release before is started again. The result of the request
// is shown when that release serves, or has failed too.
func (r *row) rolledBack(e control.Event) {
	further := r.undone
	if !further { // else it goes back once more: the failure is that of the first time
		r.failure = &outcome{result: control.ResultRolledBack, reason: e.Error, tail: e.Tail, exit: e.Exit, instance: e.Instance}
	}
	if r.outcome != nil {
		r.undone, r.outcome = true, nil
	}
	r.step, r.started, r.settles, r.to = stepUndoing, false, time.Time{}, e.ServingRelease
	if r.many > 1 && !further && (r.undone || e.Instance < r.instance) { // it counted as done
		r.done--
	}
}

func (r *row) ended(e control.Event) {
	r.settles = after(e.At.Time, e.WaitSeconds)
	r.outcome = &outcome{
		result: e.Result, reason: e.Error, tail: e.Tail, exit: e.Exit,
		generation: e.Serving, seconds: e.Seconds,
	}
	if e.Generation != 0 { // else the reason names it
		r.outcome.instance = e.Instance
	}
	if !r.bad() {
		r.outcome.generation = cmp.Or(e.Serving, e.Generation)
	}
	if f := r.failure; f != nil && e.Result == f.result {
		r.outcome.reason, r.outcome.tail, r.outcome.exit = f.reason, f.tail, f.exit
	}
}

func (r *row) gone(e control.Event) {
	if r.drain(e) != nil && r.outcome != nil {
		r.outcome.drained = max(r.outcome.drained, e.Seconds)
	}
	r.drains = slices.DeleteFunc(r.drains, func(d drain) bool { return d.is(e) })
}

func (r *row) drain(e control.Event) *drain {
	for i := range r.drains {
		if r.drains[i].is(e) {
			return &r.drains[i]
		}
	}
	return nil
}

func (d *drain) is(e control.Event) bool {
	return d.instance == e.Instance && d.generation == e.Generation
}

// end notes the result that hupwatch gives at last for the service.
func (r *row) end(s control.ServiceReload) {
	generation, drained, seconds := s.Generation, s.DrainSeconds, 0.0
	if r.outcome != nil {
		drained, seconds = max(drained, r.outcome.drained), r.outcome.seconds
		if !r.bad() { // the one that came of it may have ended since
			generation = cmp.Or(r.outcome.generation, generation)
		}
	}
	r.settles = time.Time{}
	r.outcome = &outcome{
		result: s.Result, reason: s.Error, tail: s.Tail, exit: s.Exit, instance: s.Instance,
		generation: generation, seconds: cmp.Or(seconds, s.ReadySeconds), drained: drained,
	}
}

// bad reports whether the request failed for the service.
func (r *row) bad() bool { return r.outcome != nil && ofResult(r.outcome.result) == red }

// moving reports whether something is under way, or held up.
func (r *row) moving() bool {
	return len(r.drains) > 0 || r.onProbation() || r.outcome == nil && (r.step != stepWaiting || r.awaits != "")
}

// word is the step or the result, in a word or two.
func (r *row) word() (string, colour) {
	switch {
	case r.outcome == nil && len(r.drains) > 0 && r.step == stepPromoted, r.outcome != nil && len(r.drains) > 0 && !r.bad():
		return "draining", cyan
	case r.onProbation():
		return "probation", cyan
	case r.failure != nil && r.outcome == nil:
		return string(stepUndoing), red
	case r.outcome != nil:
		return words(r.outcome.result), ofResult(r.outcome.result)
	case r.step == stepWaiting:
		return string(r.step), dim
	case r.step == stepTaken, r.step == stepUndoing:
		return string(r.step), red
	}
	return string(r.step), yellow
}

// detail is what there is to say beside that, in one line.
func (r *row) detail(now time.Time) string {
	switch {
	case r.outcome == nil:
		return r.stepText(now)
	case len(r.drains) > 0:
		return r.drainText(now)
	case r.onProbation():
		return r.comma(r.outcome.text(r), "can be taken back for "+left(now, r.settles))
	}
	return r.outcome.text(r)
}

// onProbation reports whether the command still waits for the end of the probation.
func (r *row) onProbation() bool {
	return r.waits && r.outcome != nil && !r.bad() && !r.settles.IsZero()
}

// stepText says where it stands.
func (r *row) stepText(now time.Time) string {
	switch r.step {
	case stepWaiting:
		if r.awaits != "" {
			return "for " + Safe(r.awaits) + " to be ready, however long that takes"
		}
		return Safe(r.why)
	case stepPromoted, stepStopping:
		return r.oldText(now)
	case stepPreparing:
		return r.comma(hookName(r.hook)+" runs", r.left(now))
	case stepHandover:
		return r.comma(hookName(r.hook)+" of the old one runs", r.left(now))
	case stepUndoing:
		return "to " + releaseText(r.to)
	case stepWarming:
		if !r.until.IsZero() && !r.until.After(now) {
			return r.comma(r.its(), "not ready yet") // its warm-up was said to begin with its start
		}
		return r.comma(r.its(), r.left(now), r.doneText())
	case stepWatching:
		return r.comma(r.its()+" reloads itself", r.doneText())
	case stepStarting:
		if r.lacks != "" {
			return r.its() + ", " + notReady(now, r.until, r.lacks, r.says)
		}
	case stepBoth, stepTaken:
	}
	return r.comma(r.its(), r.doneText())
}

// oldText is about the old one, which finishes its work or is about to.
func (r *row) oldText(now time.Time) string {
	text := ""
	switch {
	case len(r.drains) > 0:
		text = r.drainText(now)
	case r.step == stepPromoted:
		return r.comma(r.its(), r.doneText())
	case r.hook != "":
		text = r.comma(hookName(r.hook)+" runs", r.left(now))
	}
	switch {
	case r.step != stepStopping, !r.gap, r.many > 1:
	case r.hook != "":
		text = r.comma(text, "then nothing serves until the new one does")
	default:
		text = r.comma(text, "nothing serves until the new one does")
	}
	return text
}

// releaseText names the release that the service goes back to.
func releaseText(release string) string { return cmp.Or(Safe(release), "the release before") }

// its names the generation that comes.
func (r *row) its() string {
	if r.generation == 0 {
		return ""
	}
	return r.nameOf(r.instance, r.generation)
}

// nameOf names a generation.
func (r *row) nameOf(instance, generation int) string {
	if r.many > 1 {
		return fmt.Sprintf("instance %d generation %d", instance, generation)
	}
	return generationText(instance, generation)
}

func (r *row) left(now time.Time) string {
	if r.until.IsZero() {
		return ""
	}
	return left(now, r.until) + " left"
}

// doneText is how many of several instances are done.
func (r *row) doneText() string {
	switch {
	case r.many < 2:
		return ""
	case r.done < r.many:
		return fmt.Sprintf("%d of %d done", r.done, r.many)
	}
	return fmt.Sprintf("%d done", r.done)
}

// comma joins the parts that are not empty.
func (r *row) comma(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ", ")
}

// notReady says what a generation lacks to be ready, and how long that may last.
func notReady(now, until time.Time, lacks, says string) string {
	text := "not ready yet"
	if !until.IsZero() {
		text += ", " + left(now, until) + " left"
	}
	if lacks := lacksText(lacks, says); lacks != "" {
		text += ": " + lacks
	}
	return text
}

// lacksText is what a generation lacks to be ready, and what it says of itself.
func lacksText(lacks, says string) string {
	if says == "" {
		return Safe(lacks)
	}
	return strings.TrimPrefix(Safe(lacks)+"; it says: ", "; ") + Safe(says)
}

// hookName is the key of a command that runs.
func hookName(hook string) string { return cmp.Or(Safe(hook), "a hook") }

// hookText says how a hook failed. If before_start fails, the start says so itself.
func hookText(e control.Event) string {
	return hookName(e.Hook) + ": " + Safe(cmp.Or(e.Error, "it failed")) + "; that changes nothing else"
}

func (r *row) drainText(now time.Time) string {
	d := r.drains[0] // the oldest; the next one has its turn
	text := "old " + r.nameOf(d.instance, d.generation)
	switch {
	case d.killed:
		text += " got KILL"
	case !d.killAt.IsZero():
		text += ", KILL in " + left(now, d.killAt)
	}
	if d.connections != nil {
		text += ", " + plural(*d.connections, "connection")
	}
	if more := len(r.drains) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

func (o *outcome) text(r *row) string {
	if ofResult(o.result) != green {
		return instanceText(o.instance) + Safe(o.reason)
	}
	var serves, parts []string
	switch {
	case r.many > 1 && r.done > 1:
		serves = append(serves, plural(r.done, "instance"))
	case o.generation > 0:
		serves = append(serves, generationText(0, o.generation))
	}
	if o.seconds > 0 {
		serves = append(serves, "in "+took(o.seconds))
	}
	if len(serves) > 0 {
		parts = append(parts, strings.Join(serves, " "))
	}
	switch {
	case o.drained > 0 && o.result == control.ResultStopped:
		parts = append(parts, "gone after "+took(o.drained))
	case o.drained > 0 && r.many > 1:
		parts = append(parts, "the old ones gone after "+took(o.drained))
	case o.drained > 0:
		parts = append(parts, "the old one gone after "+took(o.drained))
	}
	if o.reason != "" {
		parts = append(parts, Safe(o.reason))
	}
	return strings.Join(parts, ", ")
}

// story is everything there is to say about a failure: why, how the process
// ended, and its last lines.
func (o *outcome) story(width int) []string {
	why := cmp.Or(Safe(o.reason), "no reason is known")
	if o.exit != nil && o.reason == "" {
		why = exitText(o.exit)
	}
	lines := Wrap(instanceText(o.instance)+why, width)
	return append(lines, tailLines(o.tail, len(o.tail), width)...)
}

// under is what stands beneath the row: what went wrong on the way.
func (r *row) under(width int) []string {
	var lines []string
	for _, n := range r.notes {
		lines = append(lines, Wrap(n.text, width)...)
		lines = append(lines, tailLines(n.tail, len(n.tail), width)...)
	}
	return lines
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
