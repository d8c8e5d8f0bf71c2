package runner

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
	c := &config.Config{File: "/etc/hupwatch.toml", Daemon: config.Daemon{RuntimeDir: "/run/hupwatch", MaxParallel: parallel, ShutdownTimeout: config.Infinity}}
	for _, name := range names {
		c.Services = append(c.Services, &config.Service{Name: name})
	}
	return c
}

func booted(c *config.Config) *rollout {
	r := newRollout()
	r.step(boot{config: c})
	return r
}

// wants says in words what effects are, but for what only tells about it.
func wants(effects []effect) []string {
	var lines []string
	for _, e := range effects {
		switch e := e.(type) {
		case tell:
			lines = append(lines, strings.TrimPrefix(fmt.Sprintf("%s %T", e.service, e.input), "lifecycle."))
		case add:
			lines = append(lines, "add "+e.config.Name)
		case readConfig:
			lines = append(lines, "read")
		case claimNames:
			lines = append(lines, "claim")
		case emit:
			if e.event.Kind == lifecycle.KindRefused || e.event.Kind == lifecycle.KindIgnored {
				lines = append(lines, string(e.event.Kind))
			}
		case accepted:
			lines = append(lines, fmt.Sprintf("accept %d as %d", e.token, e.id))
		case rejected:
			lines = append(lines, fmt.Sprintf("reject %d: %s", e.token, e.reason))
		case finish:
			lines = append(lines, fmt.Sprintf("finish %d", e.code))
		}
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "lifecycle.", "")
	}
	return lines
}

func want(t *testing.T, r *rollout, in input, lines ...string) []effect {
	t.Helper()
	effects := r.step(in)
	if got := wants(effects); !slices.Equal(got, lines) {
		t.Errorf("%T: wants %q, want %q", in, got, lines)
	}
	return effects
}

func TestAHupReloadsAddsAndRemoves(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, hangup{}, "read")
	want(t, r, configRead{config: fileOf(4, "b", "c")}, "a Stop", "b Reload", "add c", "c Reload")
	want(t, r, hangup{}, "read")
	want(t, r, configRead{config: fileOf(4, "a")}, "b Stop", "c Stop", "a Declare", "a Reload")
}

func TestABadFileChangesNothing(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, hangup{}, "read")
	want(t, r, configRead{problems: config.Problems{{Text: "bad"}}}, "reload refused")
	if r.config.Daemon.MaxParallel != 4 {
		t.Error("the configuration in force has changed")
	}
}

func TestHupsDuringAReadAreOneMoreRead(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, hangup{}, "read")
	for range 10 {
		want(t, r, hangup{})
	}
	want(t, r, configRead{config: fileOf(4, "a")}, "a Reload", "read")
	want(t, r, configRead{config: fileOf(4, "a")}, "a Reload")
}

func TestANameFileReloadsThoseInItOnly(t *testing.T) {
	r := booted(fileOf(4, "a", "b", "c"))
	want(t, r, namesAsked{}, "claim")
	want(t, r, namesClaimed{names: []string{"c", "a"}}, "read")
	want(t, r, configRead{config: fileOf(4, "a", "c", "d")}, "a Reload", "c Reload") // b is not stopped, d not started
}

func TestANameFileWithAnUnknownNameReloadsNothing(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, namesAsked{}, "claim")
	want(t, r, namesClaimed{names: []string{"a", "nobody"}}, "read")
	effects := want(t, r, configRead{config: fileOf(4, "a")}, "reload refused")
	if reason := effects[0].(emit).event.Reason; !strings.Contains(reason, `"nobody"`) {
		t.Errorf("the reason is %q, want the name in it", reason)
	}
}

func TestNameFilesWrittenDuringAClaimAreClaimedOnceMore(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, namesAsked{}, "claim")
	want(t, r, namesAsked{})
	want(t, r, namesAsked{})
	want(t, r, namesClaimed{names: []string{"a"}}, "claim", "read")
	want(t, r, namesClaimed{err: errors.New("there is none")}, "reload refused")
	want(t, r, configRead{config: fileOf(4, "a", "b")}, "a Reload")
}

func TestTurnsAreGivenInOrderAndNoMoreThanMaxParallel(t *testing.T) {
	r := booted(fileOf(2, "a", "b", "c", "d"))
	want(t, r, turnAsked{turn{"a", 1}}, "a Turn")
	want(t, r, turnAsked{turn{"b", 1}}, "b Turn")
	want(t, r, turnAsked{turn{"c", 1}})
	want(t, r, turnAsked{turn{"d", 1}})
	want(t, r, turnReturned{turn{"c", 1}}) // asked for no more
	want(t, r, turnReturned{turn{"a", 1}}, "d Turn")
	want(t, r, turnReturned{turn{"a", 1}}) // long ago
	want(t, r, turnAsked{turn{"c", 2}})
	want(t, r, hangup{}, "read")
	want(t, r, configRead{config: fileOf(3, "a", "b", "c", "d")}, "c Turn", "a Reload", "b Reload", "c Reload", "d Reload")
}

func TestAReloadIsDoneWhenAllHaveAnswered(t *testing.T) {
	r := booted(fileOf(2, "a", "b"))
	r.step(hangup{})
	r.step(configRead{config: fileOf(2, "a", "b")})
	if effects := r.step(answered{"b", lifecycle.Answer{Told: true, IDs: []uint64{1}, Result: lifecycle.ResultKeptOld}}); len(effects) > 0 {
		t.Errorf("after one answer: %v", effects)
	}
	effects := r.step(answered{"a", lifecycle.Answer{Told: true, IDs: []uint64{1}, Result: lifecycle.ResultPromoted}})
	if len(effects) != 1 {
		t.Fatalf("after both answers: %v, want a summary", effects)
	}
	e := effects[0].(emit).event
	if e.Kind != lifecycle.KindRequestDone || strings.Join(e.Names, ",") != "b" || e.Counts[lifecycle.ResultPromoted] != 1 || e.Counts[lifecycle.ResultKeptOld] != 1 {
		t.Errorf("the summary is %+v", e)
	}
}

func TestATermEndsEveryServiceAndThenHupwatch(t *testing.T) {
	r := booted(fileOf(2, "a", "b"))
	want(t, r, stop{"TERM", 5}, "a Stop", "b Stop")
	want(t, r, stop{"TERM", 6}, "signal ignored")
	want(t, r, hangup{}, "signal ignored")
	want(t, r, namesAsked{}, "signal ignored")
	want(t, r, kill{}, "a Kill", "b Kill")
	want(t, r, ended{"b"})
	want(t, r, ended{"a"}, "finish 0")
}

func TestATermWhileTheFileIsReadWins(t *testing.T) {
	r := booted(fileOf(2, "a"))
	want(t, r, hangup{}, "read")
	want(t, r, stop{"TERM", 5}, "a Stop")
	want(t, r, configRead{config: fileOf(2, "a", "b")})
}

func TestAnEssentialServiceGivesHupwatchItsCode(t *testing.T) {
	r := booted(fileOf(2, "a", "b"))
	want(t, r, downForGood{"a", 3, 5}, "a Stop", "b Stop")
	want(t, r, downForGood{"b", 4, 6})
	want(t, r, ended{"a"})
	want(t, r, ended{"b"}, "finish 3")
}

func TestTheRuntimeDirStaysAndTheNameFileInItToo(t *testing.T) {
	in := func(dir string) *config.Config {
		c := fileOf(1, "web")
		c.Daemon.RuntimeDir, c.Daemon.NameFile = dir, dir+"/reload"
		return c
	}
	r := booted(in("/run/first"))
	for _, dir := range []string{"/run/second", "/run/second", "/run/first"} {
		r.step(hangup{})
		for _, e := range r.step(configRead{config: in(dir)}) {
			switch e := e.(type) {
			case apply:
				if got := e.daemon.NameFile; got != "/run/first/reload" {
					t.Errorf("runtime_dir %s: the name file is %s, want /run/first/reload", dir, got)
				}
			case emit:
				if e.event.Kind == lifecycle.KindTrouble && !strings.Contains(e.event.Reason, "stays /run/first ") {
					t.Errorf("runtime_dir %s: %s, want it to stay /run/first", dir, e.event.Reason)
				}
				if e.event.Kind == lifecycle.KindTrouble && dir == "/run/first" {
					t.Errorf("runtime_dir as at first: %s", e.event.Reason)
				}
			}
		}
	}
}

func client(token uint64, what verb, names ...string) asked {
	return asked{token, demand{what: what, by: "a client", names: names}}
}

func TestClientsThatWaitForTheFileShareOneReadThatBeginsAfterThem(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, client(1, verbReload, "a"), "read")
	want(t, r, client(2, verbStart, "a", "b"))
	want(t, r, client(3, verbRestart, "b"))
	want(t, r, hangup{})
	want(t, r, client(4, verbReload))
	want(t, r, configRead{config: fileOf(4, "a", "b")}, "accept 1 as 1", "a Reload", "read")
	want(t, r, configRead{config: fileOf(4, "b", "c")}, "reject 2: unknown", "accept 3 as 2", "b Restart",
		"accept 4 as 3", "a Stop", "b Reload", "add c", "c Reload", "read")
	want(t, r, configRead{config: fileOf(4, "b", "c")}, "b Reload", "c Reload")
}

func TestABadFileChangesNothingForAnyClient(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, hangup{}, "read")
	want(t, r, client(1, verbReload))
	want(t, r, client(2, verbRestart, "a"))
	want(t, r, configRead{config: fileOf(4, "a")}, "a Reload", "read")
	effects := want(t, r, configRead{problems: config.Problems{{Text: "bad"}, {Text: "odd", Warning: true}}}, "reload refused", "reject 1: config", "reject 2: config")
	if problems := effects[len(effects)-1].(rejected).problems; len(problems) != 1 || !strings.Contains(problems[0], "bad") {
		t.Errorf("the client hears of the problems %q, want the one that is no warning", problems)
	}
}

func TestToStopAndToSignalTakesNoFile(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, client(1, verbReload, "a"), "read") // and the file system does not answer
	want(t, r, client(2, verbStop, "b", "b"), "accept 2 as 1", "b Down")
	want(t, r, client(3, verbSignal), "accept 3 as 2", "a Forward", "b Forward")
	want(t, r, client(4, verbStop, "a", "nobody"), "reject 4: unknown")
}

func TestWhatWasRemovedCannotBeStoppedButStartedWhereTheFileNamesItAgain(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	want(t, r, client(1, verbReload), "read")
	want(t, r, configRead{config: fileOf(4, "a")}, "accept 1 as 1", "b Stop", "a Reload")
	want(t, r, client(2, verbStop, "b"), "reject 2: unknown")
	want(t, r, client(3, verbStop), "accept 3 as 2", "a Down")
	want(t, r, client(4, verbStart, "b"), "read")
	want(t, r, configRead{config: fileOf(4, "a")}, "reject 4: unknown")
	want(t, r, client(5, verbStart, "b"), "read")
	want(t, r, configRead{config: fileOf(4, "a", "b")}, "accept 5 as 3", "b Declare", "b Up")
}

func TestClientsHearOfTheEndThoughTheFileIsNeverRead(t *testing.T) {
	r := booted(fileOf(4, "a"))
	want(t, r, client(1, verbReload), "read")
	want(t, r, client(2, verbStart))
	want(t, r, stop{"TERM", 5}, "reject 1: ending", "reject 2: ending", "a Stop")
	want(t, r, client(3, verbStop, "a"), "reject 3: ending")
	want(t, r, configRead{config: fileOf(4, "a")})
	want(t, r, ended{"a"}, "finish 0")
}

func TestARequestIsToldAsManyTimesAsItHasServicesThenItIsDone(t *testing.T) {
	r := booted(fileOf(4, "a", "b"))
	r.step(client(1, verbStop))
	kinds := func(in input) (all []lifecycle.Kind) {
		for _, e := range r.step(in) {
			all = append(all, e.(emit).event.Kind)
		}
		return all
	}
	stopped := lifecycle.Answer{IDs: []uint64{1}, Result: lifecycle.ResultStopped}
	if got := kinds(answered{"b", stopped}); !slices.Equal(got, []lifecycle.Kind{lifecycle.KindAnswered}) {
		t.Errorf("after one answer: %q", got)
	}
	if got := kinds(answered{"a", stopped}); !slices.Equal(got, []lifecycle.Kind{lifecycle.KindAnswered, lifecycle.KindRequestDone}) {
		t.Errorf("after both answers: %q", got)
	}
	if got := kinds(answered{"a", stopped}); !slices.Contains(got, lifecycle.KindTrouble) {
		t.Errorf("after one too many: %q, want trouble", got)
	}
}

func TestWhoStartsHupwatchIsToldWhatStaysDown(t *testing.T) {
	r := newRollout()
	effects := r.step(boot{config: fileOf(4, "web", "db"), wanted: map[string]lifecycle.Wanted{"web": lifecycle.WantedDown, "db": lifecycle.WantedUp}})
	var told []string
	for _, e := range effects {
		if e, ok := e.(emit); ok && e.event.Kind == lifecycle.KindAdvice {
			told = append(told, e.event.Service+": "+e.event.Reason)
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
	r := newRollout()
	want(t, r, boot{config: chain()}, "add db", "db Await", "db Start", "add disk", "disk Start", "add web", "web Await", "web Start")
	want(t, r, standing{"disk", true}, "db Await")
	want(t, r, standing{"disk", false}) // what is up stays so
	want(t, r, standing{"db", true}, "web Await")
}

func TestNobodyWaitsForWhatTheFileNamesNoMore(t *testing.T) {
	r := booted(chain())
	want(t, r, hangup{}, "read")
	c := fileOf(4, "db", "web")
	want(t, r, configRead{config: c}, "db Await", "web Await", "disk Stop", "db Reload", "web Reload")
}

func TestWhatIsAddedWaitsForThoseItDependsOn(t *testing.T) {
	r := booted(fileOf(4, "disk"))
	want(t, r, hangup{}, "read")
	want(t, r, configRead{config: chain()}, "add db", "db Await", "db Reload", "disk Reload", "add web", "web Await", "web Reload")
	want(t, r, standing{"disk", true}, "db Await")
}

func TestATermEndsWhatDependsOnOthersFirst(t *testing.T) {
	r := booted(chain())
	want(t, r, stop{"TERM", 5}, "web Stop")
	want(t, r, ended{"web"}, "db Stop")
	want(t, r, ended{"db"}, "disk Stop")
	want(t, r, ended{"disk"}, "finish 0")
}

func TestASecondIntWaitsForNobody(t *testing.T) {
	r := booted(chain())
	want(t, r, stop{"INT", 5}, "web Stop")
	want(t, r, kill{}, "db Stop", "disk Stop", "db Kill", "disk Kill", "web Kill")
}

func TestLeavingWaitsForNobody(t *testing.T) {
	c := chain()
	c.Daemon.AtExit = config.AtExitLeave
	r := booted(c)
	want(t, r, stop{"TERM", 5}, "db Stop", "disk Stop", "web Stop")
}

func stoppedAnswer(service string, id uint64) answered {
	return answered{service, lifecycle.Answer{IDs: []uint64{id}, Result: lifecycle.ResultStopped}}
}

func TestAStopOfSeveralStopsWhatDependsOnOthersFirst(t *testing.T) {
	r := booted(chain())
	want(t, r, client(1, verbStop, "disk", "web"), "accept 1 as 1", "disk Down", "web Down") // db is not asked to
	r = booted(chain())
	want(t, r, client(1, verbStop, "disk", "db", "web"), "accept 1 as 1", "web Down")
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
	want(t, r, client(1, verbStop), "accept 1 as 1", "web Down")
	effects := want(t, r, stop{"TERM", 5}, "web Stop")
	told := make(map[string]lifecycle.Result)
	for _, e := range effects {
		if e, ok := e.(emit); ok && e.event.Kind == lifecycle.KindAnswered {
			told[e.event.Service] = e.event.Result
		}
	}
	if told["db"] != lifecycle.ResultAborted || told["disk"] != lifecycle.ResultAborted {
		t.Errorf("the world hears %v", told)
	}
	want(t, r, answered{"web", lifecycle.Answer{IDs: []uint64{1}, Result: lifecycle.ResultAborted}})
	if len(r.requests) > 0 {
		t.Error("the request is not done")
	}
	want(t, r, ended{"web"}, "db Stop")
	want(t, r, ended{"db"}, "disk Stop")
}

func TestAStartAndARestartWaitForWhatTheyDependOnAReloadDoesNot(t *testing.T) {
	for what, tells := range map[verb][]string{verbStart: {"web Await", "web Up"}, verbRestart: {"web Await", "web Restart"}, verbReload: {"web Reload"}} {
		r := booted(fileOf(4, "db", "web")) // which does not depend on it yet
		c := fileOf(4, "db", "web")
		c.Services[1].DependsOn = []string{"db"}
		want(t, r, client(1, what, "web"), "read")
		want(t, r, configRead{config: c}, append([]string{"accept 1 as 1"}, tells...)...)
	}
}
