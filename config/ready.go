package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Ready is how to see that a generation is ready.
type Ready struct {
	Kind ReadyKind
	// URL is what http asks for, and Headers what it sends besides.
	URL     string
	Headers map[string]string
	// Address is what tcp or unix connect to, HOST:PORT or a path. For http it is the
	// path of a unix socket, or empty.
	Address string
	// Exec is the argument vector of exec.
	Exec []string
	// FD is the descriptor to which the program writes a newline once it is ready.
	FD int
	// Interval is the pause between two attempts, Timeout how long each may take.
	Interval, Timeout time.Duration
}

// The pause between two attempts and how long each may take, by default.
const (
	ProbeInterval = 250 * time.Millisecond
	ProbeTimeout  = 2 * time.Second
)

// Probe is how to see that a generation of the service is ready; nil if the file does
// not say how, or says "warmup". With publish, the default is that the generation
// accepts a connection at its own path.
func (s *Service) Probe() *Ready {
	switch {
	case s.Ready != nil && s.Ready.Kind == ReadyWarmup:
		return nil
	case s.Ready == nil && s.Publish != "":
		return &Ready{Kind: ReadyUnix, Address: "${" + BindVariable + "}", Interval: ProbeInterval, Timeout: ProbeTimeout}
	}
	return s.Ready
}

// ReadyKind is a way to see that a generation is ready.
type ReadyKind string

// The ways. In URL, Address and Exec ${X} is expanded for each generation, against
// its environment.
const (
	ReadyHTTP   ReadyKind = "http"   // a GET is answered with 2xx
	ReadyTCP    ReadyKind = "tcp"    // a connection is accepted
	ReadyUnix   ReadyKind = "unix"   // likewise
	ReadyExec   ReadyKind = "exec"   // a command exits with status 0
	ReadyNotify ReadyKind = "notify" // it says READY=1, see sd_notify(3)
	ReadyFD     ReadyKind = "fd"     // it writes a newline to a descriptor
	ReadyWarmup ReadyKind = "warmup" // at once: nothing is looked at, and only the warm-up counts
)

// Descriptors 0 to 2 are standard input, output and error.
const leastReadyFD, mostReadyFD = 3, 255

// kindKeys are the keys that say how. There must be one of them.
var kindKeys = []ReadyKind{ReadyHTTP, ReadyTCP, ReadyUnix, ReadyExec, ReadyNotify, ReadyFD}

func decodeReady(t *table, k *Key, v any) {
	t.service.Ready = nil
	if v == string(ReadyWarmup) {
		t.service.Ready = &Ready{Kind: ReadyWarmup}
		return
	}
	given, ok := v.(map[string]any)
	if !ok {
		t.problem(k.Name, fmt.Errorf("expected a table, like ready = %s, or \"warmup\", not %s", readyExample(v, k), typeName(v)))
		return
	}

	ready := t.base.ready
	sub := &table{loader: t.loader, source: t.source, section: sectionReady, path: t.absolute(k.Name), given: given, ready: &ready}
	sub.decode()
	sub.chooseKind()
	if len(sub.failed) == 0 {
		t.service.Ready = &ready
	}
}

// readyExample writes the table that was meant by a mere word or address.
func readyExample(v any, k *Key) string {
	s, _ := v.(string)
	switch {
	case s == "notify":
		return "{ notify = true }"
	case strings.HasPrefix(s, "http://"):
		return fmt.Sprintf("{ http = %q }", clip(s))
	case strings.HasPrefix(s, "tcp://"):
		return fmt.Sprintf("{ tcp = %q }", clip(s))
	case strings.HasPrefix(s, "unix:"), strings.HasPrefix(s, "/"):
		return fmt.Sprintf("{ unix = %q }", clip(s))
	}
	return k.Example()
}

// chooseKind finds the one key that says how.
func (t *table) chooseKind() {
	var kinds []string
	for _, kind := range kindKeys {
		if t.place(string(kind)) != "" {
			kinds = append(kinds, string(kind))
		}
	}
	if t.place("http") != "" { // then unix says over which socket
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == string(ReadyUnix) })
	}

	switch {
	case len(kinds) > 1:
		t.problem("", fmt.Errorf("%s: only one of them can say when it is ready, keep one", strings.Join(kinds, ", ")))
	case len(kinds) == 1:
		t.ready.Kind = ReadyKind(kinds[0])
		if t.place("headers") != "" && t.ready.Kind != ReadyHTTP {
			t.problem("headers", fmt.Errorf("only http sends headers, this is %s: remove them", kinds[0]))
		}
	case !t.hasUnknown():
		t.problem("", errors.New(`it does not say how: write one of http, tcp, unix, exec, notify = true and fd, like { http = "http://127.0.0.1:8000/healthz" }`))
	}
}

// hasUnknown reports whether the table has an unknown key. That is reported already,
// and may be a misspelling of the key that is missing.
func (t *table) hasUnknown() bool {
	for name := range t.given {
		if _, known := t.keys[t.section][name]; !known {
			return true
		}
	}
	return false
}

func decodeNotify(t *table, k *Key, v any) {
	yes, ok := v.(bool)
	switch {
	case !ok:
		t.mistyped(k, v)
	case !yes:
		t.problem(k.Name, errors.New("false says nothing: write notify = true, or remove it"))
	}
}

func decodeReadyExec(t *table, k *Key, v any) {
	if argv, split, ok := t.argv(k, v); ok {
		t.lintArgv(k.Name, argv, split)
		t.ready.Exec = argv
	}
}

func decodeHeaders(t *table, k *Key, v any) {
	values, ok := v.(map[string]any)
	if !ok {
		t.mistyped(k, v)
		return
	}

	headers := make(map[string]string, len(values))
	spelled := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := joinKey(k.Name, name)
		value, err := headerValue(name, values[name])
		if err != nil {
			t.problem(at, err)
			continue
		}
		if other, ok := spelled[strings.ToLower(name)]; ok {
			t.problem(at, fmt.Errorf("the same header as %s: keep one", other))
			continue
		}
		if strings.Contains(value, "${") {
			t.warn(at, "a header is sent as it is: variables are replaced in http, unix, tcp and exec only")
		}
		spelled[strings.ToLower(name)] = name
		headers[name] = value
	}
	t.ready.Headers = headers
}

// headerValue decodes the value of a header, and checks its name too.
func headerValue(name string, v any) (string, error) {
	value, ok := v.(string)
	switch {
	case !isHeaderName(name):
		return "", errors.New("not the name of a header: letters, digits and -, like X-Forwarded-Proto")
	case !ok:
		return "", fmt.Errorf("expected a string, like %s = %q, not %s", name, plainValue(v), typeName(v))
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "", errors.New("the value has a control character in it")
	}
	return value, nil
}

func isHeaderName(name string) bool {
	for i := range len(name) {
		if !isLetterOrDigit(name[i]) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(name[i])) {
			return false
		}
	}
	return name != ""
}
