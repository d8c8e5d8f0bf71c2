package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// fileOf is a configuration with these services.
func fileOf(parallel int, names ...string) *config.Config {
	c := &config.Config{File: "/etc/hupwatch.toml", Files: make(map[string]string), Daemon: config.Daemon{RuntimeDir: "/run/hupwatch", MaxParallel: parallel, ShutdownTimeout: config.Infinity}}
	for _, name := range names {
		c.Services = append(c.Services, &config.Service{Name: name})
		c.Files[name] = c.File
	}
	return c
}

func booted(c *config.Config) *Rollout {
	r := New()
	r.Step(Boot{Config: c})
	return r
}

// wants says in words what effects are, but for what only tells about it.
func wants(effects []Effect) []string {
	var lines []string
	for _, e := range effects {
		switch e := e.(type) {
		case Tell:
			lines = append(lines, strings.TrimPrefix(fmt.Sprintf("%s %T", e.Service, e.Input), "lifecycle."))
		case Add:
			lines = append(lines, "add "+e.Config.Name)
		case ReadConfig:
			lines = append(lines, "read")
		case ClaimNames:
			lines = append(lines, "claim")
		case Emit:
			if e.Event.Kind == lifecycle.KindRefused || e.Event.Kind == lifecycle.KindIgnored {
				lines = append(lines, string(e.Event.Kind))
			}
		case Accepted:
			lines = append(lines, fmt.Sprintf("accept %d as %d", e.Token, e.ID))
		case Rejected:
			lines = append(lines, fmt.Sprintf("reject %d: %s", e.Token, e.Reason))
		case Finish:
			lines = append(lines, fmt.Sprintf("finish %d", e.Code))
		}
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "lifecycle.", "")
	}
	return lines
}

func want(t *testing.T, r *Rollout, in Input, lines ...string) []Effect {
	t.Helper()
	effects := r.Step(in)
	if got := wants(effects); !slices.Equal(got, lines) {
		t.Errorf("%T: wants %q, want %q", in, got, lines)
	}
	return effects
}

func TestAHupReloadsAddsAndRemoves(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, Hangup{}, "read")
	want(t, r, ConfigRead{Config: fileOf(4, "b", "c")}, "a Stop", "b Reload", "add c", "c Reload")
	want(t, r, Hangup{}, "read")
	want(t, r, ConfigRead{Config: fileOf(4, "a")}, "b Stop", "c Stop", "a Declare", "a Reload")
}

func TestABadFileChangesNothing(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, Hangup{}, "read")
	want(t, r, ConfigRead{Problems: config.Problems{{Text: "bad"}}}, "reload refused")
	if r.Config.Daemon.MaxParallel != 4 {
		t.Error("the configuration in force has changed")
	}
}

func TestHupsDuringAReadAreOneMoreRead(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, Hangup{}, "read")
	for range 10 {
		want(t, r, Hangup{})
	}
	want(t, r, ConfigRead{Config: fileOf(4, "a")}, "a Reload", "read")
	want(t, r, ConfigRead{Config: fileOf(4, "a")}, "a Reload")
}

func TestANameFileReloadsThoseInItOnly(t *testing.T) {
	r := booted(fileOf(4, "a", "b", "c"))
	want(t, r, NamesAsked{}, "claim")
	want(t, r, NamesClaimed{Names: []string{"c", "a"}}, "read")
	want(t, r, ConfigRead{Config: fileOf(4, "a", "c", "d")}, "a Reload", "c Reload") // b is not stopped, d not started
}

func TestANameFileWithAnUnknownNameReloadsNothing(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, NamesAsked{}, "claim")
	want(t, r, NamesClaimed{Names: []string{"a", "nobody"}}, "read")
	effects := want(t, r, ConfigRead{Config: fileOf(4, "a")}, "reload refused")
	if reason := effects[0].(Emit).Event.Reason; !strings.Contains(reason, `"nobody"`) {
		t.Errorf("the reason is %q, want the name in it", reason)
	}
}

func TestNameFilesWrittenDuringAClaimAreClaimedOnceMore(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, NamesAsked{}, "claim")
	want(t, r, NamesAsked{})
	want(t, r, NamesAsked{})
	want(t, r, NamesClaimed{Names: []string{"a"}}, "claim", "read")
	want(t, r, NamesClaimed{Err: errors.New("there is none")}, "reload refused")
	want(t, r, ConfigRead{Config: fileOf(4, "a", "b")}, "a Reload")
}

func TestTurnsAreGivenInOrderAndNoMoreThanMaxParallel(t *testing.T) {
	r := booted(fileOf(2, "a", "b", "c", "d"))
	want(t, r, TurnAsked{Turn{"a", 1}}, "a Turn")
	want(t, r, TurnAsked{Turn{"b", 1}}, "b Turn")
	want(t, r, TurnAsked{Turn{"c", 1}})
	want(t, r, TurnAsked{Turn{"d", 1}})
	want(t, r, TurnReturned{Turn{"c", 1}}) // asked for no more
	want(t, r, TurnReturned{Turn{"a", 1}}, "d Turn")
	want(t, r, TurnReturned{Turn{"a", 1}}) // long ago
	want(t, r, TurnAsked{Turn{"c", 2}})
	want(t, r, Hangup{}, "read")
	want(t, r, ConfigRead{Config: fileOf(3, "a", "b", "c", "d")}, "c Turn", "a Reload", "b Reload", "c Reload", "d Reload")
}

func TestAReloadIsDoneWhenAllHaveAnswered(t *testing.T) {
	r := booted(fileOf(2, "a", "b"))
	r.Step(Hangup{})
	r.Step(ConfigRead{Config: fileOf(2, "a", "b")})
	if effects := r.Step(Answered{"b", lifecycle.Answer{Told: true, IDs: []uint64{1}, Result: lifecycle.ResultKeptOld}}); len(effects) > 0 {
		t.Errorf("after one answer: %v", effects)
	}
	effects := r.Step(Answered{"a", lifecycle.Answer{Told: true, IDs: []uint64{1}, Result: lifecycle.ResultPromoted}})
	if len(effects) != 1 {
		t.Fatalf("after both answers: %v, want a summary", effects)
	}
	e := effects[0].(Emit).Event
	if e.Kind != lifecycle.KindRequestDone || strings.Join(e.Names, ",") != "b" || e.Counts[lifecycle.ResultPromoted] != 1 || e.Counts[lifecycle.ResultKeptOld] != 1 {
		t.Errorf("the summary is %+v", e)
	}
}

func TestATermEndsEveryServiceAndThenHupwatch(t *testing.T) {
	r := booted(fileOf(2, "a", "b"))
	want(t, r, Stop{"TERM", 5}, "a Stop", "b Stop")
	want(t, r, Stop{"TERM", 6}, "signal ignored")
	want(t, r, Hangup{}, "signal ignored")
	want(t, r, NamesAsked{}, "signal ignored")
	want(t, r, Kill{}, "a Kill", "b Kill")
	want(t, r, Ended{"b"})
	want(t, r, Ended{"a"}, "finish 0")
}

func TestATermWhileTheFileIsReadWins(t *testing.T) {
	r := booted(fileOf(2, "a"))
	want(t, r, Hangup{}, "read")
	want(t, r, Stop{"TERM", 5}, "a Stop")
	want(t, r, ConfigRead{Config: fileOf(2, "a", "b")})
}

func TestAnEssentialServiceGivesHupwatchItsCode(t *testing.T) {
	r := booted(fileOf(2, "a", "b"))
	want(t, r, DownForGood{"a", 3, 5}, "a Stop", "b Stop")
	want(t, r, DownForGood{"b", 4, 6})
	want(t, r, Ended{"a"})
	want(t, r, Ended{"b"}, "finish 3")
}

func TestTheRuntimeDirStaysAndTheNameFileInItToo(t *testing.T) {
	in := func(dir string) *config.Config {
		c := fileOf(1, "web")
		c.Daemon.RuntimeDir, c.Daemon.NameFile = dir, dir+"/reload"
		return c
	}
	r := booted(in("/run/first"))
	for _, dir := range []string{"/run/second", "/run/second", "/run/first"} {
		r.Step(Hangup{})
		for _, e := range r.Step(ConfigRead{Config: in(dir)}) {
			switch e := e.(type) {
			case Apply:
				if got := e.Daemon.NameFile; got != "/run/first/reload" {
					t.Errorf("runtime_dir %s: the name file is %s, want /run/first/reload", dir, got)
				}
			case Emit:
				if e.Event.Kind == lifecycle.KindTrouble && !strings.Contains(e.Event.Reason, "stays /run/first ") {
					t.Errorf("runtime_dir %s: %s, want it to stay /run/first", dir, e.Event.Reason)
				}
				if e.Event.Kind == lifecycle.KindTrouble && dir == "/run/first" {
					t.Errorf("runtime_dir as at first: %s", e.Event.Reason)
				}
			}
		}
	}
}

func client(token uint64, what Verb, names ...string) Asked {
	return Asked{token, Demand{What: what, By: "a client", Names: names}}
}

func TestClientsThatWaitForTheFileShareOneReadThatBeginsAfterThem(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, client(1, VerbReload, "a"), "read")
	want(t, r, client(2, VerbStart, "a", "b"))
	want(t, r, client(3, VerbRestart, "b"))
	want(t, r, Hangup{})
	want(t, r, client(4, VerbReload))
	want(t, r, ConfigRead{Config: fileOf(4, "a", "b")}, "accept 1 as 1", "a Reload", "read")
	want(t, r, ConfigRead{Config: fileOf(4, "b", "c")}, "reject 2: unknown", "accept 3 as 2", "b Restart",
		"accept 4 as 3", "a Stop", "b Reload", "add c", "c Reload", "read")
	want(t, r, ConfigRead{Config: fileOf(4, "b", "c")}, "b Reload", "c Reload")
}

func TestABadFileChangesNothingForAnyClient(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, Hangup{}, "read")
	want(t, r, client(1, VerbReload))
	want(t, r, client(2, VerbRestart, "a"))
	want(t, r, ConfigRead{Config: fileOf(4, "a")}, "a Reload", "read")
	effects := want(t, r, ConfigRead{Problems: config.Problems{{Text: "bad"}, {Text: "odd", Warning: true}}}, "reload refused", "reject 1: config", "reject 2: config")
	if problems := effects[len(effects)-1].(Rejected).Problems; len(problems) != 1 || !strings.Contains(problems[0], "bad") {
		t.Errorf("the client is told the problems %q, want the error without the warning", problems)
	}
}

func TestStopAndSignalDoNotReadTheFile(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, client(1, VerbReload, "a"), "read") // and the file system does not answer
	want(t, r, client(2, VerbStop, "b", "b"), "accept 2 as 1", "b Down")
	want(t, r, client(3, VerbSignal), "accept 3 as 2", "a Forward", "b Forward")
	want(t, r, client(4, VerbStop, "a", "nobody"), "reject 4: unknown")
}

func TestRemovedServiceIsUnknownUntilTheFileNamesItAgain(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, client(1, VerbReload), "read")
	want(t, r, ConfigRead{Config: fileOf(4, "a")}, "accept 1 as 1", "b Stop", "a Reload")
	want(t, r, client(2, VerbStop, "b"), "reject 2: unknown")
	want(t, r, client(3, VerbStop), "accept 3 as 2", "a Down")
	want(t, r, client(4, VerbStart, "b"), "read")
	want(t, r, ConfigRead{Config: fileOf(4, "a")}, "reject 4: unknown")
	want(t, r, client(5, VerbStart, "b"), "read")
	want(t, r, ConfigRead{Config: fileOf(4, "a", "b")}, "accept 5 as 3", "b Declare", "b Up")
}

func TestEndRejectsClientsThatWaitForTheFile(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, client(1, VerbReload), "read")
	want(t, r, client(2, VerbStart))
	want(t, r, Stop{"TERM", 5}, "reject 1: ending", "reject 2: ending", "a Stop")
	want(t, r, client(3, VerbStop, "a"), "reject 3: ending")
	want(t, r, ConfigRead{Config: fileOf(4, "a")})
	want(t, r, Ended{"a"}, "finish 0")
}

func TestRequestIsDoneAfterOneAnswerOfEachService(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	r.Step(client(1, VerbStop))
	kinds := func(in Input) (all []lifecycle.Kind) {
		for _, e := range r.Step(in) {
			all = append(all, e.(Emit).Event.Kind)
		}
		return all
	}
	stopped := lifecycle.Answer{IDs: []uint64{1}, Result: lifecycle.ResultStopped}
	if got := kinds(Answered{"b", stopped}); !slices.Equal(got, []lifecycle.Kind{lifecycle.KindAnswered}) {
		t.Errorf("after one answer: %q", got)
	}
	if got := kinds(Answered{"a", stopped}); !slices.Equal(got, []lifecycle.Kind{lifecycle.KindAnswered, lifecycle.KindRequestDone}) {
		t.Errorf("after both answers: %q", got)
	}
	if got := kinds(Answered{"a", stopped}); !slices.Contains(got, lifecycle.KindTrouble) {
		t.Errorf("after one too many: %q, want trouble", got)
	}
}

func TestBootNamesServicesThatStayDown(t *testing.T) {
	r := New()
	effects := r.Step(Boot{Config: fileOf(4, "web", "db"), Wanted: map[string]lifecycle.Wanted{"web": lifecycle.WantedDown, "db": lifecycle.WantedUp}})
	var told []string
	for _, e := range effects {
		if e, ok := e.(Emit); ok && e.Event.Kind == lifecycle.KindAdvice {
			told = append(told, e.Event.Service+": "+e.Event.Reason)
		}
	}
	if want := []string{"web: it was stopped on request and stays so: hupwatch start web brings it up"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// chain is a file in which web depends on db, and db on disk.
func chain() *config.Config {
	c := fileOf(4, "db", "disk", "web")
	c.Services[0].DependsOn, c.Services[2].DependsOn = []string{"disk"}, []string{"db"}
	return c
}

func TestServicesComeUpAfterThoseTheyDependOn(t *testing.T) {
	r := New()
	want(t, r, Boot{Config: chain()}, "add db", "db Await", "db Start", "add disk", "disk Start", "add web", "web Await", "web Start")
	want(t, r, DependencyReady{Service: "disk", Ready: true}, "db Await")
	want(t, r, DependencyReady{Service: "disk", Ready: false}) // what is up stays so
	want(t, r, DependencyReady{Service: "db", Ready: true}, "web Await")
}

func TestDependentsAreToldOfAFailureAndOfItsEnd(t *testing.T) {
	r := booted(chain())
	want(t, r, DependencyReady{Service: "disk", Failed: true}, "db Await")
	want(t, r, DependencyReady{Service: "db", Failed: true}, "web Await")
	want(t, r, DependencyReady{Service: "disk"}, "db Await")
	want(t, r, DependencyReady{Service: "disk"}) // no news
	want(t, r, DependencyReady{Service: "disk", Ready: true}, "db Await")
}

// The same request may mend what failed: who asked waits for that.
func TestReloadOfAFailedServiceIsWaitedForByItsDependents(t *testing.T) {
	r := booted(chain())
	want(t, r, DependencyReady{Service: "disk", Failed: true}, "db Await")
	want(t, r, Hangup{}, "read")
	effects := r.Step(ConfigRead{Config: chain()})
	failed, asked := make(map[string][]string), false // as told last
	for _, e := range effects {
		tell, ok := e.(Tell)
		if !ok {
			continue
		}
		switch in := tell.Input.(type) {
		case lifecycle.Await:
			failed[tell.Service] = in.Failed
			if asked {
				t.Errorf("%s is told after a reload was asked for", tell.Service)
			}
		case lifecycle.Reload:
			asked = true
		}
	}
	if !asked || len(failed["db"]) > 0 {
		t.Errorf("asked %v, and told db that %v failed", asked, failed["db"])
	}
	want(t, r, DependencyReady{Service: "disk"}) // its reload has begun
	want(t, r, DependencyReady{Service: "disk", Failed: true}, "db Await")
}

func TestNobodyWaitsForWhatTheFileNamesNoMore(t *testing.T) {
	r := booted(chain())
	want(t, r, Hangup{}, "read")
	c := fileOf(4, "db", "web")
	want(t, r, ConfigRead{Config: c}, "db Await", "web Await", "disk Stop", "db Reload", "web Reload")
}

func TestWhatIsAddedWaitsForThoseItDependsOn(t *testing.T) {
	r := booted(fileOf(4, "disk"))
	want(t, r, Hangup{}, "read")
	want(t, r, ConfigRead{Config: chain()}, "add db", "db Await", "db Reload", "disk Reload", "add web", "web Await", "web Reload")
	want(t, r, DependencyReady{Service: "disk", Ready: true}, "db Await")
}

func TestATermEndsWhatDependsOnOthersFirst(t *testing.T) {
	r := booted(chain())
	want(t, r, Stop{"TERM", 5}, "web Stop")
	want(t, r, Ended{"web"}, "db Stop")
	want(t, r, Ended{"db"}, "disk Stop")
	want(t, r, Ended{"disk"}, "finish 0")
}

func TestSecondIntStopsAndKillsAllAtOnce(t *testing.T) {
	r := booted(chain())
	want(t, r, Stop{"INT", 5}, "web Stop")
	want(t, r, Kill{}, "db Stop", "disk Stop", "db Kill", "disk Kill", "web Kill")
}

func TestLeaveStopsAllAtOnce(t *testing.T) {
	c := chain()
	c.Daemon.AtExit = config.AtExitLeave
	r := booted(c)
	want(t, r, Stop{"TERM", 5}, "db Stop", "disk Stop", "web Stop")
}

func stoppedAnswer(service string, id uint64) Answered {
	return Answered{service, lifecycle.Answer{IDs: []uint64{id}, Result: lifecycle.ResultStopped}}
}

func TestAStopOfSeveralStopsWhatDependsOnOthersFirst(t *testing.T) {
	r := booted(chain())
	want(t, r, client(1, VerbStop, "disk", "web"), "accept 1 as 1", "disk Down", "web Down") // db is not asked to
	r = booted(chain())
	want(t, r, client(1, VerbStop, "disk", "db", "web"), "accept 1 as 1", "web Down")
	want(t, r, stoppedAnswer("web", 1), "db Down")
	want(t, r, stoppedAnswer("db", 1), "disk Down")
	want(t, r, stoppedAnswer("disk", 1))
	if len(r.requests) > 0 {
		t.Error("the request is not done")
	}
}

// A request to stop several that TERM comes in between is answered, and what others
// depend on ends after those all the same.
func TestATermInAStopOfSeveralKeepsTheOrder(t *testing.T) {
	r := booted(chain())
	want(t, r, client(1, VerbStop), "accept 1 as 1", "web Down")
	effects := want(t, r, Stop{"TERM", 5}, "web Stop")
	told := make(map[string]lifecycle.Result)
	for _, e := range effects {
		if e, ok := e.(Emit); ok && e.Event.Kind == lifecycle.KindAnswered {
			told[e.Event.Service] = e.Event.Result
		}
	}
	if told["db"] != lifecycle.ResultAborted || told["disk"] != lifecycle.ResultAborted {
		t.Errorf("the world hears %v", told)
	}
	want(t, r, Answered{"web", lifecycle.Answer{IDs: []uint64{1}, Result: lifecycle.ResultAborted}})
	if len(r.requests) > 0 {
		t.Error("the request is not done")
	}
	want(t, r, Ended{"web"}, "db Stop")
	want(t, r, Ended{"db"}, "disk Stop")
}

func TestStartAndRestartWaitForDependenciesButReloadDoesNot(t *testing.T) {
	for what, tells := range map[Verb][]string{VerbStart: {"web Await", "web Up"}, VerbRestart: {"web Await", "web Restart"}, VerbReload: {"web Reload"}} {
		r := booted(fileOf(4, "db", "web")) // which does not depend on it yet
		c := fileOf(4, "db", "web")
		c.Services[1].DependsOn = []string{"db"}
		want(t, r, client(1, what, "web"), "read")
		want(t, r, ConfigRead{Config: c}, append([]string{"accept 1 as 1"}, tells...)...)
	}
}
