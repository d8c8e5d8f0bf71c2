package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/probe"
	"hupwatch/services/process"
	"hupwatch/services/release"
)

// subject is a generation that is looked at, with those that run beside it: if they
// have its address too, any of them may answer in its place.
type subject struct {
	generation int
	process    *process.Process
	others     []rival
	release    *release.Release // of what is probed
	variables  []string         // likewise
}

// rival is another generation that may answer.
type rival struct {
	generation int
	process    *process.Process
}

// listeningSocket is a socket of listen, with what a look needs of it.
type listeningSocket struct {
	config.Listen
	process.Listener
}

func (w *Watcher) subject(generation int, others []int) subject {
	it := subject{generation: generation, process: w.process(generation)}
	for _, number := range others {
		if p := w.process(number); p != nil {
			it.others = append(it.others, rival{number, p})
		}
	}
	return it
}

// listeners describes the sockets. No process is ever seen on one that is not open.
func (w *Watcher) listeners(listens []config.Listen) []listeningSocket {
	sockets := make([]listeningSocket, len(listens))
	for i, fd := range w.sockets.Descriptors(listens) {
		sockets[i].Listen = listens[i]
		if l, err := process.NewListener(fd); err == nil {
			sockets[i].Listener = l
		}
	}
	return sockets
}

// How often a generation that serves is looked at to learn where it waits for
// connections, and the first pause between two looks, which doubles.
const (
	observations = 6
	observeAfter = 10 * time.Millisecond
)

// observe learns where a generation that serves waits for connections.
func (w *Watcher) observe(e lifecycle.Observe) {
	it, sockets := w.subject(e.Generation, e.Others), w.listeners(e.Listen)
	if it.process == nil {
		w.Post(lifecycle.Observed{Generation: e.Generation})
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.started(e.Generation).unprobe = cancel
	w.host.Probing.Pass(func() {
		defer cancel()
		in := lifecycle.Observed{Generation: e.Generation}
		defer func() { w.Post(in) }()
		pause, atOnce := observeAfter, 1
		for n := 1; ; n++ {
			proved := it.waits(ctx, sockets, atOnce)
			if proved.Other {
				atOnce = min(2*atOnce, lifecycle.MostAtOnce)
			}
			in.Unseen = proved.Unseen
			in.Seen = slices.DeleteFunc(config.Addresses(e.Listen), func(address string) bool { return slices.Contains(proved.Missing, address) })
			if len(proved.Missing) == 0 || n == observations || !wait(ctx, pause) {
				return
			}
			pause *= 2
		}
	})
}

// waits looks whether the generation waits for connections on all of these sockets.
func (s subject) waits(ctx context.Context, sockets []listeningSocket, atOnce int) (in lifecycle.Proved) {
	listeners := make([]process.Listener, len(sockets))
	for i := range sockets {
		listeners[i] = sockets[i].Listener
	}
	for i, sight := range s.process.Look(listeners) {
		switch {
		case sight.Waits:
			continue
		case sight.Registered: // a connection that it accepts shows the rest
			accepted := s.probe(ctx, sockets[i].target(), atOnce)
			if accepted.Failure == "" && accepted.Unseen == "" {
				continue
			}
			in.Other, in.Unseen = in.Other || accepted.Other, accepted.Unseen
		}
		in.Missing = append(in.Missing, sockets[i].Listen.String())
		if sight.Unseen != "" {
			in.Unseen = sight.Unseen
		}
	}
	return in
}

// target is the socket as something to connect to.
func (l listeningSocket) target() probe.Target {
	t := probe.Target{Kind: config.ReadyTCP, Address: l.Address, Timeout: config.ProbeTimeout}
	if l.Network == "unix" {
		t.Kind = config.ReadyUnix
		return t
	}
	if host, port, err := net.SplitHostPort(l.Address); err == nil && host == "" {
		host = "127.0.0.1"
		if l.Network == "tcp6" {
			host = "::1"
		}
		t.Address = net.JoinHostPort(host, port)
	}
	return t
}

// probe makes atOnce connections to a target at the same time. Only an answer of the
// generation itself counts. If no other one runs, every answer counts: it must come
// from this one in the end, even at an address that it does not have.
func (s subject) probe(ctx context.Context, target probe.Target, atOnce int) lifecycle.Proved {
	attempts := make([]attempt, max(1, atOnce))
	var all sync.WaitGroup
	for i := range attempts {
		all.Go(func() {
			a := &attempts[i]
			a.err = probe.Check(ctx, target, func(ctx context.Context, conn net.Conn) (err error) {
				a.unseen, err = s.answers(ctx, conn)
				a.own = err == nil
				return err
			})
		})
	}
	all.Wait()
	return s.judge(attempts, target)
}

// attempt is what came of one connection.
type attempt struct {
	own    bool   // the generation itself had it, as far as can be seen
	unseen string // why that cannot be seen
	err    error
}

// judge makes one result of several attempts. A failure of the generation itself
// decides, else a success, else the answer of another one.
func (s subject) judge(attempts []attempt, target probe.Target) (in lifecycle.Proved) {
	var other, none error
	good := false
	for _, a := range attempts {
		if a.unseen != "" {
			in.Unseen = a.unseen
		}
		_, isOther := errors.AsType[*otherAnswersError](a.err)
		switch {
		case a.err == nil:
			good = true
		case a.own:
			in.Own = true
			in.Failure, in.Late = failure(a.err)
			return in
		case isOther:
			other = a.err
		default:
			none = a.err
		}
	}
	switch {
	case good:
	case other != nil:
		in.Failure, in.Other = other.Error(), true
		if rel := s.release; rel != nil && len(rel.Service.Listen) == 0 && !process.ListensAt(s.process.PID(), target.Listeners()) {
			in.Failure += "; it does not listen there itself; " + lifecycle.ListenRemedy
		}
	default:
		in.Failure, in.Late = failure(none)
		if target.Kind == config.ReadyTCP && errors.Is(none, errNotAccepted) {
			in.Failure += "; if the server sets TCP_DEFER_ACCEPT, ask by http: it accepts only who sends something"
		}
	}
	return in
}

// errNotAccepted says that a connection waits in the queue of a socket.
var errNotAccepted = errors.New("nobody accepted the connection in time")

// errNobody says that what answers is no process of the service.
var errNobody = errors.New("no process of the service has the connection, so that nothing tells which generation answers: probe the service at its own address, or use exec")

// otherAnswersError says that another generation took a connection.
type otherAnswersError struct{ generation, pid int }

func (o *otherAnswersError) Error() string {
	return fmt.Sprintf("it is generation %d (pid %d) that answers, not this one", o.generation, o.pid)
}

// The pauses between two looks for what accepted a connection: an idle server needs
// less than the first one. A connection that one process passes to another has no owner
// for a moment.
const (
	firstPause   = 200 * time.Microsecond
	longestPause = 20 * time.Millisecond
	passedOn     = 100 * time.Millisecond
)

// answers waits until a connection is accepted, and returns an error unless the
// generation has accepted it, or no other one runs that could. If that cannot be seen,
// unseen says why, and the answer counts.
func (s subject) answers(ctx context.Context, conn net.Conn) (unseen string, err error) {
	inode, err := s.otherEnd(ctx, conn)
	switch {
	case errors.Is(err, process.ErrElsewhere), errors.Is(err, process.ErrHungUp):
		if len(s.others) > 0 {
			return "", errNobody
		}
		return "", nil
	case errors.Is(err, process.ErrNotSeen):
		return err.Error(), nil
	case err != nil:
		return "", err
	}
	for pause, late := firstPause, time.Now().Add(passedOn); ; pause = min(2*pause, longestPause) {
		pid, unseen := s.process.Holder(inode)
		if pid != 0 {
			return "", nil
		}
		for _, other := range s.others {
			holder, hidden := other.process.Holder(inode)
			if holder != 0 {
				return "", &otherAnswersError{other.generation, holder}
			}
			if unseen == "" {
				unseen = hidden
			}
		}
		switch {
		case unseen != "":
			return unseen, nil
		case len(s.others) == 0:
			return "", nil
		case time.Now().After(late) || !wait(ctx, pause):
			return "", errNobody
		}
	}
}

// otherEnd waits until a process has the other end of a connection, and returns its
// inode.
func (s subject) otherEnd(ctx context.Context, conn net.Conn) (inode uint64, err error) {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return 0, process.ErrNotSeen
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return 0, process.ErrNotSeen
	}
	among := []*process.Process{s.process}
	for _, other := range s.others {
		among = append(among, other.process)
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if closed := control.Control(func(fd uintptr) { inode, err = process.OtherEnd(int(fd), among...) }); closed != nil {
			return 0, closed
		}
		switch {
		case err != nil || inode != 0:
			return inode, err
		case !wait(ctx, pause):
			return 0, errNotAccepted
		}
	}
}

// wait waits, and reports whether the context lasted so long.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// listens compares what the generation and the active one listen on. Own is the path
// that only the active one was to open, if there is one.
func (s subject) listens(active *process.Process, own string) (in lifecycle.Proved) {
	if active == nil {
		return in
	}
	wanted := slices.DeleteFunc(process.Listening(active.PID()), func(address string) bool { return address == "unix "+own })
	if len(wanted) == 0 {
		in.Needless = true
		return in
	}
	has := process.Listening(s.process.PID())
	for _, address := range wanted {
		if !slices.Contains(has, address) {
			in.Missing = append(in.Missing, address)
		}
	}
	return in
}
