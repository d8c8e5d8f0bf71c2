package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// object is JSON as anybody reads it.
type object = map[string]any

// talk sends a request as it is, and returns the status line, the headers and
// the body. It knows nothing but HTTP/1.1.
func (d *daemon) talk(request string) (status string, headers map[string]string, body string) {
	d.t.Helper()
	d.client()
	c, err := net.Dial("unix", d.path("run", "control.sock"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		d.t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		d.t.Fatal(err)
	}
	r := bufio.NewReader(c)
	line := func() string {
		text, err := r.ReadString('\n')
		if err != nil {
			d.t.Fatalf("read %q: %v", text, err)
		}
		return strings.TrimSuffix(text, "\r\n")
	}
	status, headers = line(), make(map[string]string)
	for text := line(); text != ""; text = line() {
		key, value, _ := strings.Cut(text, ": ")
		headers[strings.ToLower(key)] = value
	}
	if headers["transfer-encoding"] != "chunked" {
		n, err := strconv.Atoi(headers["content-length"])
		if err != nil {
			d.t.Fatalf("how long is the body? %v", headers)
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(r, text); err != nil {
			d.t.Fatal(err)
		}
		return status, headers, string(text)
	}
	for {
		n, err := strconv.ParseInt(line(), 16, 32)
		if err != nil {
			d.t.Fatal(err)
		}
		text := make([]byte, n+2)
		if _, err := io.ReadFull(r, text); err != nil {
			d.t.Fatal(err)
		}
		if n == 0 {
			return status, headers, body
		}
		body += string(text[:n])
	}
}

// has fails the test unless the object has these fields and each is as it should
// be: of the type of the value, and that value unless it is empty. A func(any)
// string says what is wrong.
func has(t *testing.T, where string, o object, want object) {
	t.Helper()
	for key, value := range want {
		got, ok := o[key]
		if !ok {
			t.Errorf("%s: there is no %s in %v", where, key, o)
			continue
		}
		if judge, ok := value.(func(any) string); ok {
			if wrong := judge(got); wrong != "" {
				t.Errorf("%s.%s: %v is %s", where, key, got, wrong)
			}
			continue
		}
		if fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", value, value) {
			t.Errorf("%s.%s: %T %v, want %T %v", where, key, got, got, value, value)
		}
	}
}

// What fields can be.
func moment(v any) string {
	if text, ok := v.(string); ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil && time.Since(at).Abs() < time.Hour {
			return ""
		}
	}
	return "no time of now as RFC 3339 has it"
}

func positive(v any) string {
	if n, ok := v.(float64); ok && n > 0 {
		return ""
	}
	return "no number above 0"
}

func text(v any) string {
	if s, ok := v.(string); ok && s != "" {
		return ""
	}
	return "no text"
}

func listOf(n int) func(any) string {
	return func(v any) string {
		if l, ok := v.([]any); ok && len(l) == n {
			return ""
		}
		return fmt.Sprintf("no list of %d", n)
	}
}

func decoded(t *testing.T, body string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return o
}

func TestStatusOverPlainHTTPHasItsFields(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve; gate g; exit 0")+service("down", "serve", "autostart = false")+
		service("crashing", "say alas; exit 7", failing, `restart_delay = "1h"`, `restart_max_delay = "1h"`))
	pid := d.up("web", 1)
	d.sees("msg=restart", "service=crashing", "in=1h0m0s")
	d.asks(exitDown, "reload", "--no-drain") // crashing does not serve
	d.awaitAll(2, "msg=restart", "service=crashing", "in=1h0m0s")
	web := d.up("web", 2)
	d.says("got TERM", "web", 1)

	status, headers, body := d.talk("GET /v1/status HTTP/1.1\nHost: localhost\n\n")
	if status != "HTTP/1.1 200 OK" || headers["content-type"] != "application/json" {
		t.Fatalf("%s %v %s", status, headers, body)
	}
	s := decoded(t, body)
	has(t, "status", s, object{
		"version": text, "pid": float64(d.cmd.Process.Pid), "config": d.path("hupwatch.toml"), "config_error": "", "config_hash": text, "services": listOf(3),
	})
	services := make(map[string]object)
	for _, v := range s["services"].([]any) {
		o := v.(object)
		services[o["name"].(string)] = o
	}
	has(t, "web", services["web"], object{
		"state": "running", "wanted": "up", "generation": 2.0, "pid": float64(web), "instances": listOf(1), "release": d.dir,
		"since": moment, "restarts": 0.0, "next_start_at": "", "incoming": listOf(0), "draining": listOf(1),
	})
	has(t, "web.instances", services["web"]["instances"].([]any)[0].(object), object{"instance": 0.0, "generation": 2.0, "pid": float64(web)})
	has(t, "web.draining", services["web"]["draining"].([]any)[0].(object), object{
		"instance": 0.0, "generation": 1.0, "pid": float64(pid), "since": moment, "kill_at": moment,
	})
	has(t, "web.last_exit", services["web"]["last_exit"].(object), object{"code": 0.0, "signal": "", "at": ""})
	has(t, "web.last_reload", services["web"]["last_reload"].(object), object{
		"result": "promoted", "error": "", "tail": listOf(0), "started_at": moment, "ended_at": moment, "ready_seconds": positive, "drain_seconds": 0.0,
		"reload": 1.0, "by": text,
	})
	has(t, "down", services["down"], object{
		"state": "stopped", "wanted": "down", "generation": 0.0, "pid": 0.0, "instances": listOf(0), "release": "", "incoming": listOf(0), "draining": listOf(0),
	})
	has(t, "crashing", services["crashing"], object{"state": "backoff", "wanted": "up", "pid": 0.0, "next_start_at": moment})
	has(t, "crashing.last_exit", services["crashing"]["last_exit"].(object), object{"code": 7.0, "signal": "", "at": moment})
	has(t, "crashing.last_reload", services["crashing"]["last_reload"].(object), object{"result": "failed", "error": text, "tail": listOf(1)})

	d.open("g")
	d.sees("msg=generation exited", "service=web", "generation=1")
	eventually(t, "the drain is told", func() bool {
		_, _, body = d.talk("GET /v1/services/web HTTP/1.1\nHost: x\n\n")
		return positive(decoded(t, body)["last_reload"].(object)["drain_seconds"]) == ""
	})
	has(t, "web", decoded(t, body), object{"name": "web", "draining": listOf(0)})
	d.open("g")
}

func TestReloadOverPlainHTTPSendsItsEvents(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, quick+service("web", "serve")+service("api", "serve"))
	pid := d.up("web", 1)
	d.up("api", 1)
	const request = `{"services":["web"],"changed":false,"key":"deploy-7"}`
	post := func(body string) string {
		return fmt.Sprintf("POST /v1/reload HTTP/1.1\nHost: localhost\nContent-Length: %d\n\n%s", len(body), body)
	}
	status, headers, body := d.talk(post(request))
	if status != "HTTP/1.1 200 OK" || headers["content-type"] != "application/x-ndjson" {
		t.Fatalf("%s %v %s", status, headers, body)
	}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	kinds := ""
	for _, line := range lines {
		o := decoded(t, line)
		has(t, "line", o, object{"at": moment, "kind": text, "reloads": listOf(1)})
		if ids := o["reloads"].([]any); len(ids) == 0 || ids[0] != 1.0 {
			t.Errorf("not of the reload: %s", line)
		}
		kinds += o["kind"].(string) + ", "
	}
	const want = "reload asked, reload begun, generation started, generation promoted, stop signal sent, reload ended, reload done, generation exited, result, "
	early := strings.Replace(want, "reload done, generation exited, ", "generation exited, reload done, ", 1)
	if kinds != want && kinds != early {
		t.Errorf("what happened is\n%s want\n%s", kinds, want)
	}
	has(t, "promoted", decoded(t, lines[3]), object{"service": "web", "generation": 2.0, "pid": positive, "seconds": positive})
	has(t, "stop signal", decoded(t, lines[4]), object{"service": "web", "generation": 1.0, "pid": float64(pid), "signal": "TERM", "wait_seconds": 30.0})
	r := decoded(t, lines[len(lines)-1])["reload"].(object)
	reload := object{"id": 1.0, "what": "reload", "by": text, "started_at": moment, "ended_at": moment, "done": true, "services": listOf(1)}
	has(t, "reload", r, reload)
	service := object{
		"name": "web", "result": "promoted", "error": "", "tail": listOf(0), "started_at": moment, "ended_at": moment,
		"ready_seconds": positive, "drain_seconds": positive, "generation": 2.0, "pid": float64(d.promoted("web", 2)), "state": "running", "wanted": "up",
	}
	has(t, "reload.services", r["services"].([]any)[0].(object), service)

	status, _, body = d.talk("GET /v1/reloads/1 HTTP/1.1\nHost: localhost\n\n")
	if status != "HTTP/1.1 200 OK" {
		t.Errorf("%s %s", status, body)
	}
	has(t, "reloads/1", decoded(t, body), reload)
	has(t, "reloads/1", decoded(t, body)["services"].([]any)[0].(object), service)

	// The same key asks again, never twice.
	_, _, body = d.talk(post(request))
	lines = strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	has(t, "asked again", decoded(t, lines[len(lines)-1])["reload"].(object), reload)
	d.sees("msg=reload asked")
	if n := len(d.all("msg=reload asked")); n != 1 {
		t.Errorf("%d reloads were asked for", n)
	}
	// No body at all is a reload of everything.
	_, _, body = d.talk("POST /v1/reload HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n")
	lines = strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	has(t, "everything", decoded(t, lines[len(lines)-1])["reload"].(object), object{"id": 2.0, "done": true, "services": listOf(2)})

	for request, want := range map[string]string{
		post(`{"services":["wbe"]}`):                         "404",
		post(`{"service":"web"}`):                            "400",
		post(`{"services":["web"]`):                          "400",
		post(`{"services":["api"],"key":"deploy-7"}`):        "409",
		"GET /v1/services/wbe HTTP/1.1\nHost: x\n\n":         "404",
		"GET /v1/reloads/99 HTTP/1.1\nHost: x\n\n":           "404",
		"GET /v1/reload HTTP/1.1\nHost: x\n\n":               "405",
		"GET /v2/status HTTP/1.1\nHost: x\n\n":               "404",
		"POST /v1/services/web/signal HTTP/1.1\nHost: x\n\n": "400",
		"POST /v1/services/down/start HTTP/1.1\nHost: x\n\n": "404",
	} {
		status, _, body := d.talk(request)
		if !strings.HasPrefix(status, "HTTP/1.1 "+want) {
			t.Errorf("%q: %s %s, want %s", request, status, body, want)
		}
		has(t, request, decoded(t, body), object{"error": text})
	}
}
