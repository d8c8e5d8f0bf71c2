package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	"hupwatch/services/lifecycle"
	"hupwatch/services/release"
)

// proving returns a machine whose incoming generation 2 has to prove itself.
func proving(t *testing.T) *bench {
	t.Helper()
	b := serving(t, web())
	b.ask(1)
	b.tell(lifecycle.Resolved{Attempt: b.Attempts, Release: &release.Release{Service: b.Config, Dir: "/releases/2"}})
	b.tell(lifecycle.Spawned{Generation: 2, PID: 102})
	b.tell(lifecycle.Execed{Generation: 2})
	b.wantLooks(1)
	b.want(lifecycle.StateRunning, "resolve new")
	return b
}

func (b *bench) proved(missing ...string) {
	b.tell(lifecycle.Proved{Generation: 2, Missing: missing})
}

// wantLooks checks how often the machine wanted to know what generation 2 listens
// on, since the last want.
func (b *bench) wantLooks(n int) {
	b.t.Helper()
	got := 0
	for _, e := range b.saw {
		if p, ok := e.(lifecycle.Prove); ok && p.Generation == 2 && p.Way == lifecycle.WayListening && p.Active == 1 {
			got++
		}
	}
	if got != n {
		b.t.Errorf("looked %d times, want %d", got, n)
	}
}

func TestTheWarmUpBeginsOnceTheNewOneListensWhereTheOldOneDoes(t *testing.T) {
	b := proving(t)
	b.proved("tcp 0.0.0.0:80")
	b.pass(time.Second / 4)
	b.proved()
	b.pass(time.Second - 1)
	b.wantLooks(1)
	b.pass(1)
	b.wantLooks(2) // once more at the end
	b.proved()
	b.pass(0)
	b.want(lifecycle.StateRunning, "TERM to the main of 1", "answer [1] promoted")
}

func TestANewOneThatNeverListensIsKeptOut(t *testing.T) {
	b := proving(t)
	for b.Current != nil && b.now < lifecycle.Instant(2*time.Hour) {
		b.proved("tcp 0.0.0.0:80")
		b.pass(time.Second)
	}
	got := said(b.saw)
	if n := len(got); got[n-1] != "answer [1] kept_old" || got[n-2] != "TERM to the main of 2" {
		t.Errorf("wanted done last: %q", got[n-2:])
	}
	if waited := b.now - lifecycle.Instant(time.Hour); waited > lifecycle.Instant(63*time.Second) {
		t.Errorf("it had %v to listen, start_timeout is 60s", time.Duration(waited))
	}
}

func TestANewOneThatStopsListeningInItsWarmUpIsKeptOut(t *testing.T) {
	b := proving(t)
	b.proved()
	b.pass(time.Second)
	b.proved("tcp 0.0.0.0:80")
	b.want(lifecycle.StateRunning, "TERM to the main of 2", "answer [1] kept_old")
}

func TestWithoutTheOldOneThereIsNothingToProve(t *testing.T) {
	b := proving(t)
	b.proved("tcp 0.0.0.0:80")
	b.exit(1, lifecycle.Exit{Code: 1})
	b.pass(time.Second)
	b.want(lifecycle.StateRunning, "answer [1] promoted")
}

func TestOneThatEndsBeforeItIsSeenToListenIsToldOfLikeAnyOther(t *testing.T) {
	b := proving(t)
	b.exit(2, lifecycle.Exit{})
	for _, e := range b.saw {
		if a, ok := e.(lifecycle.Answer); ok && (!strings.Contains(a.Reason, "before its warm-up of 1s was over") || !strings.Contains(a.Reason, "foreground")) {
			t.Errorf("the reason is %q, want the warm-up and the remedy in it", a.Reason)
		}
	}
}
