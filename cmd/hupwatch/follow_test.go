package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hupwatch/cmd/hupwatch/screen"
	"hupwatch/runner/control"
)

// counter counts what is written to it.
type counter struct{ writes int }

func (c *counter) Write(b []byte) (int, error) {
	c.writes++
	return len(b), nil
}

func TestAScreenIsDrawnTenTimesASecondAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(counter)
		v := &movingView{progress: screen.NewProgress("reload", nil, time.Now()), display: display{fd: -1}, out: out, drawn: time.Now()}
		for i := range 1000 { // a thousand events in a second
			v.add(control.Event{Kind: "generation started", Service: "web", Generation: i})
			if v.due() <= 0 {
				v.draw()
			}
			<-time.After(time.Millisecond)
		}
		if out.writes < 8 || out.writes > 10 {
			t.Errorf("drawn %d times", out.writes)
		}
		v.draw()
		if due := v.due(); due != time.Second {
			t.Errorf("with nothing new it is drawn again in %v", due)
		}
	})
}

func TestNothingIsDrawnWhereTheRequestIsRefused(t *testing.T) {
	t.Parallel()
	out := new(strings.Builder)
	for _, v := range []view{
		&movingView{progress: screen.NewProgress("reload", []string{"web"}, time.Now()), display: display{fd: -1}, out: out},
		&plainView{progress: screen.NewProgress("reload", nil, time.Now()), out: out},
	} {
		v.end()
	}
	if out.Len() > 0 {
		t.Errorf("%q", out)
	}
}
