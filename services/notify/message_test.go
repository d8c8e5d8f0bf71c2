package notify

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestMessageIsWhatItsDatagramsSay(t *testing.T) {
	for name, test := range map[string]struct {
		said []string
		want Message
	}{
		"ready":                    {[]string{"READY=1"}, Message{Ready: true}},
		"several":                  {[]string{"STATUS=a\nMAINPID=77\nREADY=1\n"}, Message{Ready: true, Status: "a", MainPID: 77}},
		"one after the other":      {[]string{"STATUS=a", "MAINPID=77", "READY=1"}, Message{Ready: true, Status: "a", MainPID: 77}},
		"a zero at the end":        {[]string{"READY=1\x00"}, Message{Ready: true}},
		"not ready":                {[]string{"READY=0\nREADY=\nREADY\nready=1\n READY=1\nREADY=11\nXREADY=1"}, Message{}},
		"unknown":                  {[]string{"WATCHDOG=1\nWATCHDOG_USEC=7\nFDSTORE=1\nFDNAME=x\nBARRIER=1\nX_Y=z\n=\n\n"}, Message{}},
		"nothing":                  {[]string{""}, Message{}},
		"stopping":                 {[]string{"STOPPING=1"}, Message{Stopping: true}},
		"a reload of its own":      {[]string{"RELOADING=1\nMONOTONIC_USEC=5"}, Message{}},
		"a reload that is done":    {[]string{"RELOADING=1", "READY=1"}, Message{Ready: true}},
		"the last status":          {[]string{"STATUS=a\nSTATUS=b", "STATUS=c"}, Message{Status: "c"}},
		"no status any more":       {[]string{"STATUS=a", "STATUS="}, Message{}},
		"equal signs":              {[]string{"STATUS=a=b=c"}, Message{Status: "a=b=c"}},
		"more time":                {[]string{"EXTEND_TIMEOUT_USEC=1500000"}, Message{Extend: 1500 * time.Millisecond}},
		"all the time there is":    {[]string{"EXTEND_TIMEOUT_USEC=18446744073709551615"}, Message{Extend: math.MaxInt64 / 1000 * 1000}},
		"more than that":           {[]string{"EXTEND_TIMEOUT_USEC=18446744073709551616"}, Message{}},
		"less than none":           {[]string{"EXTEND_TIMEOUT_USEC=-1\nMAINPID=-7\nERRNO=-2"}, Message{}},
		"a process that cannot be": {[]string{"MAINPID=0\nMAINPID=1\nMAINPID=2147483648\nMAINPID=7x"}, Message{}},
		"the error that keeps it":  {[]string{"ERRNO=98\nSTATUS=bind: in use"}, Message{Status: "bind: in use"}},
	} {
		var got Message
		for _, datagram := range test.said {
			got.add([]byte(datagram))
		}
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestStatusIsOnePrintableLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"Processing 1/10 …":       "Processing 1/10 …",
		" \t a\tb \r":             "a b",
		"\x1b[31mred\x1b[0m\x07":  `\x1b[31mred\x1b[0m\x07`,
		"a\x9bb\u009bc":           `a\x9bb\u009bc`, // the other way to begin an escape sequence
		"\xff\xfe":                `\xff\xfe`,
		"gpj.\u202efdp":           `gpj.\u202efdp`, // turns the text round
		"a\u2028b\u00a0c":         "a b c",
		strings.Repeat("x", 300):  strings.Repeat("x", 256),
		strings.Repeat("äx", 200): strings.Repeat("äx", 85), // 255 bytes: half a letter is none
	} {
		if got := printable([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("READY=1"), []byte("RELOADING=1\nSTATUS=x\n"))
	f.Add([]byte("EXTEND_TIMEOUT_USEC=18446744073709551615\nMAINPID=4711\x00"), []byte("ERRNO=5\n\n=\nSTATUS=\x1b[0m\xff"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var m, whole Message
		m.add(first)
		m.add(second)
		if !utf8.ValidString(m.Status) || len(m.Status) > maxStatus || strings.ContainsFunc(m.Status, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("status %q", m.Status)
		}
		if m.Extend < 0 || m.MainPID < 0 || m.MainPID == 1 {
			t.Errorf("%+v", m)
		}
		again := m
		if again.add(second); again != m {
			t.Errorf("%+v, and with the second said twice %+v", m, again)
		}
		if len(first) == 0 || first[len(first)-1] != 0 {
			whole.add([]byte(string(first) + "\n" + string(second)))
			if whole != m {
				t.Errorf("%+v in two datagrams, %+v in one", m, whole)
			}
		}
	})
}
