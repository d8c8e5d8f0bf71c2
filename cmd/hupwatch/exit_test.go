package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"hupwatch/runner/control"
)

func TestExitCodeFollowsFromResultsAndErrors(t *testing.T) {
	t.Parallel()
	refused := func(reason control.Reason) error {
		return fmt.Errorf("asked: %w", &control.Error{Message: "no", Reason: reason})
	}
	one := func(result, state, wanted string) []control.Reload {
		return []control.Reload{{Done: true, Services: []control.ServiceReload{
			{Name: "good", Outcome: control.Outcome{Result: "promoted"}, State: "running", Wanted: "up"},
			{Name: "web", Outcome: control.Outcome{Result: result}, State: state, Wanted: wanted},
		}}}
	}
	for _, c := range []struct {
		name        string
		results     []control.Reload
		errs        []error
		reload, any int // of reload, of the other requests
	}{
		{"nothing to do", []control.Reload{{Done: true}}, nil, 0, 0},
		{"not done", []control.Reload{{}}, nil, 6, 1},
		{"promoted", one("promoted", "running", "up"), nil, 0, 0},
		{"started", one("started", "running", "up"), nil, 0, 0},
		{"stopped, as it was removed", one("stopped", "stopped", "down"), nil, 0, 0},
		{"skipped, nothing is new", one("skipped", "running", "up"), nil, 0, 0},
		{"skipped, wanted down", one("skipped", "stopped", "down"), nil, 0, 0},
		{"kept old", one("kept_old", "running", "up"), nil, 1, 1},
		{"rolled back", one("rolled_back", "running", "up"), nil, 1, 1},
		{"partial", one("partial", "running", "up"), nil, 1, 1},
		{"rolled back, and that does not run either", one("rolled_back", "backoff", "up"), nil, 5, 1},
		{"promoted, and ended since", one("promoted", "backoff", "up"), nil, 5, 0},
		{"started, and done", one("started", "done", "up"), nil, 0, 0},
		{"partial, and one instance does not run", one("partial", "backoff", "up"), nil, 5, 1},
		{"signalled", one("signalled", "running", "up"), nil, 0, 0},
		{"signalled, and it did not survive that", one("failed", "running", "up"), nil, 5, 1},
		{"skipped, and it waits for others", one("skipped", "waiting", "up"), nil, 5, 0},
		{"failed", one("failed", "backoff", "up"), nil, 5, 1},
		{"failed, state unknown", one("failed", "", ""), nil, 5, 1},
		{"aborted, as hupwatch ends", one("aborted", "running", "up"), nil, 6, 1},
		{"a result of later versions", one("postponed", "running", "up"), nil, 1, 1},
		{"refused: usage", nil, []error{refused(control.ReasonUsage)}, 2, 2},
		{"refused: configuration", nil, []error{refused(control.ReasonConfig)}, 2, 2},
		{"refused: key of another request", nil, []error{refused(control.ReasonConflict)}, 2, 2},
		{"refused: unknown name", nil, []error{refused(control.ReasonUnknown)}, 3, 3},
		{"refused: wanted down", nil, []error{refused(control.ReasonDown)}, 3, 3},
		{"refused: not allowed", nil, []error{refused(control.ReasonForbidden)}, 4, 4},
		{"refused: hupwatch ends", nil, []error{refused(control.ReasonEnding)}, 4, 4},
		{"refused: hupwatch went wrong", nil, []error{refused(control.ReasonFailed)}, 4, 4},
		{"refused: a reason of later versions", nil, []error{refused("whim")}, 4, 4},
		{"unreachable", nil, []error{fmt.Errorf("%w: gone", control.ErrUnreachable)}, 4, 4},
		{"time-out", nil, []error{context.DeadlineExceeded}, 6, 1},
		{"Ctrl-C", nil, []error{errInterrupted}, 6, 1},
		{"cut off", nil, []error{io.ErrUnexpectedEOF}, 6, 1},
		{"the highest counts", one("kept_old", "running", "up"), []error{refused(control.ReasonUnknown), refused(control.ReasonConfig)}, 3, 3},
	} {
		if code := exitOf(control.VerbReload, c.results, c.errs); code != c.reload {
			t.Errorf("%s: exit code %d of reload, want %d", c.name, code, c.reload)
		}
		if code := exitOf("start", c.results, c.errs); code != c.any {
			t.Errorf("%s: exit code %d of start, want %d", c.name, code, c.any)
		}
	}
}

func TestExitCodeOfStatusSaysIfServicesRun(t *testing.T) {
	t.Parallel()
	up := control.Service{Name: "up", Wanted: "up", State: "running"}
	starting := control.Service{Name: "starting", Wanted: "up", State: "starting"}
	stopped := control.Service{Name: "stopped", Wanted: "down", State: "stopped"}
	for _, c := range []struct {
		name   string
		found  []control.Service
		byName bool
		want   int
	}{
		{"none", nil, false, 0},
		{"all that are wanted up", []control.Service{up, stopped}, false, 0},
		{"one is starting", []control.Service{up, starting}, false, 3},
		{"one waits for others", []control.Service{up, {Name: "waiting", Wanted: "up", State: "waiting"}}, false, 3},
		{"named, and waiting", []control.Service{{Name: "waiting", Wanted: "up", State: "waiting"}}, true, 3},
		{"named, and wanted down", []control.Service{stopped}, true, 3},
		{"named, and running", []control.Service{up}, true, 0},
	} {
		if code := exitOfStatus(c.found, c.byName); code != c.want {
			t.Errorf("%s: exit code %d, want %d", c.name, code, c.want)
		}
	}
}

func TestAnErrorThatWasToldIsNotToldAgain(t *testing.T) {
	t.Parallel()
	if err := ended(exitDone); err != nil {
		t.Errorf("done is the error %v", err)
	}
	if f, ok := errors.AsType[*failure](ended(exitLost)); !ok || f.code != exitLost || f.err != nil {
		t.Errorf("%v", f)
	}
}
