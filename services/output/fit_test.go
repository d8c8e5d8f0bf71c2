package output

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestAFileIsNeverLargerThanAskedForNorALineTorn writes queues of many lengths, of
// lines that are no longer than a piece, the way a sink does.
func TestAFileIsNeverLargerThanAskedForNorALineTorn(t *testing.T) {
	t.Parallel()
	const size = 200_000
	random := rand.New(rand.NewPCG(3, 4))
	f := &file{}
	f.rotation.Store(&rotation{maxSize: size})
	rotated := 0
	for range 2000 {
		var queue []byte
		for range random.IntN(50) {
			queue = append(append(queue, bytes.Repeat([]byte("x"), random.IntN(longest))...), '\n')
		}
		for len(queue) > 0 {
			n := f.fit(queue)
			if n == 0 {
				if f.size < size-longest-1 || f.within > 0 {
					t.Fatalf("it is rotated at %d bytes, %d within a line", f.size, f.within)
				}
				f.size = 0
				rotated++
				continue
			}
			f.wrote(queue[:n])
			if queue = queue[n:]; f.size > size || f.within > 0 {
				t.Fatalf("it has %d bytes, %d within a line", f.size, f.within)
			}
		}
	}
	if rotated < 100 {
		t.Errorf("rotated %d times", rotated)
	}
}
