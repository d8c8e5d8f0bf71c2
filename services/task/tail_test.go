package task

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestWhatWasWrittenBeforeTheEndIsNotLost(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close() // somebody has it open all the time
	if _, err := in.WriteString("written\n"); err != nil {
		t.Fatal(err)
	}
	if err := out.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var last tail
	last.follow(out)
	last.catchUp(out)
	if got := last.lines(); !slices.Equal(got, []string{"written"}) {
		t.Errorf("%q, want what was written", got)
	}
}

func TestTailStopsReadingAnEndlessWriter(t *testing.T) {
	endless, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer endless.Close()
	var last tail
	last.catchUp(endless)
	if len(last.text) != tailBytes {
		t.Errorf("%d bytes were kept, want %d", len(last.text), tailBytes)
	}
}
