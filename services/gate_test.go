package services_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hupwatch/services"
)

func TestNoMoreAreInsideAGateThanItIsWide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var inside, most, done int
		gate := services.NewGate(2)
		for range 100 {
			gate.Pass(func() {
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				<-time.After(100 * time.Millisecond)
				mu.Lock()
				inside--
				done++
				mu.Unlock()
			})
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if most != 2 || done != 100 {
			t.Errorf("at most %d were inside, %d of 100 are done; want 2 and all", most, done)
		}
	})
}

// A plan that panicked ended hupwatch, and every service with it.
func TestAJobThatPanicsIsReportedAndTheNextOneIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []error
		gate := services.NewGate(1)
		gate.Mistakes = func(err error) { reports = append(reports, err) }
		done := false
		gate.Pass(func() { panic("planted") })
		gate.Pass(func() { done = true })
		synctest.Wait()
		if !done || len(reports) != 1 || !strings.Contains(reports[0].Error(), "planted") {
			t.Errorf("the next job is done: %v; reported: %v", done, reports)
		}
	})
}

func TestGateLetsOthersInIfThoseInsideHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := services.NewGate(1)
		thaw := make(chan struct{})
		gate.Pass(func() { <-thaw })
		began := time.Now()
		var after time.Duration
		gate.Pass(func() {})
		gate.Pass(func() { after = time.Since(began) })
		<-time.After(time.Minute)
		synctest.Wait()
		if after < 100*time.Millisecond || after > 2*time.Second {
			t.Errorf("the others went in after %v, want about a second", after)
		}
		for _, where := range []string{"while it hangs", "after it went on"} {
			passed := false
			gate.Pass(func() { passed = true })
			synctest.Wait()
			if !passed {
				t.Errorf("what hung once delays the others %s", where)
			}
			if where == "while it hangs" {
				close(thaw)
				synctest.Wait()
			}
		}
	})
}
