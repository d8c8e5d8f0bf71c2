package runner

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hupwatch/config"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
	"hupwatch/services/mistake"
)

// eventLog renders the event stream as log lines. It has a goroutine of its own,
// so that an output that nobody reads stalls only the log.
type eventLog struct {
	events   *mailbox.Box[lifecycle.Event]
	output   io.Writer
	format   atomic.Pointer[logFormat]
	rest     *rest
	mistakes mistake.Report
	done     chan struct{}
}

// logFormat is the daemon's keys about the log.
type logFormat struct{ level, format string }

// logLimit bounds how many events are kept for an output that nobody reads.
const logLimit = 1 << 14

// startLog logs the events of the stream until it is closed.
func startLog(s *services.Stream, output io.Writer, d config.Daemon, mistakes mistake.Report) *eventLog {
	l := &eventLog{events: s.Subscribe(logLimit), output: output, rest: newRest(), mistakes: mistakes.Once(), done: make(chan struct{})}
	l.apply(d)
	go l.run() // ends with the stream; wait waits for it
	return l
}

// apply puts the daemon's keys into force for what is logged from now on.
func (l *eventLog) apply(d config.Daemon) {
	l.format.Store(&logFormat{d.LogLevel, d.LogFormat})
}

// wait returns when everything up to the end of the stream is logged, or after
// the patience if nobody reads the output.
func (l *eventLog) wait(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
}

func (l *eventLog) run() {
	defer close(l.done)
	defer l.rest.stop()
	for range l.events.Wake {
		events, lost, closed := l.events.Take()
		w := &lineWriter{output: l.output}
		logger := l.logger(w)
		for _, e := range events {
			l.mistakes.Do("log what happened", func() { logEvent(logger, e) })
		}
		if lost > 0 {
			log.WithPrefix(level.Warn(logger), "ts", timestamp(time.Now())).Log("msg", "log fell behind", "lost", lost)
		}
		w.flush()
		l.rest.later()
		if closed {
			return
		}
	}
}

func (l *eventLog) logger(output io.Writer) log.Logger {
	f := l.format.Load()
	logger := log.NewLogfmtLogger(output)
	if f.format == "json" {
		logger = log.NewJSONLogger(output)
	}
	return level.NewFilter(logger, level.Allow(level.ParseDefault(f.level, level.InfoValue())))
}

// atOnce is what a pipe takes in one piece, whatever else writes to it.
const atOnce = 4096

// lineWriter writes lines that come together with one call. If the output does not
// take them, they are lost: there is nowhere else to report that.
type lineWriter struct {
	output io.Writer
	lines  []byte
}

// Write takes a line.
func (w *lineWriter) Write(line []byte) (int, error) {
	if len(w.lines)+len(line) > atOnce {
		w.flush()
	}
	w.lines = append(w.lines, line...)
	return len(line), nil
}

func (w *lineWriter) flush() {
	if len(w.lines) > 0 {
		_, _ = w.output.Write(w.lines)
		w.lines = w.lines[:0]
	}
}

func timestamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

func logEvent(logger log.Logger, e lifecycle.Event) {
	line := []any{"msg", message(e)}
	add := func(key string, value any, present bool) {
		if present {
			line = append(line, key, value)
		}
	}
	add("service", e.Service, e.Service != "")
	add("instance", e.Instance, e.Instance > 0)
	// What a promotion makes of an earlier reload is for the journal.
	promoted := e.Kind == lifecycle.KindPromoted
	if promoted || e.Result != lifecycle.ResultRolledBack { // the event before says what failed, serving says what serves now
		add("generation", e.Generation, e.Generation > 0)
		add("pid", e.PID, e.PID > 0)
	}
	add("reload", ids(e.Reloads), len(e.Reloads) > 0)
	add("by", e.By, e.By != "")
	add("result", string(e.Result), e.Result != "" && !promoted)
	for _, result := range slices.Sorted(maps.Keys(e.Counts)) {
		add(string(result), e.Counts[result], true)
	}
	add("signal", config.SignalName(e.Signal), e.Signal != 0)
	add("exit", exitText(e.Exit), e.Exit != nil && e.Kind != lifecycle.KindReloadEnded) // there err says it
	add("took", brief(e.Elapsed), e.Elapsed > 0)
	switch e.Kind {
	case lifecycle.KindRolledBack, lifecycle.KindInstead:
		add("release", e.Release, true)
		add("to", e.ServingRelease, true)
		add("err", e.Reason, true)
	case lifecycle.KindReloadEnded:
		add("release", e.Release, e.Release != "" && e.Result != lifecycle.ResultRolledBack)
		add("probation", brief(e.Wait), e.Wait > 0)
		isDone := e.Serving == 0 && e.Result == lifecycle.ResultStarted
		if e.Serving != e.Generation && !isDone || e.Result == lifecycle.ResultRolledBack {
			add("serving", e.Serving, true)
			add("serving_release", e.ServingRelease, e.ServingRelease != "")
		}
		add(reasonKey(e), e.Reason, e.Reason != "")
	case lifecycle.KindStarted:
		add("release", e.Release, e.Release != "")
		add("warmup", brief(e.Wait), e.Wait > 0)
	case lifecycle.KindReady:
		add("warmup", brief(e.Wait), true)
	case lifecycle.KindHookBegun:
		add("hook", string(e.Hook), true)
	case lifecycle.KindHookFailed:
		add("hook", string(e.Hook), true)
		add("err", e.Reason, true)
	case lifecycle.KindPutBack:
		add("address", e.Path, true)
		add("reason", e.Reason, e.Reason != "")
	case lifecycle.KindAwaits:
		add("for", strings.Join(e.Names, ", "), true)
	case lifecycle.KindStopSignalled, lifecycle.KindMainGone:
		add("kill_in", brief(e.Wait), true)
	case lifecycle.KindRestart:
		add("in", brief(e.Wait), true)
	case lifecycle.KindBegun:
		add("version", e.Version, true)
		add("config", e.Config, true)
		add("services", e.Services, true)
	case lifecycle.KindEndedAll:
		add("code", e.Code, true)
	case lifecycle.KindRequest:
		add("only", strings.Join(e.Names, ","), len(e.Names) > 0)
	case lifecycle.KindRequestDone:
		add("not_reloaded", strings.Join(e.Names, ","), len(e.Names) > 0)
	default:
		add(reasonKey(e), e.Reason, e.Reason != "")
	}
	log.WithPrefix(leveled(logger, e), "ts", timestamp(e.At)).Log(line...)
}

// leveled picks the level: error is for what a person has to act on.
func leveled(logger log.Logger, e lifecycle.Event) log.Logger {
	switch e.Kind {
	case lifecycle.KindEnding:
		if e.By == "" { // nobody asked for it
			return level.Warn(logger)
		}
	case lifecycle.KindRefused, lifecycle.KindConfigError, lifecycle.KindGivenUp, lifecycle.KindTrouble, lifecycle.KindAbandoned, lifecycle.KindStartFailed, lifecycle.KindRolledBack, lifecycle.KindInstead:
		return level.Error(logger)
	case lifecycle.KindPutBack, lifecycle.KindHookFailed, lifecycle.KindKilled, lifecycle.KindEnded, lifecycle.KindMainGone, lifecycle.KindIgnored, lifecycle.KindReloadWaits, lifecycle.KindAdvice, lifecycle.KindLeft:
		return level.Warn(logger)
	case lifecycle.KindReloadEnded:
		if e.Result.Failed() {
			return level.Error(logger)
		}
	case lifecycle.KindRequestDone:
		if len(e.Names) > 0 {
			return level.Error(logger)
		}
	case lifecycle.KindSettled:
		return level.Debug(logger)
	case lifecycle.KindAnswered:
		if e.Result == lifecycle.ResultStopped || e.Result == lifecycle.ResultSignalled { // which was said before
			return level.Debug(logger)
		}
	default:
	}
	return level.Info(logger)
}

// message says what happened. If something else than a reload was asked for, it names
// that instead.
func message(e lifecycle.Event) string {
	if e.Verb == "" {
		return string(e.Kind)
	}
	return strings.Replace(string(e.Kind), "reload", e.Verb, 1)
}

func reasonKey(e lifecycle.Event) string {
	switch e.Kind {
	case lifecycle.KindKilled, lifecycle.KindIgnored, lifecycle.KindEnding, lifecycle.KindLeaving, lifecycle.KindLeft, lifecycle.KindAdvice:
		return "reason"
	case lifecycle.KindReloadEnded:
		if e.Result == lifecycle.ResultSignalled {
			return "note"
		}
	default:
	}
	return "err"
}

func exitText(e *lifecycle.Exit) string {
	if e == nil {
		return ""
	}
	return e.String()
}

func ids(reloads []uint64) string {
	texts := make([]string, len(reloads))
	for i, id := range reloads {
		texts[i] = strconv.FormatUint(id, 10)
	}
	return strings.Join(texts, ",")
}

// brief rounds a duration to what a person wants to know of it.
func brief(d time.Duration) string {
	switch {
	case d >= config.Infinity/2:
		return "never"
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.2gs", d.Seconds())
	}
	return d.Round(100 * time.Microsecond).String()
}
