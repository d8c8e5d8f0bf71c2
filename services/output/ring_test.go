package output

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestARingKeepsTheLastLinesInItsBytes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []int{64, 100, 1000, 4096} {
		for _, most := range []int{0, 3} {
			r := ring{limit: limit, most: most}
			var all []entry
			for i := range 2000 {
				e := entry{int64(i), i, i % 3, Out, bytes.Repeat([]byte{byte(i)}, random.IntN(2*limit/3))}
				if i%2 == 0 {
					e.stream = Err
				}
				r.add(e)
				e.text = e.text[:min(len(e.text), limit-header)]
				all = append(all, e)
				check(t, &r, all)
			}
		}
	}
}

// check compares a ring with all that was put into it.
func check(t *testing.T, r *ring, all []entry) {
	t.Helper()
	got := r.last(-1)
	want := all[len(all)-len(got):]
	size := 0
	for _, e := range got {
		size += header + len(e.text)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("it has\n%v\nwant\n%v", got, want)
	}
	if len(r.bytes) > r.limit || size != r.size || size > r.limit || len(got) != r.count || r.most > 0 && r.count > r.most {
		t.Fatalf("%d entries, %d bytes in %d, limit %d", r.count, size, len(r.bytes), r.limit)
	}
	// It lets go of no more than it must.
	if i := len(all) - len(got) - 1; i >= 0 && r.count != r.most && size+len(all[i].text)+header <= r.limit-2*header-len(all[len(all)-1].text) {
		t.Fatalf("there was room for more than %d entries", r.count)
	}
	if two := r.last(2); len(got) >= 2 && !reflect.DeepEqual(two, got[len(got)-2:]) {
		t.Fatalf("the last two are %v", two)
	}
}

func TestARingTakesMemoryOnlyAsLinesCome(t *testing.T) {
	t.Parallel()
	r := ring{limit: journalBytes}
	r.add(entry{text: []byte("hello")})
	if len(r.bytes) > 64 {
		t.Errorf("%d bytes for one short line", len(r.bytes))
	}
}
