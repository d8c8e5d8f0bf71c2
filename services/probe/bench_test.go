package probe_test

import (
	"context"
	"net/http"
	"testing"

	"hupwatch/config"
	"hupwatch/services/probe"
)

// BenchmarkCheck is an attempt that succeeds, both ends of it: the server is
// net/http.
func BenchmarkCheck(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		l := listen(b, network)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("ok"))
		})}
		go server.Serve(l) // until it is closed
		b.Cleanup(func() { server.Close() })
		address := l.Addr().String()

		connect := probe.Target{Kind: config.ReadyKind(network), Address: address, Timeout: patience}
		b.Run(network, func(b *testing.B) { attempts(b, connect) })

		get := probe.Target{Kind: config.ReadyHTTP, URL: "http://" + address, Timeout: patience}
		if network == "unix" {
			get.URL, get.Address = "http://x", address
		}
		b.Run("http over "+network, func(b *testing.B) { attempts(b, get) })
	}
}

func attempts(b *testing.B, target probe.Target) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if err := probe.Check(context.Background(), target, nil); err != nil {
			b.Fatal(err)
		}
	}
}
