package mistake_test

import (
	"strings"
	"testing"

	"hupwatch/services/mistake"
)

func TestAPanicIsReportedWithWhatWasBeingDoneAndTheStack(t *testing.T) {
	var reported []string
	report := mistake.Report(func(err error) { reported = append(reported, err.Error()) })
	if report.Do("count", func() { panic("planted") }) {
		t.Error("it says that there was no panic")
	}
	if !report.Do("count", func() {}) {
		t.Error("it says that there was a panic")
	}
	if len(reported) != 1 || !strings.Contains(reported[0], "count: ") || !strings.Contains(reported[0], "panic: planted") || !strings.Contains(reported[0], "mistake_test.go") {
		t.Errorf("reported %q", reported)
	}
}

func TestOnceReportsOnlyTheFirstPanic(t *testing.T) {
	n := 0
	report := mistake.Report(func(error) { n++ }).Once()
	for range 3 {
		report.Do("count", func() { panic("planted") })
	}
	if n != 1 {
		t.Errorf("reported %d times, want once", n)
	}
}

func TestWithoutAReportAPanicGoesOn(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	mistake.Report(nil).Once().Do("count", func() { panic("planted") })
}
