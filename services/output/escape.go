package output

import (
	"fmt"
	"unicode/utf8"
)

// appendEscaped appends text with whatever could do something to a terminal, or
// look like a line of its own, made visible: control characters but the tab, and
// what is no UTF-8.
func appendEscaped(to, text []byte) []byte {
	plain := 0 // where what was not appended yet begins
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < 0x7f || c == '\t' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		switch {
		case c < utf8.RuneSelf, r == utf8.RuneError && size == 1:
			to = append(to, text[plain:i]...)
			to = fmt.Appendf(to, `\x%02x`, c)
			plain = i + size
		case r <= 0x9f: // the second set of control characters
			to = append(to, text[plain:i]...)
			to = fmt.Appendf(to, `\u%04x`, r)
			plain = i + size
		}
		i += size
	}
	return append(to, text[plain:]...)
}
