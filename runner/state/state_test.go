package state_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hupwatch/runner/state"
	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
)

func open(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func save(t *testing.T, s *state.Store, service string, living ...services.Living) {
	t.Helper()
	if err := s.Save(service, living, ""); err != nil {
		t.Fatal(err)
	}
}

func intend(t *testing.T, s *state.Store, service string, generation int) {
	t.Helper()
	if err := s.Intend(service, generation); err != nil {
		t.Fatal(err)
	}
}

func survivors(t *testing.T, s *state.Store) []state.Survivor {
	t.Helper()
	found, err := s.Survivors()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// self is this very process, which surely lives. dead has its pid, but is of
// another time.
func self(t *testing.T) (self, dead process.Identity) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell one process from another")
	}
	id := process.Identity{PID: os.Getpid(), Boot: strings.TrimSpace(read(t, "/proc/sys/kernel/random/boot_id"))}
	stat := read(t, "/proc/self/stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	var err error
	if id.Start, err = strconv.ParseUint(fields[22-3], 10, 64); err != nil {
		t.Fatal(err)
	}
	id.Latest = id.Start
	dead = id
	dead.Start--
	dead.Latest--
	return id, dead
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheMarkStaysTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	mark := open(t, dir).Mark()
	if len(mark) < 20 {
		t.Errorf("mark %q could be another's", mark)
	}
	if again := open(t, dir).Mark(); again != mark {
		t.Errorf("mark is %q, then %q", mark, again)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory is %v, %v; want it to be ours alone", info.Mode(), err)
	}
}

func TestWhatWasRecordedAndLivesIsASurvivor(t *testing.T) {
	dir := t.TempDir()
	lives, dead := self(t)
	s := open(t, dir)
	save(t, s, "web", services.Living{Generation: 3, Identity: dead}, services.Living{Generation: 4, Identity: lives})
	save(t, s, "worker", services.Living{Generation: 1, Identity: dead})
	intend(t, s, "intent", 1) // its process was never made
	found := survivors(t, open(t, dir))
	if len(found) != 1 || found[0] != (state.Survivor{Service: "web", Generation: 4, PID: os.Getpid()}) {
		t.Errorf("survivors are %v, want generation 4 of web alone", found)
	}
	records, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(records) != 1 || filepath.Base(records[0]) != "web.json" {
		t.Errorf("records left: %v, %v; want that of web", records, err)
	}
}

// marked starts a process that carries the mark of a generation.
func marked(t *testing.T, s *state.Store, service string, generation int) (pid int) {
	t.Helper()
	cat := exec.Command("cat") // lives until its input ends
	cat.Env = []string{"HUPWATCH_MARK=" + s.Mark() + "/" + service + "/" + strconv.Itoa(generation)}
	cat.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cat.Wait()
	})
	return cat.Process.Pid
}

func TestAStartThatWasCutShortIsFoundByItsMark(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not show the environment of a process")
	}
	s := open(t, t.TempDir())
	pid := marked(t, s, "web", 7)
	intend(t, s, "web", 7)
	intend(t, s, "other", 7)
	if found := survivors(t, s); len(found) != 1 || found[0] != (state.Survivor{Service: "web", Generation: 7, PID: pid}) {
		t.Errorf("survivors are %v, want generation 7 of web, pid %d", found, pid)
	}
}

func TestAStartThatCameToItsEndIsNotLookedFor(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for generation := range 10_000 {
		intend(t, s, "web", generation)
		intend(t, s, "worker", generation)
		s.Settle("web", generation)
		s.Settle("worker", generation)
	}
	info, err := os.Stat(filepath.Join(dir, "starts"))
	if err != nil || info.Size() > 128<<10 {
		t.Errorf("the file of starts is %v, %v; want it to stay small", info, err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	marked(t, s, "worker", 9999)
	if found := survivors(t, open(t, dir)); len(found) > 0 {
		t.Errorf("survivors are %v, want none: both starts came to their end", found)
	}
}

func TestWantedStateIsKeptUntilItIsTakenBack(t *testing.T) {
	dir := t.TempDir()
	_, dead := self(t)
	s := open(t, dir)
	for service, asked := range map[string]lifecycle.Wanted{"web": lifecycle.WantedDown, "worker": lifecycle.WantedUp, "other": ""} {
		if err := s.Save(service, []services.Living{{Generation: 1, Identity: dead}}, asked); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir)
	for range 2 { // what does not live is forgotten the first time
		if found := survivors(t, s); len(found) > 0 {
			t.Errorf("survivors are %v", found)
		}
		wanted, err := s.Wanted()
		if err != nil || len(wanted) != 2 || wanted["web"] != lifecycle.WantedDown || wanted["worker"] != lifecycle.WantedUp {
			t.Errorf("wanted is %v, %v", wanted, err)
		}
	}
	if err := s.Save("web", nil, ""); err != nil {
		t.Fatal(err)
	}
	if wanted, err := s.Wanted(); err != nil || len(wanted) != 1 {
		t.Errorf("wanted is %v, %v; want that of worker", wanted, err)
	}
}

func TestARecordIsGoneWhenNothingLives(t *testing.T) {
	dir := t.TempDir()
	lives, _ := self(t)
	s := open(t, dir)
	save(t, s, "web", services.Living{Generation: 1, Identity: lives})
	save(t, s, "web")
	save(t, s, "web") // twice is no error
	if found := survivors(t, s); len(found) > 0 {
		t.Errorf("survivors are %v, want none", found)
	}
}

func TestAFileIsReplacedNeverRewritten(t *testing.T) {
	dir := t.TempDir()
	lives, _ := self(t)
	s := open(t, dir)
	save(t, s, "web", services.Living{Generation: 1, Identity: lives})
	old, err := os.Open(filepath.Join(dir, "web.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = old.Close() })
	before, err := old.Stat()
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, "web", services.Living{Generation: 1, Identity: lives}, services.Living{Generation: 2, Identity: lives})
	after, err := os.Stat(filepath.Join(dir, "web.json"))
	if err != nil {
		t.Fatal(err)
	}
	if os.SameFile(before, after) {
		t.Error("the file was written in its place")
	}
	text := make([]byte, 64<<10)
	if n, _ := old.Read(text); strings.Contains(string(text[:n]), `"generation":2`) {
		t.Errorf("who read the old file sees the new one: %s", text[:n])
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 3 { // and the mark, and the spare file
		t.Errorf("left behind: %v, %v", all, err)
	}
}

func TestAWriteThatFailsLeavesTheOldRecord(t *testing.T) {
	dir := t.TempDir()
	lives, _ := self(t)
	s := open(t, dir)
	save(t, s, "web", services.Living{Generation: 1, Identity: lives})
	if err := os.Mkdir(filepath.Join(dir, ".spare"), 0o700); err != nil { // stands in the way
		t.Fatal(err)
	}
	if err := s.Save("web", []services.Living{{Generation: 2, Identity: lives}}, ""); err == nil {
		t.Error("no error, though it could not be written")
	}
	if found := survivors(t, s); len(found) != 1 || found[0].Generation != 1 {
		t.Errorf("survivors are %v, want generation 1", found)
	}
}

func TestARecordThatMakesNoSenseIsAnErrorWithARemedy(t *testing.T) {
	for name, text := range map[string]string{"cut short": `{"version":1,"serv`, "of the future": `{"version":99}`} {
		dir := t.TempDir()
		s := open(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "web.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Survivors(); err == nil || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%s: error is %v, want a remedy", name, err)
		}
	}
}

// A later hupwatch must know what lives, though a cleaner was here.
func TestDirectoryThatWasRemovedIsMadeAgainWithAllThatLives(t *testing.T) {
	above := filepath.Join(t.TempDir(), "above")
	dir := filepath.Join(above, "state")
	s := open(t, dir)
	lives, _ := self(t)
	lost, forgotten := 0, 0
	s.Lost = func() error { lost++; return os.MkdirAll(above, 0o755) }
	s.Forgotten = func() { forgotten++ }
	remove := func() {
		t.Helper()
		if err := os.RemoveAll(above); err != nil {
			t.Fatal(err)
		}
	}
	living := services.Living{Generation: 1, Phase: lifecycle.PhaseActive, Identity: lives}

	intend(t, s, "web", 1)
	remove()
	save(t, s, "web", living)
	if lost != 1 || forgotten != 1 {
		t.Errorf("it was told %d times that the directory is gone, and %d that all is to be saved again; want once", lost, forgotten)
	}
	if found := survivors(t, open(t, dir)); len(found) != 1 || found[0].Service != "web" {
		t.Errorf("survivors are %v, want web", found)
	}

	remove()
	intend(t, s, "api", 7)
	s.Settle("api", 7)
	s.Settle("web", 1) // which was begun in the file that is gone
	if lost != 2 || forgotten != 2 {
		t.Errorf("at a start it was told %d and %d times, want twice", lost, forgotten)
	}
	if again := open(t, dir); again.Mark() != s.Mark() {
		t.Errorf("the mark is %q, it was %q", again.Mark(), s.Mark())
	}
}

func TestRecordsFromBeforeTheBootAreForgotten(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"mark": "OLD another-boot\n", "web.json": "half a rec"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := store.Survivors(); err != nil || len(found) > 0 {
		t.Errorf("survivors are %v, %v", found, err)
	}
	if store.Mark() == "OLD" {
		t.Error("the mark is that of another boot")
	}
	again, err := state.Open(dir)
	if err != nil || again.Mark() != store.Mark() {
		t.Errorf("opened again: %v, mark %q, want %q", err, again.Mark(), store.Mark())
	}
}
