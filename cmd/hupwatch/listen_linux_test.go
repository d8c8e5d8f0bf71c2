package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
)

// A start that fails may leave a process behind for a while, which has the socket: the
// next one has it too. Who connects meanwhile waits, and is served.
func TestSocketStaysOpenBetweenStartsThatFail(t *testing.T) {
	t.Parallel()
	address := loopback()
	listen := fmt.Sprintf(`listen = ["tcp://%s"]`, address)
	d := startDaemon(t, quick+service("web", "ignore TERM; hang", listen, `ready = { unix = "never" }`,
		`start_timeout = "2s"`, `restart_delay = "1ms"`, "restart_limit = 100"))
	d.awaitAll(1, "msg=start failed", "service=web")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
	d.awaitAll(4, "msg=start failed", "service=web")
	for _, e := range d.all("msg=start failed", "service=web") {
		if strings.Contains(e["err"], "in use") {
			t.Errorf("a start failed because %s", e["err"])
		}
	}
	d.configure(quick + service("web", "listen 3; serve", listen))
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload done", "reload=1")
	answer := make([]byte, 1<<10)
	n, err := conn.Read(answer)
	if !strings.HasPrefix(string(answer[:n]), "HTTP/1.0 200 OK") {
		t.Errorf("who waited gets %q, %v", answer[:n], err)
	}
}

// An open port with nobody behind it looks well to a health check, and lets clients
// hang.
func TestAddressOfAServiceThatIsNotStartedAgainRefusesConnections(t *testing.T) {
	t.Parallel()
	address := loopback()
	keys := []string{fmt.Sprintf(`listen = ["tcp://%s"]`, address), `restart = "no"`}
	d := startDaemon(t, quick+service("web", "listen 3; say serving; gate end; exit 1", keys...))
	d.up("web", 1)
	answersTCP(t, address, "web 1")
	d.open("end")
	told := d.sees("msg=given up", "service=web")
	wants(t, told["err"], "its addresses refuse connections")
	if conn, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a connection is not refused: %v, %v", conn, err)
	}
	d.configure(quick + service("web", "listen 3; serve", keys...))
	d.signal(syscall.SIGHUP)
	d.up("web", 2)
	answersTCP(t, address, "web 2")
}

// The release that is rolled back to has all of its addresses, the old generation of it
// may still drain, and those who connected in between are served.
func TestRollBackServesAnAddressThatTheBadReleaseNoLongerHad(t *testing.T) {
	t.Parallel()
	kept, dropped := loopback(), loopback()
	onProbation := strings.Replace(quick, "probation = 0", `probation = "1h"`, 1)
	d := startDaemon(t, onProbation+service("web", "listen 3; listen 4; serve; gate drained; finish; exit 0", fmt.Sprintf(`listen = ["tcp://%s", "tcp://%s"]`, kept, dropped), `stop_timeout = "1h"`))
	d.up("web", 1)
	d.configure(onProbation + service("web", "listen 3; say serving; gate bad; exit 3", fmt.Sprintf(`listen = ["tcp://%s"]`, kept)))
	d.signal(syscall.SIGHUP)
	d.promoted("web", 2)
	d.sees("msg=reload ended", "result=promoted")
	d.open("bad")
	d.await("msg=rolled back", "service=web", "generation=2")
	d.up("web", 3)
	d.open("drained")
	d.sees("msg=generation exited", "generation=1")
	answersTCP(t, kept, "web 3")
	answersTCP(t, dropped, "web 3")
}

// answersTCP fails the test unless this is who answers at HOST:PORT.
func answersTCP(t *testing.T, address, want string) {
	t.Helper()
	if got, err := asksTCP(address); err != nil || got != want {
		t.Errorf("at %s answers %q, %v, want %q", address, got, err, want)
	}
}

// Nobody looks at what it listens on: that is no TCP, and it has ended at once.
func TestServerThatCannotHaveItsUDPPortTwiceIsKeptOutWithTheRemedy(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	host, _, _ := strings.Cut(loopback(), ":")
	server := `import signal, socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("` + host + `", 8000)); print("said=serving service=dns", flush=True); signal.pause()`
	file := quick + fmt.Sprintf("[services.dns]\ncommand = [\"python3\", \"-c\", %q]\n", server)
	d := startDaemon(t, file)
	d.promoted("dns", 1)
	d.await("said=serving", "service=dns")
	d.configure(file + failing)
	reason := d.keepsOld("dns", "1")
	wants(t, reason, "exited with status 1", "its address is in use, and the old one may have it", "give the address to the key listen", "reload to stop-first")
}
