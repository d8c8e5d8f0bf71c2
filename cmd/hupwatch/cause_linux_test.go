package main

import (
	"fmt"
	"strings"
	"testing"
)

// hidden is a release that fails with a cause that stands far above the end of what it
// writes.
type hidden struct {
	name, programs string
	section        string // of the configuration, what comes behind the name
	cause          string
	gap            bool // between the cause and the end
}

// What gunicorn, uvicorn, puma, node and uWSGI leave behind, and that hupwatch reload
// and status show what is the cause of it, is tried with their recipes.
var hiddenCauses = []hidden{
	{
		name: "go", section: `command = ["` + "SELF" + `", "panic no memory is left"]`,
		cause: "panic: no memory is left", gap: true,
	},
	{
		name: "java", cause: "Caused by: java.net.ConnectException: Connection refused", gap: true,
		section: `command = ["sh", "-c", """
echo 'Exception in thread "main" java.lang.IllegalStateException: no database'
i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo "	at org.example.Pool.open(Pool.java:$i)"; done
echo 'Caused by: java.net.ConnectException: Connection refused'
i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo "	at java.net.Socket.connect(Socket.java:$i)"; done
exit 1"""]`,
	},
	{
		name: "php", programs: "php-fpm8.2", cause: "unknown entry 'lisen'",
		section: `command = ["php-fpm8.2", "--nodaemonize", "--fpm-config", "php.conf"]`,
	},
}

func TestTheCauseOfAFailureIsOnTheScreen(t *testing.T) {
	t.Parallel()
	for _, c := range hiddenCauses {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.programs != "" {
				needs(t, c.programs)
			}
			d := startDaemon(t, quick+service("web", "serve"))
			d.up("web", 1)
			d.write("php.conf", "[global]\nerror_log = /dev/stderr\n[www]\nlisen = 9000\n")
			d.configure(quick + "[services.web]\noutput = \"./out\"\n" + failing + "\n" + strings.ReplaceAll(strings.ReplaceAll(c.section, "SELF", player()), "$", "$$") + "\n")
			d.asks(exitOther, "reload", "web").says(exitOther, "web: kept old: ", "| ", c.cause)
			d.asks(exitDone, "status", "web").says(exitDone, "kept old: ", c.cause)
			d.asks(exitUnknown, "why", "web").says(exitUnknown, "kept old ", c.cause, "hupwatch logs --generation 2 web")
			all := d.command("logs", "--generation", "2", "web").begin()
			all.says(exitDone, c.cause)
			tail := d.status("web").LastReload.Tail
			if gap := strings.Contains(fmt.Sprint(tail), " lines]"); gap != c.gap {
				t.Errorf("what is shown is %q", tail)
			}
			if c.gap && strings.Count(all.stdout.String(), "\n") < 60 {
				t.Errorf("all it wrote is %q", all.stdout.String())
			}
		})
	}
}
