package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"hupwatch/runner/control"
	"hupwatch/runner/control/server"
)

// full is a daemon that has something to say about everything.
func full() *fake {
	outcome := control.Outcome{
		Result: "kept_old", Error: "exited <early>", Tail: []string{"a", "b"}, StartedAt: moment(3), EndedAt: moment(4),
		ReadySeconds: 0.5, DrainSeconds: 1.25, Release: "/srv/4", FailedGeneration: 4, Reload: 4, By: "uid 0 pid 1",
	}
	return &fake{
		status: control.Status{
			Version: "2.0", PID: 4711, Config: "/etc/hupwatch.toml", ConfigError: "a & b", ConfigHash: "cafe",
			Services: []control.Service{{
				Name: "web", State: "running", Wanted: "up", Generation: 3, PID: 30, Release: "/srv/3", Since: moment(1), Restarts: 2,
				Instances: []control.Instance{{Instance: 0, Generation: 3, PID: 30, Release: "/srv/3", Since: moment(1)}, {Instance: 1, Generation: 2, PID: 20}},
				Awaits:    []string{"db"}, LastTail: []string{"no memory"}, Lacking: []control.Lacking{{Instance: 2, State: "backoff", LastExit: control.Exit{Code: 1, At: moment(2)}, NextStartAt: moment(9)}},
				LastExit: control.Exit{Code: 1, Signal: "KILL", At: moment(2), Reason: "no such file"}, NextStartAt: moment(9),
				Incoming:   []control.Incoming{{Instance: 1, Generation: 4, PID: 40, Phase: "warming", Since: moment(5), Until: moment(6), Why: "refused", Status: "loading"}},
				Draining:   []control.Draining{{Instance: 0, Generation: 1, PID: 10, Since: moment(7), KillAt: moment(8), Hook: "before_stop", Reloads: []uint64{4}}},
				LastReload: outcome,
				Releases:   []control.Release{{Release: "/srv/3"}, {Release: "/srv/2", Good: true}}, ProbationUntil: moment(9), Unseen: "io_uring",
				Refused: control.Refused{Release: "/srv/4", Error: "exited <early>"}, Instead: "exited <early>",
			}, {Name: "job", State: "stopped", Wanted: "down"}},
		},
		plan: control.Plan{Config: "/etc/hupwatch.toml", Problems: []string{"x"}, Services: []control.PlanService{{
			Name: "web", Action: "reload", Why: "new release", Changed: []string{"command"}, Notes: []string{"a gap"}, Error: "no directory",
		}, {Name: "job", Action: "skip"}}},
		reloads: map[uint64]control.Reload{4: {
			ID: 4, What: "restart", By: "uid 0 pid 1", StartedAt: moment(3), EndedAt: moment(4), Done: true,
			Services: []control.ServiceReload{{Name: "web", Outcome: outcome, Generation: 3, PID: 30, State: "running", Wanted: "up", Exit: &control.Exit{Code: 3}}},
		}},
		past:   []control.Event{{Seq: 1, At: moment(1), Kind: "generation started", Service: "web", Exit: &control.Exit{Signal: "TERM"}, Counts: map[string]int{"promoted": 2}}, {Seq: 2, Kind: "advice"}},
		lines:  []control.Line{{At: moment(1), Service: "web", Generation: 1, Stream: "stdout", Text: "<one>"}, {Text: "two"}, {Text: "three"}},
		memory: map[string]int64{"web": 1 << 30, "job": 5},
	}
}

// whole is what the daemon says with empty lists for none.
func whole(s control.Status) control.Status {
	s.Services = append([]control.Service(nil), s.Services...)
	for i := range s.Services {
		s.Services[i].Refused.Tail = []string{}
	}
	job := &s.Services[1]
	job.Instances, job.Incoming, job.Draining, job.LastReload.Tail = []control.Instance{}, []control.Incoming{}, []control.Draining{}, []string{}
	job.Releases = []control.Release{}
	job.Awaits, job.Lacking, job.LastTail = []string{}, []control.Lacking{}, []string{}
	return s
}

func same(t *testing.T, got, want any, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%v", err)
	} else if !reflect.DeepEqual(got, want) {
		t.Errorf("got %s\nwant %s", jsonOf(t, got), jsonOf(t, want))
	}
}

func TestTheClientGetsWhatTheDaemonSays(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f, func(s *server.Server) { s.Tick(time.Hour) })
	status := whole(f.status)
	got, err := s.client.Status(t.Context(), false)
	same(t, got, status, err)
	service, err := s.client.Service(t.Context(), "web", false)
	same(t, service, status.Services[0], err)
	service, err = s.client.Service(t.Context(), "web", true)
	status.Services[0].MemoryBytes = 1 << 30
	same(t, service, status.Services[0], err)
	service, err = s.client.Service(t.Context(), "job", true)
	same(t, service, status.Services[1], err) // it has stopped since its memory was measured
	got, err = s.client.Status(t.Context(), true)
	same(t, got, status, err)
	if f.measured != 1 {
		t.Errorf("memory was measured %d times, want once", f.measured)
	}

	r, err := s.client.ReloadByID(t.Context(), 4)
	same(t, r, f.reloads[4], err)
	p, err := s.client.Plan(t.Context())
	plan := f.plan
	plan.Services = []control.PlanService{plan.Services[0], {Name: "job", Action: "skip", Changed: []string{}, Notes: []string{}}}
	same(t, p, plan, err)
	events, err := s.client.Events(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	same(t, all(t, events), f.past, nil)
}

func TestMemoryIsMeasuredAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f, func(s *server.Server) { s.Tick(time.Nanosecond) })
	for want := 1; want < 3; want++ {
		if _, err := s.client.Status(t.Context(), true); err != nil || f.measured != want {
			t.Errorf("measured %d times, %v; want %d", f.measured, err, want)
		}
	}
}

func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	f := &fake{reloads: map[uint64]control.Reload{1: {}}}
	s := start(t, f)
	look := func() {
		t.Helper()
		for _, path := range []string{"/v1/status", "/v1/services/web", "/v1/plan", "/v1/reloads/1"} {
			if r := raw(t, s.socket, "GET", path, ""); strings.Contains(string(r.body), "null") {
				t.Errorf("%s: %s", path, r.body)
			}
		}
	}
	look()
	f.change(func() {
		f.status.Services = []control.Service{{Name: "web"}}
		f.plan.Services = []control.PlanService{{}}
		f.reloads[1] = control.Reload{Services: []control.ServiceReload{{}}}
	})
	look()
}

func TestEventsAreFollowed(t *testing.T) {
	t.Parallel()
	f := full()
	f.room, f.early = 2, []control.Event{begun, promoted, told, told}
	s := start(t, f)
	events, err := s.client.Events(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	next(t, events)
	next(t, events)
	next(t, events)
	next(t, events)
	f.publish(gone)
	if e := next(t, events); e.Kind != "generation exited" || e.Lost != 2 {
		t.Errorf("%s came, want the exit with 2 lost", jsonOf(t, e))
	}
	f.change(func() { f.boxes[0].Close() })
	if rest := all(t, events); len(rest) != 0 {
		t.Errorf("came %s", kinds(rest))
	}
}

func TestLogsAreTheLastLinesAndThenWhatComes(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	lines, err := s.client.Logs(ctx, "web", 2, true)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	read := func(want control.Line) {
		t.Helper()
		l, err := lines.Next()
		same(t, l, want, err)
	}
	read(control.Line{Text: "two"})
	read(control.Line{Text: "three"})
	f.change(func() { f.lineBox.Put(control.Line{Text: "four", At: moment(1)}) })
	read(control.Line{Text: "four", At: moment(1)})
	cancel()
	if _, err := lines.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	await(t, "nobody follows", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.lineBox == nil })

	if r := raw(t, s.socket, "GET", "/v1/services/web/logs?n=3", ""); strings.Count(string(r.body), "\n") != 3 || !strings.Contains(string(r.body), `"<one>"`) {
		t.Errorf("without follow: %s", r.body)
	}
	if r := raw(t, s.socket, "GET", "/v1/services/web/logs?n=1&generation=7", ""); strings.Count(string(r.body), "\n") != 1 || !strings.Contains(string(r.body), `"generation":7,"stream":"","text":"last"`) {
		t.Errorf("of a generation: %s", r.body)
	}
}

func TestReadyzNamesServicesThatAreNotReady(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f)
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := raw(t, s.socket, "GET", path, ""); r.status != 200 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	f.change(func() {
		f.status.Services = append(f.status.Services, control.Service{Name: "bad", State: "backoff", Wanted: "up"},
			control.Service{Name: "app", State: "waiting", Wanted: "up", Awaits: []string{"redis", "db"}})
	})
	r := raw(t, s.socket, "GET", "/readyz", "")
	if e := r.refusal(t); r.status != 503 || e.Message != "bad is backoff, app is waiting for redis and db" || e.Reason != control.ReasonDown {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
}

func TestWhatMakesNoSenseIsRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f)
	long := strings.Repeat("x", 70)
	for _, test := range []struct {
		method, target, body string
		status               int
		reason               control.Reason
		says                 string
	}{
		{"GET", "/", "", 404, "unknown", "no such endpoint: /; try GET /v1/status"},
		{"GET", "/v1/statu", "", 404, "unknown", "no such endpoint: /v1/statu"},
		{"GET", "/v1/status/", "", 404, "unknown", "no such endpoint"},
		{"GET", "//v1/status", "", 404, "unknown", "no such endpoint"},
		{"GET", "/v1/services/../status", "", 404, "unknown", "no such endpoint"},
		{"GET", "/metrics", "", 404, "unknown", "no such endpoint: /metrics"},
		{"POST", "/v1/upgrade", "", 404, "unknown", "no such endpoint: /v1/upgrade"},
		{"POST", "/v1/services/web/explode", "", 404, "unknown", "no such endpoint"},
		{"POST", "/v1/status", "", 405, "usage", "the method must be GET"},
		{"HEAD", "/v1/status", "", 405, "", ""},
		{"GET", "/v1/reload", "", 405, "usage", "the method must be POST"},
		{"DELETE", "/v1/services/web", "", 405, "usage", "the method must be GET"},
		{"GET", "/v1/services/none", "", 404, "unknown", `no service "none": GET /v1/status`},
		{"GET", "/v1/services/a%2Fb", "", 404, "unknown", `no service "a/b"`},
		{"GET", "/v1/services/none/logs", "", 404, "unknown", `no service "none"`},
		{"GET", "/v1/services/" + long + long, "", 404, "unknown", `xxx..."`},
		{"GET", "/v1/reloads/5", "", 404, "unknown", "reload 5 is not known"},
		{"GET", "/v1/reloads/x", "", 400, "usage", `"x" is not the id of a reload: that is a number`},
		{"GET", "/v1/reloads/-1", "", 400, "usage", "not the id"},
		{"GET", "/v1/status?memroy=1", "", 400, "usage", `"memroy" is no parameter of this: there are memory`},
		{"GET", "/v1/plan?x", "", 400, "usage", "there are none"},
		{"GET", "/v1/reloads/4?x", "", 400, "usage", "there are none"},
		{"GET", "/healthz?x", "", 400, "usage", "there are none"},
		{"GET", "/readyz?x", "", 400, "usage", "there are none"},
		{"GET", "/v1/events?n=1", "", 400, "usage", "there are follow"},
		{"GET", "/v1/events?follow=maybe", "", 400, "usage", `follow: "maybe" must be 1 or 0`},
		{"GET", "/v1/events?%zz", "", 400, "usage", "%zz"},
		{"GET", "/v1/services/web?memory=x", "", 400, "usage", `memory: "x" must be 1 or 0`},
		{"GET", "/v1/services/web/logs?n=-1", "", 400, "usage", `n: "-1" must be a number from 0 to 100000`},
		{"GET", "/v1/services/web/logs?n=100001", "", 400, "usage", "must be a number from 0"},
		{"GET", "/v1/services/web/logs?generation=x", "", 400, "usage", `generation: "x" must be a number from 0`},
		{"GET", "/v1/services/web/logs?generation=3&follow=1", "", 400, "usage", "leave out follow"},
		{"GET", "/v1/services/web/logs?follow=x", "", 400, "usage", "must be 1 or 0"},
		{"POST", "/v1/reload?key=1", "", 400, "usage", `"key" is no parameter`},
		{"POST", "/v1/reload", `{"service": "web"}`, 400, "usage", `unknown field "service"; it must be JSON, like {"services": ["web"]}`},
		{"POST", "/v1/reload", `{"services": "web"}`, 400, "usage", "cannot unmarshal"},
		{"POST", "/v1/reload", `{"services"`, 400, "usage", "unexpected EOF"},
		{"POST", "/v1/reload", `services=web`, 400, "usage", "must be JSON"},
		{"POST", "/v1/reload", `{} {}`, 400, "usage", "extra data"},
		{"POST", "/v1/reload", `{} x`, 400, "usage", "invalid character"},
		{"POST", "/v1/reload", `{"services":["all"]}`, 400, "usage", "to reload all of them, leave it out"},
		{"POST", "/v1/reload", `{"services":["a/b"]}`, 400, "usage", "a character other than"},
		{"POST", "/v1/reload", `{"signal":"HUP"}`, 400, "usage", "not for reload"},
		{"POST", "/v1/reload", `{"key":"` + long + long + `"}`, 400, "usage", "key: it has 140 bytes"},
		{"POST", "/v1/reload", `{"key":"` + strings.Repeat("x", 70_000) + `"}`, 413, "usage", "too big, 65536 bytes are the most"},
		{"POST", "/v1/services/web/start", `{"services":["web"]}`, 400, "usage", "the path names the service"},
		{"POST", "/v1/services/web/restart", `{"changed":true}`, 400, "usage", "changed: it is for a reload, not for restart"},
		{"POST", "/v1/services/-x/stop", ``, 400, "usage", "must start with a letter"},
		{"POST", "/v1/services//stop", ``, 400, "usage", "is empty"},
		{"POST", "/v1/services/web/signal", ``, 400, "usage", `name one, like {"signal": "USR1"}`},
		{"POST", "/v1/services/web/signal", `{"signal":"TREM"}`, 400, "usage", "did you mean TERM?"},
		{"POST", "/v1/services/web/signal", `{"signal":"0"}`, 400, "usage", "expected 1 to 64"},
	} {
		r := raw(t, s.socket, test.method, test.target, test.body)
		if r.status != test.status || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %.40s: %d %v, want %d", test.method, test.target, test.body, r.status, r.header, test.status)
		}
		if test.reason == "" {
			continue
		}
		if e := r.refusal(t); e.Reason != test.reason || !strings.Contains(e.Message, test.says) || len(e.Message) > 400 {
			t.Errorf("%s %s %.40s: %s\nwant %s, %s", test.method, test.target, test.body, jsonOf(t, e), test.reason, test.says)
		}
		if test.status == 405 && r.header.Get("Allow") == "" {
			t.Errorf("%s %s: it does not say what is allowed", test.method, test.target)
		}
	}
	if asks := f.asked(); len(asks) > 0 {
		t.Errorf("the daemon was asked %s", jsonOf(t, asks))
	}
}

func TestWhatGoesWrongInTheDaemonIsSaid(t *testing.T) {
	t.Parallel()
	s := start(t, &fake{planErr: errors.New("read it: disk on fire")})
	r := raw(t, s.socket, "GET", "/v1/plan", "")
	if e := r.refusal(t); r.status != 500 || e.Reason != control.ReasonFailed || e.Message != "read it: disk on fire" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestPanicFailsOnlyItsOwnRequest(t *testing.T) {
	t.Parallel()
	f := full()
	s := start(t, f)
	f.change(func() { f.panics = "status" })
	r := raw(t, s.socket, "GET", "/v1/status", "")
	if e := r.refusal(t); r.status != 500 || e.Reason != control.ReasonFailed {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !s.reported("status went wrong") || !s.reported("fake_test.go") {
		t.Errorf("reported %q", s.reports)
	}
	f.change(func() { f.panics = "" })
	if _, err := s.client.Status(t.Context(), false); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	f.onAsk = func(context.Context, call) (uint64, error) { panic("ask went wrong") }
	for range 2 {
		if _, err := s.client.Reload(t.Context(), control.Request{Key: "k"}); err == nil {
			t.Error("it was accepted")
		}
	}
	if len(f.asked()) != 2 {
		t.Error("a request that went wrong is not asked again")
	}
}

func TestAValueIsMadeOnceForAllAndNeverBeforeItIsAskedFor(t *testing.T) {
	t.Parallel()
	var f server.Shared[int]
	made, begin := 0, make(chan bool)
	build := func() (int, error) {
		begin <- true
		<-begin
		made++
		return made, nil
	}
	values := make(chan int, 10)
	get := func() {
		v, err := f.Get(t.Context(), build)
		if err != nil {
			t.Error(err)
		}
		values <- v
	}
	go get()
	<-begin // the first is being made
	for range 9 {
		go get()
	}
	await(t, "the others wait", f.Waiting)
	begin <- true
	if v := <-values; v != 1 {
		t.Errorf("the first got %d", v)
	}
	<-begin
	// Who has come by now may have been too late for this one.
	begin <- true
	last := time.AfterFunc(patience, func() { panic("they wait for ever") })
	defer last.Stop()
	for got := 1; got < 10; {
		select {
		case v := <-values:
			got++
			if v < 2 {
				t.Errorf("one that came later got %d", v)
			}
		case <-begin:
			begin <- true
		}
	}
}

func TestErrorsHaveTheirStatus(t *testing.T) {
	t.Parallel()
	for reason, want := range map[control.Reason]int{
		control.ReasonUsage: 400, control.ReasonForbidden: 403, control.ReasonUnknown: 404, control.ReasonConfig: 409, control.ReasonDown: 409,
		control.ReasonConflict: 409, control.ReasonFailed: 500, control.ReasonEnding: 503, "new": 400,
	} {
		if got := (&control.Error{Reason: reason}).Status(); got != want {
			t.Errorf("%s: %d, want %d", reason, got, want)
		}
	}
}

func FuzzHandler(f *testing.F) {
	for _, target := range []string{"/v1/status?memory=1", "/v1/services/web", "/v1/services/web/logs?n=3", "/v1/reloads/4", "/v1/plan", "/v1/events", "/readyz"} {
		f.Add("GET", target, []byte{})
	}
	f.Add("POST", "/v1/reload", []byte(`{"services":["web"],"key":"k","changed":true,"no_wait":true}`))
	f.Add("POST", "/v1/services/all/stop", []byte(`{"no_drain":true}`))
	f.Add("POST", "/v1/services/web/signal", []byte(`{"signal":"SIGUSR1"}`))
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		r, err := http.NewRequest(method, "http://localhost"+target, strings.NewReader(string(body)))
		if err != nil || strings.Contains(target, "follow") {
			t.Skip()
		}
		daemon := full()
		daemon.onAsk = func(_ context.Context, c call) (uint64, error) {
			daemon.begin(9, c.what, c.by)
			daemon.finish(9)
			return 9, nil
		}
		s := server.New("", daemon, func(err error) { t.Errorf("reported: %v", err) })
		w := &recorder{header: make(http.Header), status: 200}
		s.ServeHTTP(w, server.AsRoot(r))
		if w.status == 200 {
			if method == "POST" && !strings.Contains(string(w.body), `"kind":"result"`) {
				t.Errorf("%s %q: no result in %s", target, body, w.body)
			}
			return
		}
		var e control.Error
		if err := json.Unmarshal(w.body, &e); err != nil || e.Message == "" || e.Reason == "" || e.Reason == control.ReasonFailed || len(e.Message) > 1000 {
			t.Errorf("%s %s %q: %d %s", method, target, body, w.status, w.body)
		}
		if len(daemon.asked()) > 0 {
			t.Errorf("refused, but asked: %s", w.body)
		}
	})
}

// recorder is a client that takes all.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Flush() {}

func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}
