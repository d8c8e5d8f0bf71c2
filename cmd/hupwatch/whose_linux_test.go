package main

import (
	"fmt"
	"io"
	"log" //nolint:depguard // the type of http.Server.ErrorLog
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// shared is a way for two generations to have one address, and to be asked there.
type shared struct {
	name   string
	keys   string // ADDRESS is one on loopback, PORT that of an IPv6 one, DIR the directory
	listen string // what a script does to serve there
	where  string // how it is said where the old one answers
}

var sharing = []shared{
	{"TCP", `listen = ["tcp://ADDRESS"]; ready = { http = "http://ADDRESS/" }`, "listen 3", ""},
	{"a unix socket", `listen = ["unix://DIR/web"]; ready = { http = "http://web/", unix = "DIR/web" }`, "listen 3", ""},
	{"IPv6", `listen = ["tcp://[::1]:PORT"]; ready = { http = "http://[::1]:PORT/" }`, "listen 3", ""},
	{"both families", `listen = ["tcp://[::]:PORT"]; ready = { http = "http://127.0.0.1:PORT/" }`, "listen 3", ""},
	{"TCP_DEFER_ACCEPT", `listen = ["tcp://ADDRESS"]; ready = { http = "http://ADDRESS/" }`, "defer 3; listen 3", ""},
	{"SO_REUSEPORT", `ready = { http = "http://ADDRESS/" }`, "listen ADDRESS", "it does not listen there itself"},
}

// The old generation answers at the address of the new one, whatever kind that is.
func TestAtASharedAddressOnlyTheAnswerOfTheNewOneCounts(t *testing.T) {
	t.Parallel()
	for _, s := range sharing {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			own := strings.NewReplacer("ADDRESS", loopback(), "PORT", fmt.Sprint(freePort(t)), "DIR", dir)
			config := func(script string, keys ...string) string {
				keys = append(strings.Split(own.Replace(s.keys), "; "), keys...)
				return quick + service("web", own.Replace(script), keys...)
			}
			good, bad := s.listen+"; serve", `start_timeout = "8s"` // long enough to answer
			d := startDaemonIn(t, dir, config(good))
			d.up("web", 1)
			d.configure(config("answer 503 no database; "+good, bad))
			wants(t, d.keepsOld("web", "1"), "within start_timeout (8s)", "503 Service Unavailable: no database")
			d.configure(config("serve", bad))
			wants(t, d.keepsOld("web", "2"), "it is generation 1 (pid ", "that answers, not this one", s.where)
			d.configure(config(good))
			d.signal(syscall.SIGHUP)
			d.sees("msg=reload ended", "reload=3", "result=promoted")
		})
	}
}

// Who connects and sends nothing is never handed over there.
func TestATCPProbeOfADeferredSocketSaysWhatToDo(t *testing.T) {
	t.Parallel()
	address := loopback()
	config := func(script string) string {
		return quick + service("web", script, fmt.Sprintf(`listen = ["tcp://%s"]`, address), fmt.Sprintf(`ready = { tcp = %q, timeout = "2s" }`, address), `start_timeout = "15s"`)
	}
	d := startDaemon(t, config("listen 3; serve"))
	d.up("web", 1)
	d.configure(config("defer 3; listen 3; serve"))
	wants(t, d.keepsOld("web", "1"), "nobody accepted the connection in time", "if the server sets TCP_DEFER_ACCEPT, ask by http")
}

// It has accepted the connection, and closed it before anybody could see who did.
func TestAServerThatHangsUpAtOnceAcceptsConnectionsToo(t *testing.T) {
	t.Parallel()
	address := loopback()
	d := startDaemon(t, quick+
		service("tcp", "banner 3; serve", fmt.Sprintf("listen = [%q]", "tcp://"+address), fmt.Sprintf("ready = { tcp = %q }", address))+
		service("unix", "banner 3; serve", `listen = ["unix:web"]`, `ready = { unix = "web" }`))
	d.promoted("tcp", 1)
	d.promoted("unix", 1)
}

// A Go program has its listener in an epoll long before it accepts there.
func TestAGoProgramIsReadyWhenItAcceptsNotWhenItListens(t *testing.T) {
	t.Parallel()
	listen := fmt.Sprintf(`listen = ["tcp://%s"]`, loopback())
	d := startDaemon(t, quick+service("web", "listen 3; serve", listen))
	d.up("web", 1)
	d.configure(quick + service("web", "open 3; say opened; gate g; accept; serve", listen))
	d.signal(syscall.SIGHUP)
	d.says("opened", "web", 2)
	d.lacks("web", "it does not wait for connections on tcp://")
	if n := len(d.all("msg=generation ready", "generation=2")); n != 0 {
		t.Error("it is ready, and accepts nothing")
	}
	d.open("g")
	d.sees("msg=reload ended", "reload=1", "result=promoted")
}

// haproxy hands TLS on without a look into it: it is the one that accepts.
func TestServerThatHandsTLSOnIsKnownByItsConnection(t *testing.T) {
	t.Parallel()
	needs(t, "haproxy")
	behind := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "behind") }))
	behind.Config.ErrorLog = log.New(io.Discard, "", 0) // each probe is a handshake that does not come
	behind.StartTLS()
	defer behind.Close()
	d := newDaemon(t, shortDir(t))
	address := loopback()
	release := func(bind string, keys ...string) {
		t.Helper()
		text := "defaults\n mode tcp\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n" +
			"frontend f\n bind " + bind + "\n default_backend b\nbackend b\n server s " + behind.Listener.Addr().String() + "\n"
		if err := os.WriteFile(d.path("haproxy.cfg"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d.configure(quick + fmt.Sprintf(`
[services.web]
command = ["haproxy", "-W", "-f", "haproxy.cfg"]
working_dir = "."
stop_signal = "USR1"
listen = ["tcp://%[1]s"]
ready = { tcp = "%[1]s" }
`, address) + strings.Join(keys, "\n"))
	}
	release("fd@3")
	d.start()
	d.promoted("web", 1)

	release(loopback(), `start_timeout = "10s"`)
	wants(t, d.keepsOld("web", "1"), "within start_timeout (10s)", "it is generation 1 (pid ", "that answers, not this one")
	release("fd@3")
	d.signal(syscall.SIGHUP)
	d.sees("msg=reload ended", "reload=2", "result=promoted")
	client := behind.Client()
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	resp, err := client.Get("https://" + address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// In a container hupwatch is root without the right to trace, and its services are
// other users.
func TestNewOneIsSeenThoughRootMayNotTrace(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: nobody, HostID: nobody, Size: 1}}
	for name, confine := range map[string]func(*exec.Cmd){
		"the capability is dropped": func(cmd *exec.Cmd) {
			cmd.Args = append([]string{"setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"}, cmd.Args...)
			cmd.Path = "/usr/bin/setpriv"
		},
		"in a user namespace": func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true}
		},
	} {
		for _, ready := range []string{"", `ready = { http = "http://ADDRESS/" }`} {
			t.Run(name+" "+ready, func(t *testing.T) {
				t.Parallel()
				address := loopback()
				d := newDaemonOf(t, 0)
				confine(d.cmd)
				config := func(script string, keys ...string) string {
					keys = append(keys, `user = "nobody"`, fmt.Sprintf(`listen = ["tcp://%s"]`, address), strings.ReplaceAll(ready, "ADDRESS", address))
					return quick + strings.Replace(service("web", script, keys...), player(), d.path("program"), 1)
				}
				d.configure(config("listen 3; serve"))
				d.start()
				d.up("web", 1)
				d.configure(config("serve", `start_timeout = "8s"`))
				reason := d.keepsOld("web", "1")
				if ready == "" {
					wants(t, reason, "it does not wait for connections on tcp://"+address)
				} else {
					wants(t, reason, "it is generation 1 (pid ", "that answers, not this one")
				}
				d.configure(config("listen 3; serve"))
				d.signal(syscall.SIGHUP)
				d.sees("msg=reload ended", "reload=2", "result=promoted")
				if n := len(d.all("msg=advice")); n != 0 {
					t.Errorf("%d times something could not be seen", n)
				}
			})
		}
	}
}
