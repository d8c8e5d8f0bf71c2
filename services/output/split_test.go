package output

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// cut splits a text that is read in parts of a size.
func cut(t testing.TB, text []byte, size int) (pieces []piece) {
	t.Helper()
	var s splitter
	clone := func(p piece) piece { p.text = bytes.Clone(p.text); return p }
	for len(text) > 0 {
		n := min(size, len(text))
		for p := range s.split(text[:n]) {
			pieces = append(pieces, clone(p))
		}
		text = text[n:]
		if len(s.rest) > longest || len(s.rest) == 0 && s.rest != nil {
			t.Fatalf("%d bytes are kept between reads", len(s.rest))
		}
	}
	if p, ok := s.flush(); ok {
		pieces = append(pieces, clone(p))
	}
	return pieces
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("a\r\nb\n\nc"), 1, 1)
	f.Add([]byte("\xe2\x82\xac\x80\x80\x80\x80\n"), 3000, 7)
	f.Add([]byte("no end"), 2000, 4096)
	f.Fuzz(func(t *testing.T, text []byte, times, size int) {
		text = bytes.Repeat(text, 1+max(0, times)%5000)
		text = text[:min(len(text), 5*longest)]
		var back []byte
		pieces := cut(t, text, 1+max(0, size)%(3*longest))
		first := true
		for i, p := range pieces {
			if len(p.text) > longest || p.first != first || len(p.text) == 0 && p.first && !p.last {
				t.Fatalf("piece %d is %+v", i, p)
			}
			if utf8.Valid(text) && !utf8.Valid(p.text) {
				t.Fatalf("piece %d is cut within a character", i)
			}
			first = p.last
			if back = append(back, p.text...); p.last {
				back = append(back, '\n')
			}
		}
		if !bytes.Equal(back, text) {
			t.Fatalf("%d bytes became %d", len(text), len(back))
		}
		at := cut(t, text, len(text)+1)
		if len(at) != len(pieces) {
			t.Fatalf("%d pieces if it is read in parts, %d if at once", len(pieces), len(at))
		}
	})
}

func TestALineThatIsExactlyAsLongAsAPieceStaysWhole(t *testing.T) {
	t.Parallel()
	pieces := cut(t, []byte(strings.Repeat("x", longest)+"\n"), 1000)
	if len(pieces) != 1 || !pieces[0].first || !pieces[0].last {
		t.Errorf("%d pieces", len(pieces))
	}
}

func TestAnEndOfLineThatIsCutOffIsNoLine(t *testing.T) {
	t.Parallel()
	pieces := cut(t, []byte(strings.Repeat("x", longest)+"\r\n"), 1000)
	if len(pieces) != 2 || pieces[0].blank() || !pieces[1].blank() {
		t.Errorf("got %d pieces", len(pieces))
	}
}

func TestAnEndlessLineTakesNoMoreMemoryThanAPiece(t *testing.T) {
	t.Parallel()
	var s splitter
	text := bytes.Repeat([]byte("x"), 16<<10)
	for range 1000 {
		for p := range s.split(text) {
			if len(p.text) > longest {
				t.Fatalf("a piece of %d bytes", len(p.text))
			}
		}
		if cap(s.rest) > 64<<10 {
			t.Fatalf("%d bytes are kept", cap(s.rest))
		}
	}
}
