package journal

import (
	"cmp"
	"slices"

	"hupwatch/runner/control"
	"hupwatch/services/lifecycle"
)

// What is kept.
const (
	keptReloads  = 10    // of each service
	keptRequests = 200   // that are over
	keptAnswers  = 10000 // of services to requests that are over, in all
	keptServices = 10000 // when the file is written anew
)

// fold is what the events come to. Every one of them is looked at once; what they
// say is kept in entries and requests.
type fold struct {
	services map[string]*entry // the newest of each
	requests []*request        // by their ids
	lastID   uint64
	latest   int64 // when the last event was
	ending   bool  // hupwatch ends: no request asked for what stops now
}

func newFold() *fold { return &fold{services: make(map[string]*entry)} }

// take looks at an event.
func (f *fold) take(e *lifecycle.Event) {
	if e.Kind == lifecycle.KindBegun {
		f.abort()
		f.ending = false
	}
	f.latest = e.At.UnixNano()
	switch e.Kind {
	case lifecycle.KindEnding, lifecycle.KindLeaving:
		f.ending = true
	case lifecycle.KindRequest:
		for _, id := range e.Reloads {
			f.asked(id, e)
		}
	case lifecycle.KindRequestDone:
		for _, id := range e.Reloads {
			f.done(f.asked(id, e), e)
		}
	case lifecycle.KindRolledBack:
		f.rolledBack(e)
	case lifecycle.KindStartFailed:
		f.startFailed(e)
	case lifecycle.KindStopped:
		f.stopped(e)
	default:
		if r := f.entry(e); r != nil {
			f.service(r, e)
		} else if e.Kind == lifecycle.KindPromoted {
			f.recovered(e)
		}
	}
}

// abort ends what was under way when an earlier hupwatch ended.
func (f *fold) abort() {
	for _, q := range f.requests {
		if q.Ended == 0 {
			q.Ended, q.Cut = f.latest, true
		}
		for _, r := range q.entries {
			if r.Ended == 0 {
				r.Ended, r.Cut = f.latest, true
			}
		}
	}
	f.trim()
}

// asked returns the request of that id, and begins it if it is new. One that
// is forgotten is not begun again.
func (f *fold) asked(id uint64, e *lifecycle.Event) *request {
	if id <= f.lastID {
		return f.request(id)
	}
	q := &request{ID: id, Who: &asked{What: cmp.Or(e.Verb, control.VerbReload), By: e.By}, Started: e.At.UnixNano()}
	if e.Kind == lifecycle.KindRequest {
		q.Names = e.Names
	}
	f.insert(q)
	return q
}

func (f *fold) insert(q *request) {
	i, found := f.search(q.ID)
	if found {
		return
	}
	f.requests = slices.Insert(f.requests, i, q)
	f.lastID = max(f.lastID, q.ID)
}

// request returns the request of that id, or nil.
func (f *fold) request(id uint64) *request {
	if i, found := f.search(id); found {
		return f.requests[i]
	}
	return nil
}

func (f *fold) search(id uint64) (int, bool) {
	return slices.BinarySearchFunc(f.requests, id, func(q *request, id uint64) int { return cmp.Compare(q.ID, id) })
}

// done ends a request. The event names the services that did not get it: those that
// have no result yet are aborted. If some were skipped, those that the request names
// and that have no entry are among them.
func (f *fold) done(q *request, e *lifecycle.Event) {
	if q == nil {
		return
	}
	q.Ended, q.Cut, q.Counts = e.At.UnixNano(), false, e.Counts
	for _, name := range e.Names {
		if r := f.find(name, q.ID); r == nil || r.open() {
			f.settle(q, name, lifecycle.ResultAborted)
		}
	}
	for _, name := range q.Names {
		if f.find(name, q.ID) == nil && q.Counts[lifecycle.ResultSkipped] > 0 {
			f.settle(q, name, lifecycle.ResultSkipped)
		}
	}
	f.trim()
}

// settle gives a service the result that follows from the end of the request.
func (f *fold) settle(q *request, service string, result lifecycle.Result) {
	r := f.find(service, q.ID)
	if r == nil {
		r = f.begin(service, q)
	}
	r.end(q.Ended, result, "", nil)
}

// trim forgets the oldest of what is over.
func (f *fold) trim() {
	finished, answers := 0, 0
	for _, q := range slices.Backward(f.requests) {
		if q.Ended == 0 {
			continue
		}
		finished++
		answers += len(q.entries)
		if finished > keptRequests || answers > keptAnswers && finished > 1 {
			f.requests = slices.DeleteFunc(f.requests, func(o *request) bool { return o.Ended != 0 && o.ID <= q.ID })
			return
		}
	}
}

// forget drops the services with the oldest entries if there are very many: these were
// renamed, or removed.
func (f *fold) forget() {
	if len(f.services) <= keptServices {
		return
	}
	newest := make([]*entry, 0, len(f.services))
	for _, r := range f.services {
		newest = append(newest, r)
	}
	slices.SortFunc(newest, func(a, b *entry) int { return cmp.Compare(b.Asked, a.Asked) })
	for _, r := range newest[keptServices:] {
		delete(f.services, r.Service)
	}
}

// find returns the entry of a service for a request, or nil.
func (f *fold) find(service string, id uint64) *entry {
	for r := f.services[service]; r != nil; r = r.before {
		if r.answers(id) {
			return r
		}
	}
	return nil
}

// last returns the newest entry of a service that is over. One that somebody asked for
// is preferred, and among these one that is not minor.
func (f *fold) last(service string) *entry {
	var own, minor *entry
	for r := f.services[service]; r != nil; r = r.before {
		switch {
		case r.Ended == 0:
		case r.ID == 0:
			own = cmp.Or(own, r)
		case r.minor():
			minor = cmp.Or(minor, r)
		default:
			return r
		}
	}
	return cmp.Or(minor, own)
}

// minor reports whether it changed nothing and found out nothing: the result of a
// reload before it says more.
func (r *entry) minor() bool {
	return r.Who.What == control.VerbSignal || r.Result == lifecycle.ResultSkipped && !r.Current
}

// entry returns the entry that an event of a service belongs to, and begins it
// if it is the first of a request that is under way; nil if there is none.
func (f *fold) entry(e *lifecycle.Event) *entry {
	if e.Service == "" || len(e.Reloads) == 0 {
		return nil
	}
	if r := f.find(e.Service, e.Reloads[0]); r != nil {
		f.merge(r, e)
		return r
	}
	for _, id := range e.Reloads {
		if q := f.asked(id, e); q != nil && q.underWay() {
			r := f.begin(e.Service, q)
			f.merge(r, e)
			return r
		}
	}
	return nil
}

// merge takes note of the further requests an entry answers.
func (f *fold) merge(r *entry, e *lifecycle.Event) {
	for _, id := range e.Reloads {
		if r.answers(id) {
			continue
		}
		r.add().Also = append(r.add().Also, id)
		if q := f.asked(id, e); q != nil {
			q.entries = append(q.entries, r)
		}
	}
}

// begin makes the entry of a service for a request.
func (f *fold) begin(service string, q *request) *entry {
	r := &entry{Who: q.Who, Service: service, ID: q.ID, Asked: q.Started}
	f.push(r)
	q.entries = append(q.entries, r)
	return r
}

// push makes an entry the newest of its service.
func (f *fold) push(r *entry) {
	r.before = f.services[r.Service]
	if r.before != nil {
		r.Service = r.before.Service // one copy for all
	}
	f.services[r.Service] = r
	last := r
	for range keptReloads - 1 {
		if last = last.before; last == nil {
			return
		}
	}
	if last.before != nil {
		last.before.old = true
		last.before = nil
	}
}

// service takes note of what happened in the course of an entry.
func (f *fold) service(r *entry, e *lifecycle.Event) {
	at := e.At.UnixNano()
	if r.open() {
		r.progress(at, e)
	}
	switch e.Kind {
	case lifecycle.KindKilled:
		r.Killed = true
	case lifecycle.KindAbandoned:
		r.Abandoned = true
	case lifecycle.KindExited:
		r.exited(e)
	case lifecycle.KindReloadEnded:
		r.reloaded(e)
	default:
	}
}

// progress takes note of how far it has come. Once it is over, what a roll back starts
// is no part of that any more.
func (r *entry) progress(at int64, e *lifecycle.Event) {
	switch e.Kind {
	case lifecycle.KindReloadBegun:
		r.Begun = at
	case lifecycle.KindStarted:
		if r.Started == 0 {
			r.Started = at
		}
		r.incoming(e)
	case lifecycle.KindReady:
		r.Ready, r.Probed = max(r.Ready, e.Elapsed), true
	case lifecycle.KindPromoted:
		r.Promoted = at
		if !r.Probed { // else that is known better
			r.Ready = max(r.Ready, e.Elapsed)
		}
		r.incoming(e)
	case lifecycle.KindStopSignalled:
		r.signalled(e)
	case lifecycle.KindAnswered:
		r.end(at, e.Result, e.Reason, nil)
	default:
	}
}

func (r *entry) incoming(e *lifecycle.Event) {
	if r.Undoing { // the one that failed stays
		return
	}
	r.Generation, r.PID, r.Release = int32(e.Generation), int32(e.PID), e.Release
}

// signalled takes note of the stop signal to an old generation. That to a new one
// which failed does not count here.
func (r *entry) signalled(e *lifecycle.Event) {
	if e.Role != lifecycle.RoleOld {
		return
	}
	r.Signalled = e.At.UnixNano()
	r.Old, r.OldRelease = int32(e.Generation), e.Release
	r.Draining++
}

// undoing takes note of why a generation that had taken the place of the old one is
// taken back. The result of that is still to come.
func (r *entry) undoing(e *lifecycle.Event) {
	r.incoming(e)
	r.Undoing, r.HasExit, r.Exited = true, false, 0 // how an old one ended says less
	r.Instance = int32(e.Instance)
	m := r.add()
	m.Reason, m.Tail, m.NeverRan = e.Reason, e.Tail, ""
	if e.Exit != nil {
		r.exit(e.Exit)
		r.Exited = e.At.UnixNano()
	}
}

// reloaded takes note of the result.
func (r *entry) reloaded(e *lifecycle.Event) {
	at := e.At.UnixNano()
	if r.Undoing {
		r.undone(e)
		return
	}
	r.end(at, e.Result, e.Reason, e.Tail)
	r.Current = e.Result == lifecycle.ResultSkipped
	if r.failed() {
		r.Instance = int32(e.Instance)
	}
	if e.Generation != 0 {
		r.incoming(e)
	}
	r.serving(e)
	if e.Exit != nil {
		r.exit(e.Exit)
		r.Exited = at
	}
}

// undone takes note of the result if the new one was taken back. The event is about the
// one that serves again, since what failed is known already. If that one fails too, the
// event is about its failure.
func (r *entry) undone(e *lifecycle.Event) {
	r.Undoing = false
	tail := r.More.Tail
	if e.Generation != 0 && e.Result != lifecycle.ResultRolledBack {
		r.incoming(e)
		r.Instance, r.HasExit, r.Exited = int32(e.Instance), false, 0
		if e.Exit != nil {
			r.exit(e.Exit)
			r.Exited = e.At.UnixNano()
		}
		tail = slices.Concat(tail, e.Tail)
	}
	if e.Generation == 0 { // the reason names it
		r.Instance = 0
	}
	r.end(e.At.UnixNano(), e.Result, e.Reason, tail)
	r.serving(e)
}

// serving takes note of what serves after it, if that is another one.
func (r *entry) serving(e *lifecycle.Event) {
	if e.Serving != 0 && int32(e.Serving) != r.Generation {
		r.Old, r.OldRelease = int32(e.Serving), e.ServingRelease
	}
}

// exited takes note of the end of the generation that failed, or of an old one.
func (r *entry) exited(e *lifecycle.Event) {
	switch {
	case r.failed() && int32(e.Generation) == r.Generation:
		if r.HasExit {
			return // what was left of it
		}
	case r.Draining > 0 && e.Role == lifecycle.RoleOld:
		r.Draining--
		r.Drain = max(r.Drain, e.Elapsed)
		if r.failed() {
			return // how the failed one ended says more
		}
	default:
		return
	}
	r.exit(e.Exit)
	if r.Draining == 0 {
		r.Exited = e.At.UnixNano()
	}
}

// rolledBack notes a roll back with the reload that it undoes: the one under way, or
// else the last one that brought a new release.
func (f *fold) rolledBack(e *lifecycle.Event) {
	r := f.entry(e)
	if r != nil && r.open() {
		r.undoing(e)
		return
	}
	if r == nil || !r.replaced() { // nobody asked for it, as when hupwatch begins
		r = f.services[e.Service]
	}
	for r != nil && !r.replaced() {
		r = r.before
	}
	switch {
	case r == nil:
		return
	case r.More != nil && r.More.RolledBack != nil: // it goes back further
		r.More.RolledBack.Release = e.ServingRelease
		return
	}
	undone := &RollBack{
		At: moment(e.At.UnixNano()), Reason: e.Reason, Tail: e.Tail, Release: e.ServingRelease, Instance: e.Instance, Generation: e.Generation,
	}
	if e.Exit != nil {
		undone.Exit = newExit(*e.Exit, undone.At)
	}
	r.add().RolledBack = undone
}

// startFailed takes note of a start that failed. If nobody asked for it, the
// last of several in a row is enough.
func (f *fold) startFailed(e *lifecycle.Event) {
	at := e.At.UnixNano()
	r := f.entry(e)
	if r != nil && !r.open() { // what a roll back started, which goes on
		return
	}
	if r == nil {
		r = f.own(e, cmp.Or(string(e.Cause), string(lifecycle.CauseStart)))
	}
	r.incoming(e)
	r.end(at, lifecycle.ResultFailed, e.Reason, e.Tail)
	if e.Exit != nil {
		r.exit(e.Exit)
		r.Exited = at
	}
}

// recovered notes that a service serves which did not after its last reload, or after a
// start: what is said of that is as of now. It came up by itself, with the release that
// had failed or with the one before.
func (f *fold) recovered(e *lifecycle.Event) {
	for r := f.services[e.Service]; r != nil; r = r.before {
		if !r.open() && r.Result == lifecycle.ResultFailed && r.Instance == int32(e.Instance) {
			r.recovered(e)
		}
		if r.ID != 0 && !r.minor() { // what was asked for before that is another matter
			return
		}
	}
}

// recovered takes note of a promotion after a failure. The event says whether the release
// that failed is the one that serves.
func (r *entry) recovered(e *lifecycle.Event) {
	r.Promoted, r.Result = e.At.UnixNano(), cmp.Or(e.Result, lifecycle.ResultStarted)
	if r.Result == lifecycle.ResultRolledBack {
		return
	}
	r.HasExit, r.Exited = false, 0
	r.incoming(e)
	if r.More != nil {
		r.More.Reason, r.More.Tail, r.More.NeverRan = "", nil, ""
	}
}

// own begins an entry for what no request is known for.
func (f *fold) own(e *lifecycle.Event, what string) *entry {
	at := e.At.UnixNano()
	r := f.services[e.Service]
	if r != nil && r.ID == 0 && r.Who.What == what {
		*r = entry{before: r.before, Who: r.Who, Service: r.Service}
	} else {
		r = &entry{Who: &asked{What: what}, Service: e.Service}
		f.push(r)
	}
	r.Asked, r.Begun = at, at
	return r
}

// stopped takes note of a service that was stopped. If it was removed from the file,
// its stop answers the request that found it missing there. That request is known only
// if exactly one for all services is under way.
func (f *fold) stopped(e *lifecycle.Event) {
	r := f.entry(e)
	switch {
	case r != nil:
	case f.ending:
		return
	default:
		if q := f.whole(); q != nil {
			r = f.begin(e.Service, q)
			r.Begun = q.Started
		} else {
			r = f.own(e, control.VerbStop)
		}
	}
	r.end(e.At.UnixNano(), lifecycle.ResultStopped, e.Reason, nil)
}

// whole returns the request for all services that is under way, if there is exactly
// one.
func (f *fold) whole() *request {
	var found *request
	for _, q := range f.requests {
		switch {
		case q.Ended != 0 || len(q.Names) > 0:
		case found != nil:
			return nil
		default:
			found = q
		}
	}
	return found
}
