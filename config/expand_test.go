package config_test

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"hupwatch/config"
)

func TestExpandReplacesOnlyWhatIsInBraces(t *testing.T) {
	env := map[string]string{"A": "1", "EMPTY": "", "_b2": "2"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }

	for in, want := range map[string]string{
		"":                   "",
		"plain":              "plain",
		"${A}":               "1",
		"x${A}y${_b2}z":      "x1y2z",
		"$A":                 "$A",
		"$":                  "$",
		"$$":                 "$",
		"$$$$":               "$$",
		"$${A}":              "${A}",
		"$$${A}":             "$1",
		"a$ {A}":             "a$ {A}",
		"${EMPTY}":           "",
		"${EMPTY:-x}":        "x",
		"${UNSET:-x}":        "x",
		"${UNSET:-}":         "",
		"${UNSET:-a:-b $$c}": "a:-b $c",
		"${A:-x}":            "1",
		"}{":                 "}{",
	} {
		if got, err := config.Expand(in, lookup); got != want || err != nil {
			t.Errorf("%q became %q (%v), not %q", in, got, err, want)
		}
	}

	for _, in := range []string{"${UNSET}", "${", "${A", "${}", "${1A}", "${A B}", "${A-x}", "${A:=x}", "${A:?x}", "${:-x}", "${UNSET:-${A}}", "${A:-${B}}", "${ä}"} {
		if got, err := config.Expand(in, lookup); err == nil {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func TestExpandDoesNotExpandWhatItPutIn(t *testing.T) {
	got, err := config.Expand("${A}", func(string) (string, bool) { return "${A}$$", true })
	if got != "${A}$$" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"", "${A}", "$$", "${A:-b}", "${", "$", "a$b${C}d", "${A:-${B}}", "${UNSET}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lookup := func(name string) (string, bool) { return "<" + name + ">", !strings.HasPrefix(name, "UNSET") }

		got, err := config.Expand(s, lookup)
		if !strings.Contains(s, "$") && (got != s || err != nil) {
			t.Errorf("%q became %q, %v", s, got, err)
		}
		if err != nil && got != "" {
			t.Errorf("%q became %q with %v", s, got, err)
		}
		escaped := strings.ReplaceAll(s, "$", "$$")
		if back, err := config.Expand(escaped, lookup); back != s || err != nil {
			t.Errorf("%q became %q, %v", escaped, back, err)
		}
	})
}

func TestEnvFileKnowsQuotesEscapesAndComments(t *testing.T) {
	text := "\ufeff# comment = no\n" +
		"; another\n" +
		"   \t\r\n" +
		"A=1\r\n" +
		"  B = two words  \n" +
		"C=\n" +
		"D='single $X \\n # kept\nand on'\n" +
		"E=\"double \\\"q\\\" \\$x \\\\ \\n \\\ncontinued\"\n" +
		"F=one \\\ntwo\n" +
		"G=a\\ b\\\\c\\\"\n" +
		"H='a'\"b\"c'd'\n" +
		"I=it's # no comment\n" +
		"J=$A ${A} `x`\n" +
		"A=last\n" +
		"K=trailing\\ \n" +
		"L==x=y\n" +
		"M=ümlaut"
	want := map[string]string{
		"A": "last", "B": "two words", "C": "", "D": "single $X \\n # kept\nand on", "E": "double \"q\" $x \\ \\n continued",
		"F": "one two", "G": `a b\c"`, "H": "abc'd'", "I": "it's # no comment", "J": "$A ${A} `x`", "K": "trailing ", "L": "=x=y", "M": "ümlaut",
	}

	got, problems := config.ParseEnvFile([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestEnvFileReportsEveryProblemWithItsLine(t *testing.T) {
	text := "A=1\nexport B=2\nnot an assignment\n2C=3\n=4\nA-B=5\n\nD='\n'\nE=a\x00b\nLISTEN_FDS=3\nNOTIFY_SOCKET=x\nF=\xff\nG=\"open\nH=1\n"
	want := []string{
		"2: B: no shell reads this file: remove the word export",
		`3: expected NAME=value, not "not an assignment"`,
		"4: 2C: not the name of an environment variable: letters, digits, _ and ., neither a digit nor a dot first",
		"5: not the name of an environment variable: letters, digits, _ and ., neither a digit nor a dot first",
		"6: A-B: not the name of an environment variable: letters, digits, _ and ., neither a digit nor a dot first",
		"10: E: a NUL byte cannot be passed to a program",
		"11: LISTEN_FDS: hupwatch sets this variable itself: remove it",
		"12: NOTIFY_SOCKET: hupwatch sets this variable itself: remove it",
		"13: F: the value is not UTF-8",
		`14: G: the value starts with a " that is never closed`,
	}

	vars, problems := config.ParseEnvFile([]byte(text))
	if got := problems.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if vars != nil {
		t.Errorf("got variables in spite of problems: %v", vars)
	}
}

func FuzzEnvFile(f *testing.F) {
	for _, seed := range []string{"A=1\nB='x y'\n", "# c\n; d\nA=\"a\\\nb\"", "export A=1", "A=\\\n", "A='", "A=b\\", "=\n=", "\xef\xbb\xbfA=1\r\n", "A = b # c"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		vars, problems := config.ParseEnvFile(text)
		if (vars == nil) != (len(problems) > 0) {
			t.Errorf("variables %v with problems %v", vars, problems)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > strings.Count(string(text), "\n")+1 {
				t.Errorf("odd problem %+v", p)
			}
		}

		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")
		for name, value := range vars {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				t.Errorf("%s is %q", name, value)
			}
			again, problems := config.ParseEnvFile([]byte(name + `="` + quote.Replace(value) + "\"\n"))
			if again[name] != value || len(problems) > 0 {
				t.Errorf("%s=%q came back as %q, %v", name, value, again[name], problems)
			}
		}
	})
}
