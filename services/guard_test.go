package services

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
)

// What a process says it listens on is as it sees the file system: in a mount
// namespace of its own it can bind the path of anybody's socket.
func TestOnlyASocketOfItsOwnUserIsTakenForAServicesOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "docker.sock")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	me := uint32(os.Getuid())
	for _, c := range []struct {
		as   *process.Credential
		path string
		want bool
	}{
		{nil, path, true},
		{&process.Credential{UID: me}, path, true},
		{&process.Credential{UID: me + 1}, path, false},
		{&process.Credential{UID: me + 1}, path + ".gone", false},
	} {
		if got := (opener{credential: c.as}).owns(c.path); got != c.want {
			t.Errorf("%+v owns %s: %t, want %t", c.as, filepath.Base(c.path), got, c.want)
		}
	}
}

func TestWhatIsDoneToAPathAgainAndAgainIsToldOnce(t *testing.T) {
	events := &Stream{}
	seen := events.Subscribe(100)
	w := &Watcher{machine: lifecycle.NewMachine(&config.Service{Name: "web"}, lifecycle.Record{}), host: &Host{Events: events}}
	for range 10 {
		w.putBack("/run/web.sock")
		w.told(errors.New("guard /run/web.sock: there is a file"))
	}
	if got, _, _ := seen.Take(); len(got) != 2 {
		t.Errorf("%d events, want 2: %+v", len(got), got)
	}
	w.guardPaths(lifecycle.Guard{})
	w.putBack("/run/web.sock")
	if got, _, _ := seen.Take(); len(got) != 1 {
		t.Errorf("%d events of the next guarding, want 1", len(got))
	}
}
