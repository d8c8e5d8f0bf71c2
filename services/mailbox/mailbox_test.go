package mailbox_test

import (
	"slices"
	"sync"
	"testing"

	"hupwatch/services/mailbox"
)

func TestValuesComeInTheOrderTheyWerePut(t *testing.T) {
	box := mailbox.New[int](0)
	for i := range 5 {
		box.Put(i)
	}
	<-box.Wake
	values, lost, closed := box.Take()
	if !slices.Equal(values, []int{0, 1, 2, 3, 4}) || lost != 0 || closed {
		t.Errorf("took %v, lost %d, closed %v", values, lost, closed)
	}
	select {
	case <-box.Wake:
		t.Error("it wakes the receiver for nothing")
	default:
	}
}

func TestAFullBoxCountsWhatItLoses(t *testing.T) {
	box := mailbox.New[int](2)
	for i := range 5 {
		box.Put(i)
	}
	if values, lost, _ := box.Take(); !slices.Equal(values, []int{0, 1}) || lost != 3 {
		t.Errorf("took %v, lost %d; want the first two and 3 lost", values, lost)
	}
	if values, lost, _ := box.Take(); len(values) != 0 || lost != 0 {
		t.Errorf("took %v, lost %d from an empty box", values, lost)
	}
}

func TestWhatWasPutBeforeCloseIsTaken(t *testing.T) {
	box := mailbox.New[int](0)
	box.Put(1)
	box.Close()
	<-box.Wake
	if values, _, closed := box.Take(); !slices.Equal(values, []int{1}) || !closed {
		t.Errorf("took %v, closed %v", values, closed)
	}
}

func TestNoValueIsLostBetweenManySenders(t *testing.T) {
	const senders, each = 8, 1000
	box := mailbox.New[[2]int](0)
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range each {
				box.Put([2]int{s, i})
			}
		})
	}
	next := make([]int, senders)
	for taken := 0; taken < senders*each; {
		<-box.Wake
		values, _, _ := box.Take()
		for _, v := range values {
			if v[1] != next[v[0]] {
				t.Fatalf("sender %d: value %d, want %d", v[0], v[1], next[v[0]])
			}
			next[v[0]]++
		}
		taken += len(values)
	}
	all.Wait()
}
