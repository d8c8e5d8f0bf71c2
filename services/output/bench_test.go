package output_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
)

// BenchmarkPrefix and BenchmarkFile write lines of 100 bytes as fast as they are
// taken.
func BenchmarkPrefix(b *testing.B) { benchmark(b, config.OutputPrefix) }

func BenchmarkFile(b *testing.B) {
	benchmark(b, config.Output(filepath.Join(b.TempDir(), "web.log")))
}

func benchmark(b *testing.B, to config.Output) {
	b.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	s := newSite(b)
	s.Close(0)
	s.open(b, null)
	c := service("web", to)
	c.OutputMaxSize, c.OutputBackups = 50e6, 1
	capture, err := s.Open(c, 1, 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	fd, _ := capture.Descriptors()
	const lines = 40
	text := bytes.Repeat(append(bytes.Repeat([]byte("x"), 99), '\n'), lines)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := text; len(rest) > 0; {
			n, err := syscall.Write(fd, rest)
			if err != nil && err != syscall.EINTR {
				b.Fatal(err)
			}
			rest = rest[max(n, 0):]
		}
	}
	capture.Forked()
	s.Close(time.Minute)
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkIdle tells what the captures of services that say nothing take, and
// of those that have said something once.
func BenchmarkIdle(b *testing.B) {
	const services = 1000
	for _, words := range []string{"", "listening on 127.0.0.1:8000\n"} {
		b.Run(strconv.Quote(words), func(b *testing.B) {
			for b.Loop() {
				s := newSite(b)
				before, goroutines := heap(), runtime.NumGoroutine()
				for i := range services {
					capture, err := s.Open(service("web"+strconv.Itoa(i), config.OutputPrefix), 1, 0, nil)
					if err != nil {
						b.Fatal(err)
					}
					fd, _ := capture.Descriptors()
					if _, err := syscall.Write(fd, []byte(words)); err != nil {
						b.Fatal(err)
					}
					capture.Tail()
					b.Cleanup(capture.Forked)
				}
				b.ReportMetric(float64(heap()-before)/services, "B/service")
				b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
			}
		})
	}
}
