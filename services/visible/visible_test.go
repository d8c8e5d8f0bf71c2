package visible_test

import (
	"bytes"
	"testing"
	"unicode"
	"unicode/utf8"

	"hupwatch/services/visible"
)

func TestWhatCouldActOnATerminalIsMadeVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                  "plain",
		"tab\there":              "tab\there",
		"ä € 𝄞":                  "ä € 𝄞",
		"\x1b[31mred\x1b[0m":     `\x1b[31mred\x1b[0m`,
		"bar 10%\rbar 20%":       `bar 10%\x0dbar 20%`,
		"two\nlines":             `two\x0alines`,
		"\x00\x7f":               `\x00\x7f`,
		"\u009b31m\u0085":        `\u009b31m\u0085`,
		"\xff\xc3(\x9b":          `\xff\xc3(\x9b`,
		"\u00a0\ufffd":           "\u00a0\ufffd",
		"cut \xe2\x82":           `cut \xe2\x82`,
		"surrogate \xed\xa0\x80": `surrogate \xed\xa0\x80`,
		"gpj.\u202efdp":          `gpj.\u202efdp`,         // turns the direction
		"line\u2028paragraph":    `line\u2028paragraph`,   // looks like two lines
		"zero\u200bwidth\ufeff":  `zero\u200bwidth\ufeff`, // cannot be seen
	} {
		if got := string(visible.Append([]byte("> "), []byte(text))); got != "> "+want {
			t.Errorf("%q became %q, want %q", text, got, "> "+want)
		}
		if got := visible.String(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte("\x1b]0;title\a\xc2\x9b\xff\tx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := visible.Append(nil, text)
		if !utf8.Valid(got) {
			t.Errorf("%q became %q, which is no UTF-8", text, got)
		}
		for _, r := range string(got) {
			if r != '\t' && !unicode.IsGraphic(r) {
				t.Errorf("%q became %q", text, got)
			}
		}
		if again := visible.Append(nil, got); !bytes.Equal(again, got) {
			t.Errorf("%q became %q at first, then %q", text, got, again)
		}
	})
}
