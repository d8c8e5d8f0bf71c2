package runner

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
	"hupwatch/services/lifecycle"

	"github.com/go-kit/log"
)

func TestTheLogSaysWhatFailedAndWhatServes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want  string
		event lifecycle.Event
	}{
		{`level=error msg="reload ended" service=web reload=1 result=rolled_back took=2s serving=4 serving_release=/srv/6 err="not ready"`, lifecycle.Event{
			Kind: lifecycle.KindReloadEnded, Result: lifecycle.ResultRolledBack, Generation: 4, PID: 44, Release: "/srv/6", Serving: 4, ServingRelease: "/srv/6", Reason: "not ready", Elapsed: 2 * time.Second,
		}},
		{`level=error msg="rolled back" service=web generation=3 pid=33 reload=1 release=/srv/7 to=/srv/6 err="not ready"`, lifecycle.Event{
			Kind: lifecycle.KindRolledBack, Generation: 3, PID: 33, Release: "/srv/7", ServingRelease: "/srv/6", Reason: "not ready",
		}},
		{`level=info msg="reload ended" service=web generation=4 pid=44 reload=1 result=signalled release=/srv/6 note="not in force: command"`, lifecycle.Event{
			Kind: lifecycle.KindReloadEnded, Result: lifecycle.ResultSignalled, Generation: 4, PID: 44, Release: "/srv/6", Serving: 4, ServingRelease: "/srv/6", Reason: "not in force: command",
		}},
		{`level=info msg="signal sent" service=web generation=4 reload=1 signal=HUP`, lifecycle.Event{Kind: lifecycle.KindForwarded, Generation: 4, Signal: syscall.SIGHUP}},
		{`level=info msg="generation ready" service=web generation=4 reload=1 took=1.2s warmup=2s`, lifecycle.Event{
			Kind: lifecycle.KindReady, Generation: 4, Wait: 2 * time.Second, Elapsed: 1200 * time.Millisecond,
		}},
		{`level=info msg="hook begun" service=web generation=4 reload=1 hook=before_start`, lifecycle.Event{Kind: lifecycle.KindHookBegun, Generation: 4, Hook: config.HookBeforeStart}},
		{`level=warn msg="hook failed" service=web generation=3 reload=1 hook=before_stop err="exited with status 1"`, lifecycle.Event{
			Kind: lifecycle.KindHookFailed, Generation: 3, Hook: config.HookBeforeStop, Reason: "exited with status 1",
		}},
		{`level=info msg="waiting for others" service=web reload=1 for="redis, db"`, lifecycle.Event{Kind: lifecycle.KindAwaits, Names: []string{"redis", "db"}}},
	} {
		var line bytes.Buffer
		c.event.Service, c.event.Reloads = "web", []uint64{1}
		logEvent(log.NewLogfmtLogger(&line), c.event)
		if _, got, _ := strings.Cut(strings.TrimSpace(line.String()), " "); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
