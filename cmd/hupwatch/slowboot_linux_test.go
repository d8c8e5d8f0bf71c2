package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
)

// What an application does first where there is a file boot: it takes so many seconds,
// and then fails if the file says so.
const (
	slowPython = `import os, time
if os.path.exists("boot"):
    _boot = open("boot").read().split()
    time.sleep(float(_boot[0]))
    if "fail" in _boot:
        raise RuntimeError("no such table: users")
`
	slowRuby = `if File.exist?("boot")
  boot = File.read("boot").split
  sleep(boot[0].to_f)
  raise "no such table: users" if boot.include?("fail")
end
`
	slowNode = `if (require("node:fs").existsSync("boot")) {
  const boot = require("node:fs").readFileSync("boot", "utf8").split(" ");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000 * Number(boot[0]));
  if (boot.includes("fail")) throw new Error("no such table: users");
}
`
	slowPerl = `if (open(my $boot, "<", "boot")) {
    my @boot = split " ", <$boot>;
    sleep $boot[0];
    die "no such table: users" if grep { $_ eq "fail" } @boot;
}
`
)

// slowRecipes are the examples with an application that can take its time, and the file
// that is loaded.
var slowRecipes = []struct {
	example, app, boot string
	programs, services []string
}{
	{"gunicorn", "current/wsgi.py", slowPython, []string{"gunicorn"}, []string{"app"}},
	{"gunicorn-workers", "wsgi.py", slowPython, []string{"gunicorn", "uvicorn"}, []string{"gthread"}},
	{"gunicorn-workers", "asgi.py", slowPython, []string{"gunicorn", "uvicorn"}, []string{"uvicorn"}},
	{"uvicorn", "asgi.py", slowPython, []string{"uvicorn"}, []string{"app", "plain"}},
	{"hypercorn", "asgi.py", slowPython, []string{"hypercorn"}, []string{"app", "plain"}},
	{"uwsgi", "wsgi.py", slowPython, []string{"uwsgi"}, []string{"hup", "term"}},
	{"puma", "config.ru", slowRuby, []string{"puma"}, []string{"single", "cluster"}},
	{"unicorn", "config.ru", slowRuby, []string{"unicorn"}, []string{"app"}},
	{"node", "server.js", slowNode, []string{"node"}, []string{"app"}},
	{"starlet", "app.psgi", slowPerl, []string{"plackup"}, []string{"app"}},
}

// Nobody has to know how long an application takes to boot: a warm-up of a second does
// for all of them, as the examples have it.
func TestNoRecipeHasToKnowHowLongItsApplicationBoots(t *testing.T) {
	t.Parallel()
	for _, recipe := range slowRecipes {
		t.Run(recipe.example+" "+recipe.services[0], func(t *testing.T) {
			t.Parallel()
			for _, program := range recipe.programs {
				needs(t, program)
			}
			d := recipeOf(t, recipe.example, recipe.app, recipe.boot)
			d.start()
			for _, name := range recipe.services {
				d.promoted(name, 1)
				d.answers(name)
			}
			reload := append([]string{"reload", "--no-drain"}, recipe.services...)
			const boot, failing = 10 * time.Second, "8 fail"

			d.boots(recipe.app, strconv.Itoa(int(boot/time.Second)))
			d.asks(exitDone, reload...)
			for _, name := range recipe.services {
				if e := d.sees("msg=generation promoted", "service="+name, "reload=1"); took(t, e) < boot {
					t.Errorf("%s was promoted within %s, and boots for %s", name, took(t, e), boot)
				}
			}
			d.boots(recipe.app, failing)
			d.asks(exitOther, reload...).says(exitOther, slices.Repeat([]string{"kept old: "}, len(recipe.services))...)
			for _, name := range recipe.services {
				e := d.sees("msg=reload ended", "service="+name, "reload=2")
				t.Logf("%s: %s after %s: %s", name, e["result"], e["took"], e["err"])
				cause := "no such table: users"
				if name == "cluster" { // puma says of its workers only where they failed
					cause = "config.ru:4:in "
				}
				if tail := strings.Join(d.status(name).LastReload.Tail, "\n"); e["result"] != "kept_old" || !strings.Contains(tail, cause) {
					t.Errorf("%s: %v, want it kept old for its table:\n%s", name, e, tail)
				}
			}
			d.ends(syscall.SIGINT, patience)
		})
	}
}

// answers waits until somebody answers at the address of a service: what is known of
// one that has never served is known of none.
func (d *daemon) answers(name string) {
	d.t.Helper()
	c, problems := config.Load(d.path("hupwatch.toml"))
	if c == nil {
		d.t.Fatal(problems)
	}
	s, _ := c.Service(name)
	for _, l := range s.Listen {
		if l.Network == "unix" {
			continue
		}
		client := &http.Client{Timeout: patience} // what comes before it serves waits in the socket
		answer, err := client.Get("http://" + l.Address + "/")
		if err != nil {
			d.t.Fatal(err)
		}
		answer.Body.Close()
		client.CloseIdleConnections()
	}
}

// boots says how the application boots from now on.
func (d *daemon) boots(app, how string) {
	d.t.Helper()
	d.write(filepath.Join(filepath.Dir(app), "boot"), how)
}

func took(t *testing.T, e event) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(e["took"])
	if err != nil {
		t.Fatalf("%v: %v", e, err)
	}
	return d
}

// recipeOf is a daemon of an example at other addresses than its own, with what its
// application does first, and a warm-up of a second at most.
func recipeOf(t *testing.T, example, app, boot string) *daemon {
	t.Helper()
	dir := shortDir(t)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("../../examples", example))); err != nil {
		t.Fatal(err)
	}
	if example == "gunicorn" { // as its deploy.sh makes it
		if err := os.Rename(filepath.Join(dir, "app"), filepath.Join(dir, "current")); err != nil {
			t.Fatal(err)
		}
	}
	d := newDaemon(t, dir)
	d.write(app, boot+d.read(app))
	host, _, _ := strings.Cut(loopback(), ":")
	text := strings.ReplaceAll(strings.ReplaceAll(d.read("hupwatch.toml"), "127.0.0.1", host), `warmup = "2s"`, `warmup = "1s"`)
	defaults := "[defaults]\n" // servers that start failing workers again and again are given up then
	if !strings.Contains(text, defaults) {
		text = strings.Replace(text, "\n[services.", "\n"+defaults+"\n[services.", 1)
	}
	d.write("hupwatch.toml", strings.Replace(text, defaults, defaults+"start_timeout = \"30s\"\n", 1))
	return d
}
