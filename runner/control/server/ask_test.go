package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hupwatch/runner/control"
	"hupwatch/runner/control/server"
)

var (
	begun    = control.Event{Kind: "reload begun", Service: "web", Reloads: []uint64{1}}
	promoted = control.Event{Kind: "generation promoted", Service: "web", Generation: 2, PID: 12, Reloads: []uint64{1}}
	told     = control.Event{Kind: "stop signal sent", Service: "web", Generation: 1, PID: 11, Reloads: []uint64{1}, WaitSeconds: 3600}
	gone     = control.Event{Kind: "generation exited", Service: "web", Generation: 1, PID: 11}
	foreign  = control.Event{Kind: "reload begun", Service: "other", Reloads: []uint64{2}}
)

func reload(t *testing.T, s *site, q control.Request) *control.Events {
	t.Helper()
	events, err := s.client.Reload(t.Context(), q)
	if err != nil {
		t.Fatalf("reload: %v", err)
	}
	t.Cleanup(func() { events.Close() })
	return events
}

func TestARequestIsToldToItsEndAndUntilTheOldGenerationHasGone(t *testing.T) {
	t.Parallel()
	s := start(t, &fake{})
	events := reload(t, s, control.Request{Services: []string{"web"}})
	first := next(t, events)
	if first.Kind != "reload asked" || len(first.Reloads) != 1 || first.Reloads[0] != 1 {
		t.Errorf("the first line is %s, want the id", jsonOf(t, first))
	}
	s.daemon.publish(begun, foreign, promoted, told)
	s.daemon.finish(1)
	for _, want := range []string{"reload begun", "generation promoted", "stop signal sent", "reload done"} {
		if e := next(t, events); e.Kind != want {
			t.Errorf("%s came, want %s", jsonOf(t, e), want)
		}
	}
	s.daemon.publish(gone) // which does not say for which reload
	rest := all(t, events)
	if kinds(rest) != "web generation exited, result" {
		t.Fatalf("at last came %s, want the exit and then the result", kinds(rest))
	}
	result := rest[1].Reload
	if result == nil || result.ID != 1 || !result.Done || result.What != "reload" || !strings.HasPrefix(result.By, "uid 0 pid ") {
		t.Errorf("the result is %s", jsonOf(t, result))
	}
}

func TestEveryVerbReachesTheDaemon(t *testing.T) {
	t.Parallel()
	f := &fake{}
	s := start(t, f)
	for _, test := range []struct {
		verb, name, sent, want string
	}{
		{"start", "web", "", "start web {}"},
		{"stop", "all", `{"no_wait": true}`, `stop all {"no_wait":true}`},
		{"restart", "a.b-c_d", `{"no_drain":true}`, `restart a.b-c_d {"no_drain":true}`},
		{"signal", "web", `{"signal":"sigusr1"}`, `signal web {"signal":"USR1"}`},
		{"signal", "web", `{"signal":"10"}`, `signal web {"signal":"USR1"}`},
		{"rollback", "web", `{"to":"/srv/1","probation":true}`, `rollback web {"probation":true,"to":"/srv/1"}`},
		{"", "", `{"services":["b","a","b"],"changed":true}`, `reload  {"services":["a","b"],"changed":true}`},
		{"", "", `null`, `reload  {}`},
	} {
		f.onAsk = func(_ context.Context, c call) (uint64, error) {
			f.begin(1, c.what, c.by)
			f.finish(1)
			return 1, nil
		}
		target := "/v1/reload"
		if test.verb != "" {
			target = "/v1/services/" + test.name + "/" + test.verb
		}
		r := raw(t, s.socket, "POST", target, test.sent)
		asks := f.asked()
		c := asks[len(asks)-1]
		got := strings.NewReplacer("\n", "", `": `, `":`, "  ", " ").Replace(fmt.Sprintf("%s %s %s", c.what, c.name, compact(t, c.request)))
		if want := strings.ReplaceAll(test.want, "  ", " "); got != want {
			t.Errorf("%s %s: the daemon was asked %q, want %q", target, test.sent, got, want)
		}
		if r.status != 200 || r.header.Get("Content-Type") != "application/x-ndjson" || !strings.Contains(string(r.body), `"kind":"result"`) {
			t.Errorf("%s %s: %d %v %s", target, test.sent, r.status, r.header, r.body)
		}
	}
}

func compact(t *testing.T, q control.Request) string {
	t.Helper()
	return strings.NewReplacer("\n", "", `": `, `":`, " ", "").Replace(jsonOf(t, q))
}

func TestNoDrainEndsWithTheLastResult(t *testing.T) {
	t.Parallel()
	s := start(t, &fake{})
	events := reload(t, s, control.Request{NoDrain: true})
	s.daemon.publish(told)
	s.daemon.finish(1)
	if got := kinds(all(t, events)); got != "reload asked, web stop signal sent, reload done, result" {
		t.Errorf("came %s", got)
	}
}

// ofWeb is an event of generation 2, or of what it gives way to.
func ofWeb(kind string, generation int, wait float64) control.Event {
	return control.Event{Kind: kind, Service: "web", Generation: generation, Reloads: []uint64{1}, WaitSeconds: wait}
}

func TestAnswerOfARolledBackReloadEndsWithTheRollBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]control.Event{
		"it serves":            {Kind: "generation promoted", Service: "web", Generation: 3},
		"it is no good either": ofWeb("restart", 0, 0.5),
		"it is given up":       ofWeb("given up", 0, 0),
		"it is stopped":        {Kind: "service stopped", Service: "web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, &fake{})
			events := reload(t, s, control.Request{})
			s.daemon.publish(begun, promoted, told)
			s.daemon.publish(ofWeb("reload ended", 2, 10))
			s.daemon.finish(1)
			s.daemon.publish(ofWeb("rolled back", 2, 0), gone, ofWeb("restart", 0, 0), ofWeb("generation started", 3, 0))
			waitFor(t, events, "web generation started")
			s.daemon.publish(end)
			waitFor(t, events, "result")
		})
	}
}

// waitFor reads up to an event of that kind, and finds that nothing has ended before.
func waitFor(t *testing.T, events *control.Events, kind string) {
	t.Helper()
	for {
		e := next(t, events)
		switch said := kinds([]control.Event{e}); said {
		case kind:
			return
		case "result":
			t.Fatalf("the answer ended before %s", kind)
		}
	}
}

func TestProbationEndsWhenNothingCanBeTakenBackAnyMore(t *testing.T) {
	t.Parallel()
	for _, end := range []control.Event{ofWeb("probation over", 0, 0), {Kind: "service stopped", Service: "web"}} {
		s := start(t, &fake{})
		events := reload(t, s, control.Request{Probation: true})
		s.daemon.publish(begun, promoted, told, ofWeb("reload ended", 2, 10))
		s.daemon.finish(1)
		s.daemon.publish(gone, control.Event{Kind: "probation over", Service: "web", Reloads: []uint64{7}}, ofWeb("after", 0, 0))
		waitFor(t, events, "web after")
		s.daemon.publish(end)
		waitFor(t, events, "result")
	}
}

func TestProbationOfWhatCannotBeTakenBackIsOverAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, &fake{})
	events := reload(t, s, control.Request{Probation: true})
	s.daemon.publish(begun, promoted, ofWeb("reload ended", 2, 0))
	s.daemon.finish(1)
	waitFor(t, events, "result")
}

func TestAReaderThatLosesEventsStillWaitsForTheProbation(t *testing.T) {
	t.Parallel()
	f := &fake{}
	outcome := control.Outcome{Result: "promoted", Reload: 1}
	f.status.Services = []control.Service{{Name: "web", State: "running", LastReload: outcome, ProbationUntil: moment(9)}}
	f.room = 1
	f.onAsk = func(_ context.Context, c call) (uint64, error) {
		f.begin(1, c.what, c.by)
		f.change(func() {
			r := f.reloads[1]
			r.Services[0].Outcome = outcome
		})
		f.finish(1)
		return 1, nil
	}
	s := start(t, f)
	events := reload(t, s, control.Request{Probation: true})
	first := next(t, events)
	if first.Kind != "reload asked" {
		t.Fatalf("first came %s", jsonOf(t, first))
	}
	f.publish(ofWeb("after", 0, 0))
	waitFor(t, events, "web after")
	f.publish(ofWeb("probation over", 0, 0))
	waitFor(t, events, "result")
}

func TestNoWaitEndsWithTheID(t *testing.T) {
	t.Parallel()
	s := start(t, &fake{})
	events := all(t, reload(t, s, control.Request{NoWait: true}))
	if kinds(events) != "reload asked, result" || events[1].Reload.ID != 1 || events[1].Reload.Done {
		t.Errorf("came %s", jsonOf(t, events))
	}
}

// burst is a request during whose acceptance more happens than its reader, who
// cannot read yet, has room for.
func burst(t *testing.T, f *fake, room int, events ...control.Event) *control.Events {
	t.Helper()
	f.room = room
	f.onAsk = func(_ context.Context, c call) (uint64, error) {
		f.begin(1, c.what, c.by)
		f.done(1)
		f.publish(events...)
		return 1, nil
	}
	return reload(t, start(t, f), control.Request{})
}

func TestAReaderThatLosesEventsHearsTheResult(t *testing.T) {
	t.Parallel()
	done := control.Event{Kind: "reload done", Reloads: []uint64{1}}
	got := all(t, burst(t, &fake{}, 4, begun, promoted, told, foreign, foreign, done, gone))
	if kinds(got) != "reload asked, web reload begun, web generation promoted, web stop signal sent, result" {
		t.Fatalf("came %s", kinds(got))
	}
	if result := got[4]; result.Lost != 4 || !result.Reload.Done {
		t.Errorf("the result is %s, want 4 lost", jsonOf(t, result))
	}
}

func TestAReaderThatLosesAStopSignalStillWaitsForTheDrain(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.status.Services = []control.Service{{Name: "web", Draining: []control.Draining{
		{Generation: 1, PID: 11, Reloads: []uint64{1}}, {Generation: 9, PID: 19, Reloads: []uint64{7}},
	}}}
	events := burst(t, f, 2, begun, promoted, told)
	next(t, events)
	next(t, events)
	f.publish(gone)
	if rest := all(t, events); kinds(rest) != "web generation exited, result" {
		t.Errorf("came %s", kinds(rest))
	}
}

func TestAStatusThatLagsBehindEndsNothing(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.status.Services = []control.Service{{Name: "web", Instances: []control.Instance{{Generation: 1, PID: 11}}}}
	events := burst(t, f, 2, told, foreign)
	next(t, events)
	next(t, events)
	f.publish(gone)
	if rest := all(t, events); kinds(rest) != "web generation exited, result" {
		t.Errorf("came %s", kinds(rest))
	}
}

func TestTheEndOfTheEventsEndsTheAnswer(t *testing.T) {
	t.Parallel()
	f := &fake{}
	events := reload(t, start(t, f), control.Request{})
	next(t, events)
	f.change(func() { f.boxes[0].Close() })
	if rest := all(t, events); kinds(rest) != "result" || rest[0].Reload.Done {
		t.Errorf("came %s", jsonOf(t, rest))
	}
}

func TestDrainingGenerationsAreToldAboutOnRequest(t *testing.T) {
	t.Parallel()
	f := &fake{held: map[int]int{11: 3}}
	s := start(t, f, func(s *server.Server) { s.Tick(5 * time.Millisecond) })
	events := reload(t, s, control.Request{Connections: true})
	next(t, events)
	now := told
	now.At = control.Time{Time: time.Now()}
	unknown := now
	unknown.Instance, unknown.PID, unknown.WaitSeconds = 1, 99, 0
	f.publish(now, unknown)
	next(t, events)
	next(t, events)
	a, b := next(t, events), next(t, events)
	if a.Kind != "draining" || a.Service != "web" || a.Generation != 1 || a.PID != 11 || a.Connections == nil || *a.Connections != 3 || a.WaitSeconds < 3000 || a.WaitSeconds > 3600 {
		t.Errorf("the first is %s", jsonOf(t, a))
	}
	if b.Kind != "draining" || b.Instance != 1 || b.PID != 99 || b.Connections != nil || b.WaitSeconds != 0 {
		t.Errorf("the second is %s", jsonOf(t, b))
	}
	f.finish(1)
	f.publish(gone, control.Event{Kind: "abandoned", Service: "web", Instance: 1, Generation: 1})
	if rest := all(t, events); rest[len(rest)-1].Kind != "result" {
		t.Errorf("came %s", kinds(rest))
	}
}

func TestAClientThatGoesAwayChangesNothing(t *testing.T) {
	t.Parallel()
	f := &fake{}
	asked, left, result := make(chan bool), make(chan bool), make(chan error, 1)
	f.onAsk = func(ctx context.Context, c call) (uint64, error) {
		close(asked)
		<-left
		f.begin(1, c.what, c.by)
		result <- ctx.Err()
		return 1, nil
	}
	s := start(t, f)
	c := connect(t, s.socket, "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	<-asked
	c.Close()
	close(left)
	if err := <-result; err != nil {
		t.Errorf("the daemon was told to give up: %v", err)
	}
	await(t, "nobody subscribed", func() bool { return f.subscribers() == 0 })
}

func TestTheEndOfHupwatchEndsAnswersWithAResult(t *testing.T) {
	t.Parallel()
	s := start(t, &fake{})
	events := reload(t, s, control.Request{})
	next(t, events)
	following, err := s.client.Events(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer following.Close()
	next(t, following)
	s.daemon.publish(begun)
	s.end()
	if rest := all(t, events); kinds(rest) != "web reload begun, result" || rest[1].Reload.Done {
		t.Errorf("came %s", jsonOf(t, rest))
	}
	if rest := all(t, following); kinds(rest) != "web reload begun" {
		t.Errorf("came %s", jsonOf(t, rest))
	}
	if _, err := s.client.Status(t.Context(), false); !errors.Is(err, control.ErrUnreachable) {
		t.Errorf("afterwards: %v, want it unreachable", err)
	}
}

func TestAskThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	f := &fake{}
	asked := make(chan bool)
	f.onAsk = func(ctx context.Context, _ call) (uint64, error) {
		close(asked)
		<-ctx.Done()
		return 0, ctx.Err()
	}
	s := start(t, f)
	answer := make(chan error, 1)
	go func() {
		_, err := s.client.Reload(context.Background(), control.Request{})
		answer <- err
	}()
	<-asked
	s.end()
	if err := <-answer; err == nil {
		t.Error("it was accepted")
	}
}

func TestARefusalOfTheDaemonIsHandedOn(t *testing.T) {
	t.Parallel()
	f := &fake{onAsk: func(context.Context, call) (uint64, error) {
		return 0, &control.Error{Reason: control.ReasonConfig, Message: "the file has 2 problems", Problems: []string{"a:1: x", "b:2: <y>"}}
	}}
	s := start(t, f)
	_, err := s.client.Do(t.Context(), "start", "web", control.Request{Key: "k"})
	var refused *control.Error
	if !errors.As(err, &refused) || refused.Reason != control.ReasonConfig || refused.Message != "the file has 2 problems" || len(refused.Problems) != 2 || refused.Problems[1] != "b:2: <y>" {
		t.Errorf("%v, want what the daemon said", err)
	}
	if r := raw(t, s.socket, "POST", "/v1/reload", ""); r.status != http.StatusConflict {
		t.Errorf("status %d, want 409", r.status)
	}
}

func TestTheSameKeyIsAskedOnce(t *testing.T) {
	t.Parallel()
	f := &fake{}
	entered, proceed := make(chan bool, 20), make(chan bool)
	f.onAsk = func(_ context.Context, c call) (uint64, error) {
		entered <- true
		<-proceed
		f.begin(7, c.what, c.by)
		return 7, nil
	}
	s := start(t, f)
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			// However the answer is wanted, it is the same request.
			events, err := s.client.Reload(t.Context(), control.Request{Key: "deploy 1", Services: []string{"b", "a"}, NoDrain: i%2 == 0})
			if err != nil {
				t.Errorf("client %d: %v", i, err)
				return
			}
			got := all(t, events)
			if got[0].Kind != "reload asked" || got[len(got)-1].Kind != "result" || got[len(got)-1].Reload.ID != 7 || !got[len(got)-1].Reload.Done {
				t.Errorf("client %d: %s", i, jsonOf(t, got))
			}
		})
	}
	<-entered
	await(t, "all clients there", func() bool { return f.subscribers() == 20 })
	close(proceed)
	f.finishWhen(t, 7)
	clients.Wait()
	if got := f.asked(); len(got) != 1 {
		t.Errorf("it was asked %d times", len(got))
	}

	later := all(t, reload(t, s, control.Request{Key: "deploy 1", Services: []string{"a", "b"}}))
	if len(f.asked()) != 1 || kinds(later) != "reload asked, reload done, result" {
		t.Errorf("later: asked %d times, %s", len(f.asked()), kinds(later))
	}
	_, err := s.client.Reload(t.Context(), control.Request{Key: "deploy 1"})
	var refused *control.Error
	if !errors.As(err, &refused) || refused.Reason != control.ReasonConflict || refused.Status() != 409 {
		t.Errorf("another request with the key: %v, want a conflict", err)
	}
}

// Roll backs to two releases with the same key were one request.
func TestTheSameKeyForAnotherReleaseIsAConflict(t *testing.T) {
	s := start(t, &fake{})
	to := func(release string) error {
		events, err := s.client.Do(t.Context(), control.VerbRollback, "web", control.Request{Key: "k", To: release, NoWait: true})
		if err == nil {
			all(t, events)
		}
		return err
	}
	if err := to("/srv/1"); err != nil {
		t.Fatal(err)
	}
	var refused *control.Error
	if err := to("/srv/2"); !errors.As(err, &refused) || refused.Reason != control.ReasonConflict {
		t.Errorf("another release with the key: %v, want a conflict", err)
	}
}

// finishWhen finishes a request when it has begun.
func (f *fake) finishWhen(t *testing.T, id uint64) {
	t.Helper()
	await(t, "it begins", func() bool { _, ok := f.Reload(id); return ok })
	f.finish(id)
}

func TestAnAnswerAttachedLaterTellsWhatHappenedBefore(t *testing.T) {
	t.Parallel()
	s := start(t, &fake{})
	q := control.Request{Key: "k"}
	first := reload(t, s, q)
	next(t, first)
	s.daemon.publish(begun, foreign, told)
	first.Close()
	second := reload(t, s, q)
	next(t, second)
	next(t, second)
	next(t, second)
	s.daemon.finish(1)
	next(t, second)
	s.daemon.publish(gone)
	if rest := all(t, second); kinds(rest) != "web generation exited, result" {
		t.Errorf("came %s", kinds(rest))
	}
}

func TestAForgottenRequestIsOver(t *testing.T) {
	t.Parallel()
	f := &fake{}
	s := start(t, f)
	q := control.Request{Key: "k"}
	reload(t, s, q).Close()
	f.change(func() { f.reloads, f.past = nil, nil })
	if got := all(t, reload(t, s, q)); kinds(got) != "reload asked, result" || got[1].Reload.ID != 1 || got[1].Reload.Done {
		t.Errorf("came %s", jsonOf(t, got))
	}
}

func TestWhatWasRefusedMayBeAskedAgainWithItsKey(t *testing.T) {
	t.Parallel()
	f := &fake{}
	s := start(t, f)
	f.onAsk = func(context.Context, call) (uint64, error) {
		return 0, &control.Error{Reason: control.ReasonDown, Message: "it is down"}
	}
	if _, err := s.client.Reload(t.Context(), control.Request{Key: "k"}); err == nil {
		t.Fatal("it was not refused")
	}
	f.onAsk = nil
	if e := next(t, reload(t, s, control.Request{Key: "k"})); e.Kind != "reload asked" {
		t.Errorf("%s came", jsonOf(t, e))
	}
	if got := len(f.asked()); got != 2 {
		t.Errorf("asked %d times", got)
	}
}

func TestOnlyTheLastThousandKeysAreRemembered(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.onAsk = func(_ context.Context, c call) (uint64, error) {
		if len(f.asked()) == 1 {
			f.begin(1, c.what, c.by)
		}
		return 1, nil
	}
	s := start(t, f)
	ask := func(key string) {
		all(t, reload(t, s, control.Request{Key: key, NoWait: true}))
	}
	for i := range 1001 {
		ask(fmt.Sprint(i))
	}
	ask("1") // the oldest that is remembered
	if got := len(f.asked()); got != 1001 {
		t.Errorf("asked %d times, want 1001", got)
	}
	ask("0")
	if got := len(f.asked()); got != 1002 {
		t.Errorf("asked %d times, want 1002", got)
	}
}

func TestAnAnswerThatIsCutOffIsNoEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := start(t, &fake{})
	events, err := s.client.Reload(ctx, control.Request{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	next(t, events)
	cancel()
	if _, err := events.Next(); !errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		t.Errorf("%v, want that it was given up", err)
	}
}

func TestProgressIsSentOnRequestWhenItChanges(t *testing.T) {
	t.Parallel()
	f := &fake{}
	s := start(t, f, func(s *server.Server) { s.Tick(5 * time.Millisecond) })
	f.change(func() {
		f.status.Services = []control.Service{
			{Name: "web", State: "waiting", Awaits: []string{"db", "redis"}},
			{Name: "other", State: "waiting", Awaits: []string{"db"}},
		}
	})
	events := reload(t, s, control.Request{Connections: true, Services: []string{"web"}})
	next(t, events)
	if e := next(t, events); e.Kind != "waiting for others" || e.Service != "web" || len(e.Services) != 2 {
		t.Errorf("came %s", jsonOf(t, e))
	}
	soon := control.Time{Time: time.Now().Add(time.Hour)}
	show := func(why string) {
		f.change(func() {
			f.status.Services = []control.Service{{Name: "web", State: "starting", Incoming: []control.Incoming{
				{Instance: 1, Generation: 3, PID: 30, Phase: "proving", Until: soon, Why: why, Status: "loading"},
			}}}
		})
	}
	f.publish(control.Event{Kind: "reload begun", Service: "web", Reloads: []uint64{1}})
	next(t, events)
	for _, why := range []string{"refused", "500"} { // were it told every time, the second would not come second
		show(why)
		e := next(t, events)
		if e.Kind != "incoming" || e.Instance != 1 || e.Generation != 3 || e.PID != 30 || e.Phase != "proving" || e.Error != why || e.Status != "loading" || e.WaitSeconds < 3000 || e.WaitSeconds > 3600 {
			t.Errorf("came %s", jsonOf(t, e))
		}
	}
	f.publish(control.Event{Kind: "reload ended", Service: "web", Reloads: []uint64{1}, Result: "promoted"})
	next(t, events)
	show("what is none of its business")
	f.finish(1)
	if rest := all(t, events); kinds(rest) != "reload done, result" {
		t.Errorf("came %s", kinds(rest))
	}
}
