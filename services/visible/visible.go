// Package visible makes text from elsewhere harmless to a terminal, and to whoever
// reads it there: nothing in it can command the terminal, look like a line of its own,
// hide, or turn the direction of the text.
package visible

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Append appends text. It writes whatever is no letter, sign, blank or tab like \x1b
// or \u202e, and so bytes that are not UTF-8. Its own output stays as it is.
func Append(to, text []byte) []byte {
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
		format := ""
		switch {
		case c < utf8.RuneSelf, r == utf8.RuneError && size == 1:
			r, format = rune(c), `\x%02x`
		case !unicode.IsGraphic(r):
			format = `\u%04x`
		}
		if format != "" {
			to = append(to, text[plain:i]...)
			to = fmt.Appendf(to, format, r)
			plain = i + size
		}
		i += size
	}
	return append(to, text[plain:]...)
}

// String is Append for a string.
func String(text string) string {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f {
			return string(Append(nil, []byte(text)))
		}
	}
	return text
}
