package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestKeysAreFoundOnTheirLines(t *testing.T) {
	text := `# a comment with [brackets] and "quotes"
top = 1

[services.web] # [not.this]
command = ["a", # one
  "b # no comment",
  """c
]""",
  'd']
environment = { A = "1", "B C" = '''x
}''', D.E = "2" }
"quoted \"key\"".'raw' = 5

[[services.web.listen]]
address = "x"
[[services.web.listen]]
address = "y"
mode = "0600"
[services]
after.all = true
[a]
b = [ [ 1, { c = 2 } ],
 { d = [ 3,
 4 ] } ]
`
	want := map[string]int{
		"top": 2, "services": 19, "services.web": 4,
		"services.web.command": 5, "services.web.command[0]": 5, "services.web.command[1]": 6, "services.web.command[2]": 7, "services.web.command[3]": 9,
		"services.web.environment": 10, "services.web.environment.A": 10, `services.web.environment."B C"`: 10,
		"services.web.environment.D": 11, "services.web.environment.D.E": 11,
		`services.web."quoted \"key\""`: 12, `services.web."quoted \"key\"".raw`: 12,
		"services.web.listen": 14, "services.web.listen[0]": 14, "services.web.listen[0].address": 15,
		"services.web.listen[1]": 16, "services.web.listen[1].address": 17, "services.web.listen[1].mode": 18,
		"services.after": 20, "services.after.all": 20,
		"a": 21, "a.b": 22, "a.b[0]": 22, "a.b[0][0]": 22, "a.b[0][1]": 22, "a.b[0][1].c": 22,
		"a.b[1]": 23, "a.b[1].d": 23, "a.b[1].d[0]": 23, "a.b[1].d[1]": 24,
	}

	if got := keyLines([]byte(text)); !maps.Equal(got, want) {
		for _, path := range slices.Sorted(maps.Keys(want)) {
			if got[path] != want[path] {
				t.Errorf("%s is on line %d, not %d", path, got[path], want[path])
			}
			delete(got, path)
		}
		t.Errorf("too much: %v", got)
	}
}

func TestUnknownKeyIsReportedOnTheLineOfItsTable(t *testing.T) {
	s := &source{text: []byte("\n[a]\n\"b.c\" = {\n}")}
	for path, want := range map[string]int{"a.x": 2, `a."b.c"`: 3, `a."b.c".d.e[5].f`: 3, `a."x.y"`: 2, "z": 1, "": 1} {
		if got := s.line(path); got != want {
			t.Errorf("%s is on line %d, not %d", path, got, want)
		}
	}
}

func TestBracketsThatNestTooDeepAreRefused(t *testing.T) {
	for _, text := range []string{
		"a = " + strings.Repeat("[", largest-10),
		"a = " + strings.Repeat("{a=", largest/4),
		strings.Repeat("[", largest),
	} {
		s := &source{text: []byte(text)}
		if _, line, err := s.decode(); err == nil || line != 1 {
			t.Errorf("got line %d, %v", line, err)
		}
		keyLines(s.text)
	}
}

func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"a = 1\n[b.c]\nd.e = [1, 2]\n", "[[a.b]]\nc = 1\n[[a.b]]\n[a.b.d]\n", "a = {b = {c = 1}, d = [{e = 1}, {e = 2}]}",
		"a = \"\"\"x\n\"\"\"\"\"\nb = '''\n'''''\n", "\"\\u00e9\\t\" = 1\n'a.b'.\"\" = 2 # c", "a = [\n# ]\n1,\n]\n[t] # x\n", "\xef\xbb\xbfa = 1979-05-27 07:32:00\r\nb = inf",
		"a=[[[{b=[{}]}]]]", "[a]\n[a.b]\nc={}\n[a.b.d]", string(Example()),
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		got := keyLines(text)

		s := &source{text: text}
		values, _, err := s.decode()
		if err != nil {
			return
		}
		want := make(map[string]bool)
		collect("", values, want)
		for path := range want {
			if got[path] == 0 {
				t.Errorf("%s has no line", path)
			}
		}
		for path, line := range got {
			if !want[path] || line > strings.Count(string(text), "\n")+1 {
				t.Errorf("there is no %s on line %d", path, line)
			}
		}
	})
}

// collect finds the path of every key and element of a decoded value.
func collect(path string, v any, into map[string]bool) {
	if path != "" {
		into[path] = true
	}
	if elements, ok := list(v); ok {
		for i, e := range elements {
			collect(joinIndex(path, i), e, into)
		}
	}
	if values, ok := v.(map[string]any); ok {
		for name, v := range values {
			collect(joinKey(path, name), v, into)
		}
	}
}

func TestDurationAcceptsItsFormsOnly(t *testing.T) {
	for _, c := range []struct {
		value any
		want  time.Duration
	}{
		{"500ms", 500 * time.Millisecond},
		{"1m30s", 90 * time.Second},
		{"1.5h", 90 * time.Minute},
		{"30", 30 * time.Second},
		{"0.25", 250 * time.Millisecond},
		{"0", 0},
		{int64(30), 30 * time.Second},
		{1.5, 1500 * time.Millisecond},
		{0.1, 100 * time.Millisecond},
		{"infinity", Infinity},
		{"876000h", longest},
	} {
		if got, err := duration(c.value); got != c.want || err != nil {
			t.Errorf("%v is %v (%v), not %v", c.value, got, err, c.want)
		}
	}
	for _, bad := range []any{"", "s", "-1s", "2d", "5 m", "876001h", "inf", "nan", "1e300", int64(-1), int64(1) << 62, -0.5, true, time.Time{}} {
		if got, err := duration(bad); err == nil {
			t.Errorf("%v is %v", bad, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"500ms", "1m30s", "infinity", "30", "-1s", "2d", "1e9", "nan", "+5s", ".5s", "9223372036854775807ns", "0x1p10", "1_000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := duration(s)
		if err != nil {
			if d != 0 || !strings.Contains(err.Error(), "duration") {
				t.Errorf("%q is %v with %v", s, d, err)
			}
			return
		}
		if d < 0 || d > longest && d != Infinity {
			t.Errorf("%q is %v", s, d)
		}
		if again, err := duration(d.String()); d != Infinity && (again != d || err != nil) {
			t.Errorf("%v came back as %v, %v", d, again, err)
		}
	})
}

func TestDefaultsOfTheKeyTableDecode(t *testing.T) {
	// newLoader panics otherwise.
	newLoader("x", func(string) (string, bool) { return "", false })
}

func TestForeignKeysArePlainAndLeadToAKeyOrAHint(t *testing.T) {
	index := newKeyIndex(Keys())
	for section, keys := range index {
		for _, f := range foreignKeys(section) {
			if f.key != "" && keys[f.key] == nil || f.key == "" && f.hint == "" {
				t.Errorf("%+v in section %q leads nowhere", f, section)
			}
			for name := range strings.FieldsSeq(f.names) {
				if plain(name) != name {
					t.Errorf("%q is not plain, so it is never found", name)
				}
			}
		}
	}
}

func TestLimitsOfAllSystemsHaveNames(t *testing.T) {
	for name := range resources {
		if !slices.Contains(limitNames, name) {
			t.Errorf("limit %s has no name", name)
		}
	}
	if _, err := parseLimit("nofile", int64(1)); err != nil {
		t.Error(err)
	}
}

func TestMisspeltWordsAreNear(t *testing.T) {
	words := []string{"command", "stop_signal", "stop_timeout", "start_timeout", "user", "umask"}
	for word, want := range map[string]string{
		"comand": "command", "stopsignal": "stop_signal", "Stop-Signal": "stop_signal", "usr": "user", "resu": "", "umaks": "umask",
		"stop_timout": "stop_timeout", "satrt_timeout": "start_timeout", "x": "", "": "", "colour": "",
	} {
		if got := nearest(word, words); got != want {
			t.Errorf("%q is near %q, not %q", word, got, want)
		}
	}
}
