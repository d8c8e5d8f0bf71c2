package runner

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/config"
)

// A check said good, and the start told of one of these after the other, or of none by
// its name.
func TestHostFactsNameAllThatAServiceLacksAtOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	missing := filepath.Join(t.TempDir(), "none")
	c := &config.Config{File: "x.toml", Services: []*config.Service{{
		Name: "web", Command: []string{"/bin/sh"}, WorkingDir: missing, User: "nosuchuser", Output: config.Output(missing + "/web.log"),
		EnvFiles: []config.EnvFile{{Path: missing + "/env"}},
		Limits:   []config.Limit{{Name: "nofile", Resource: unix.RLIMIT_NOFILE, Soft: 1 << 40, Hard: 1 << 40}, {Name: "core", Resource: unix.RLIMIT_CORE}},
		Listen:   []config.Listen{{Network: "tcp", Address: address}, {Network: "tcp", Address: "127.0.0.1:1"}},
	}}}
	before := limitOf(t)
	var all []string
	for _, p := range HostFacts(c) {
		all = append(all, p.Key+": "+p.Text)
	}
	for _, want := range []string{
		"services.web: working_dir " + missing, "services.web: user nosuchuser", "services.web: env_file",
		"services.web.limits.nofile: the hard limit here is ", "services.web.output: ", "services.web.listen[0]: runner.test, pid " + strconv.Itoa(os.Getpid()) + ", listens there",
	} {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("nothing says %q:\n%s", want, strings.Join(all, "\n"))
		}
	}
	if len(all) != 6 {
		t.Errorf("it says %d things:\n%s", len(all), strings.Join(all, "\n"))
	}
	if after := limitOf(t); after != before {
		t.Errorf("the limit was %v, and is %v", before, after)
	}
}

func limitOf(t *testing.T) unix.Rlimit {
	t.Helper()
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	return l
}
