package config

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestCommandLineIsSplitAsAShellWould(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		`prog "\d+\.log"`:                {"prog", `\d+\.log`},
		`prog '\d' \d "\"\\"`:            {"prog", `\d`, `d`, `"\`},
		`a"b"'c'\d ""  ''`:               {"abcd", "", ""},
		"a\\\nb \"c\\\nd\"":              {"ab", "cd"},
		"prog # comment\n x#y '#'":       {"prog", "x#y", "#"},
		`curl http://x/?a=1&b=(2|3);`:    {"curl", "http://x/?a=1&b=(2|3);"},
		`a $X ${Y} "${Z:-d e}" b`:        {"a", "$X", "${Y}", "${Z:-d e}", "b"},
		`sh -c 'echo ${X}' "\$X" \$X $$`: {"sh", "-c", "echo $${X}", "$$X", "$$X", "$$"},
		"app\r\n  --x\r\n":               {"app", "--x"},
		"":                               nil,
		"  # nothing":                    nil,
	} {
		got, err := splitCommand(line)
		if err != nil || !slices.Equal(got.all, want) {
			t.Errorf("%q is %+v, %v; want %q", line, got, err, want)
		}
	}
	for line, want := range map[string]string{`a 'b`: "a ' is not closed", `a "b`: `a " is not closed`, `a "\"`: `a " is not closed`, `a \`: "the line ends in a backslash"} {
		if _, err := splitCommand(line); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", line, err, want)
		}
	}
}

func TestCommandLinesAreSplitAsBySh(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh")
	}
	random := rand.New(rand.NewPCG(1, 2))
	const alphabet = "ab \t'\"\\#=" // nothing that a shell does more with
	var script strings.Builder
	var wants [][]string
	for range 3000 {
		var line strings.Builder
		for range random.IntN(12) {
			line.WriteByte(alphabet[random.IntN(len(alphabet))])
		}
		got, err := splitCommand(line.String())
		if err != nil {
			continue // sh would read on in the next line
		}
		wants = append(wants, got.all)
		script.WriteString("p " + line.String() + "\n")
	}
	const p = `p() { for a; do printf '[%s]' "$a"; done; printf '\0'; }` + "\n"
	out, err := exec.CommandContext(t.Context(), "sh", "-c", p+script.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Split(string(out), "\x00")
	for i, want := range wants {
		text := ""
		for _, word := range want {
			text += "[" + word + "]"
		}
		if said[i] != text {
			t.Fatalf("line %d is split into %s, by sh into %s", i, text, said[i])
		}
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`a "b\" c" 'd' \e # f`)
	f.Fuzz(func(t *testing.T, line string) {
		split, err := splitCommand(line)
		if err != nil {
			return
		}
		all := split.all
		quoted := make([]string, len(all))
		for i, word := range all { // what is quoted is what it was
			quoted[i] = "'" + strings.ReplaceAll(strings.ReplaceAll(word, "$$", "$"), "'", `'\''`) + "'"
		}
		again, err := splitCommand(strings.Join(quoted, " "))
		if err != nil || len(again.all) != len(all) {
			t.Fatalf("%q is %q, quoted it is %+v, %v", line, all, again, err)
		}
	})
}
