package probe_test

import (
	"net"
	"os"
	"slices"
	"testing"

	"hupwatch/config"
	"hupwatch/services/probe"
	"hupwatch/services/process"
)

func TestListenersAreThoseThatTheProbeReaches(t *testing.T) {
	t.Parallel()
	tcp := func(address string) probe.Target { return probe.Target{Kind: config.ReadyTCP, Address: address} }
	http := func(url string) probe.Target { return probe.Target{Kind: config.ReadyHTTP, URL: url} }
	for _, c := range []struct {
		target probe.Target
		want   []string
	}{
		{tcp("127.0.0.1:8000"), []string{"tcp 127.0.0.1:8000", "tcp 0.0.0.0:8000", "tcp [::]:8000"}},
		{tcp("[::ffff:10.0.0.1]:8000"), []string{"tcp 10.0.0.1:8000", "tcp 0.0.0.0:8000", "tcp [::]:8000"}},
		{tcp("[0:0::1]:8000"), []string{"tcp [::1]:8000", "tcp [::]:8000"}},
		{tcp("[fe80::1%eth0]:8000"), []string{"tcp [fe80::1]:8000", "tcp [::]:8000"}},
		{tcp("0.0.0.0:8000"), []string{"tcp 127.0.0.1:8000", "tcp 0.0.0.0:8000", "tcp [::]:8000"}},
		{tcp("[::]:8000"), []string{"tcp [::1]:8000", "tcp [::]:8000"}},
		{tcp("LocalHost:8000"), []string{"tcp 127.0.0.1:8000", "tcp [::1]:8000", "tcp 0.0.0.0:8000", "tcp [::]:8000"}},
		{tcp(":8000"), []string{"tcp 127.0.0.1:8000", "tcp [::1]:8000", "tcp 0.0.0.0:8000", "tcp [::]:8000"}},
		{tcp("example.org:8000"), nil},
		{tcp("8000"), nil},
		{http("http://127.0.0.1/healthz"), []string{"tcp 127.0.0.1:80", "tcp 0.0.0.0:80", "tcp [::]:80"}},
		{http("https://[::1]/"), []string{"tcp [::1]:443", "tcp [::]:443"}},
		{http("http://user:password@127.0.0.1:8000/"), []string{"tcp 127.0.0.1:8000", "tcp 0.0.0.0:8000", "tcp [::]:8000"}},
		{http("http://example.org/"), nil},
		{http("http://127.0.0.1:x/"), nil},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://127.0.0.1:8000", Address: "/run/web.sock"}, []string{"unix /run/web.sock"}},
		{probe.Target{Kind: config.ReadyUnix, Address: "/run/web.sock"}, []string{"unix /run/web.sock"}},
	} {
		if got := c.target.Listeners(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.target, got, c.want)
		}
	}
}

func TestListenersAreInTheNotationOfTheProcess(t *testing.T) {
	t.Parallel()
	if len(process.Lacks()) > 0 {
		t.Skip("this system does not tell who listens")
	}
	for network, address := range map[string]string{"tcp4": "127.77.0.9:8003", "unix": t.TempDir() + "/s"} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		target := probe.Target{Kind: config.ReadyTCP, Address: address}
		if network == "unix" {
			target.Kind = config.ReadyUnix
		}
		listening := process.Listening(os.Getpid())
		if !slices.ContainsFunc(target.Listeners(), func(a string) bool { return slices.Contains(listening, a) }) {
			t.Errorf("none of %q is among %q", target.Listeners(), listening)
		}
	}
}

func TestTheNameOfATargetHasNoSecretInIt(t *testing.T) {
	t.Parallel()
	headers := map[string]string{"Authorization": "secret"}
	for _, c := range []struct {
		target probe.Target
		want   string
	}{
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://user:secret@x/healthz", Headers: headers}, "http://user:xxxxx@x/healthz"},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://x/", Address: "/s"}, "http://x/ over unix /s"},
		{probe.Target{Kind: config.ReadyHTTP, URL: "http://user:secret@x:y/"}, "http"},
		{probe.Target{Kind: config.ReadyTCP, Address: "x:1"}, "tcp x:1"},
	} {
		if got := c.target.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
