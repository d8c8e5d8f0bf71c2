// Package state keeps on disk which generations live, one small file per service,
// and which are about to, so that a later hupwatch never runs anything twice.
package state

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"hupwatch/services"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
)

// version is the schema of the files.
const version = 1

// Store is the directory with the files. It implements services.Ledger. Every
// service has a file of its own, so it may be used by many goroutines as long as
// each service has but one.
type Store struct {
	// Lost is called if the directory is gone, with all that was in it. It makes the
	// one above it again, if need be. Forgotten is called after that: every service is
	// to Save again. Neither may call the Store. Nil does nothing; they are set before
	// the first Intend and Save.
	Lost      func() error
	Forgotten func()

	dir  string
	mark string

	// writing lets one write at a time. The kernel does the same in one directory, but
	// there each one that waits would take a thread, which then stays.
	writing sync.Mutex
	starts  starts // likewise one at a time
}

// Open makes the directory if need be. Only the process that holds the lock of the
// runtime directory may call it.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	s := &Store{dir: dir, starts: starts{path: filepath.Join(dir, "starts")}}
	text, err := os.ReadFile(s.path("mark"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read mark: %w", err)
	}
	mark, boot, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if mark != "" && boot == process.BootID() {
		s.mark = mark
		return s, nil
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, nil
}

// begin forgets what was there before the host booted: nothing of it lives, and
// after a power cut not every file need be whole.
func (s *Store) begin() error {
	old, err := filepath.Glob(s.path("*.json"))
	if err != nil {
		return fmt.Errorf("list state: %w", err)
	}
	for _, path := range append(old, s.path(".spare"), s.starts.path) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget what was before the boot: %w", err)
		}
	}
	s.mark = rand.Text()
	return s.writeMark()
}

// Intend implements services.Ledger.
func (s *Store) Intend(service string, generation int) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.inDirectory(func() error { return s.starts.begin(start{service, generation}) })
}

// Settle implements services.Ledger.
func (s *Store) Settle(service string, generation int) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.starts.end(start{service, generation})
}

// Mark is in the environment of each generation that a hupwatch with this directory
// starts.
func (s *Store) Mark() string { return s.mark }

// record is the content of a service's file.
type record struct {
	Version     int              `json:"version"`
	Service     string           `json:"service"`
	Wanted      lifecycle.Wanted `json:"wanted,omitempty"`
	Generations []generation     `json:"generations"`
}

type generation struct {
	Number   int              `json:"generation"`
	Instance int              `json:"instance"`
	Phase    lifecycle.Phase  `json:"phase"`
	Process  process.Identity `json:"process"`
}

// Save replaces what is known of a service. That is forgotten if nothing of it lives
// and wanted is empty.
// The file is whole at every instant. It is not synced: it says nothing worth
// knowing after the next boot, and until then the page cache keeps it.
func (s *Store) Save(service string, living []services.Living, wanted lifecycle.Wanted) error {
	name := service + ".json"
	if len(living) == 0 && wanted == "" {
		s.writing.Lock()
		defer s.writing.Unlock()
		if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget %s: %w", service, err)
		}
		return nil
	}
	r := record{Version: version, Service: service, Wanted: wanted}
	for _, l := range living {
		r.Generations = append(r.Generations, generation{l.Generation, l.Instance, l.Phase, l.Identity})
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode state of %s: %w", service, err)
	}
	return s.write(name, append(text, '\n'))
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// write replaces a file. The old file is kept, and written to the next time: making
// and deleting one each time costs the file system of a disk twenty times as much.
func (s *Store) write(name string, text []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.inDirectory(func() error { return s.replace(name, text) })
}

// inDirectory does something in the directory, which is made again if it is gone.
func (s *Store) inDirectory(do func() error) error {
	err := do()
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.makeAgain(); err == nil {
			err = do()
		}
	}
	return err
}

// makeAgain makes the directory that is gone, with the same mark.
func (s *Store) makeAgain() error {
	if s.Lost != nil {
		if err := s.Lost(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	s.starts.close()
	if err := s.writeMark(); err != nil {
		return err
	}
	if s.Forgotten != nil {
		s.Forgotten()
	}
	return nil
}

func (s *Store) writeMark() error {
	if err := s.replace("mark", []byte(s.mark+" "+process.BootID()+"\n")); err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	return nil
}

func (s *Store) replace(name string, text []byte) error {
	spare := s.path(".spare")
	if err := overwrite(spare, text); err != nil {
		_ = os.Remove(spare) // half a file helps nobody, least of all a full disk
		return fmt.Errorf("write %s: %w", spare, err)
	}
	if exchange(spare, s.path(name)) == nil {
		return nil
	}
	if err := unix.Rename(spare, s.path(name)); err != nil {
		return fmt.Errorf("replace %s: %w", s.path(name), err)
	}
	return nil
}

// overwrite makes text the content of a file, with system calls alone: an os.File makes
// several more of them, and needs deeper stacks for a thousand watchers.
func overwrite(path string, text []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = unix.Ftruncate(fd, int64(len(text)))
	if err == nil {
		var n int
		if n, err = unix.Write(fd, text); err == nil && n < len(text) {
			err = io.ErrShortWrite
		}
	}
	return errors.Join(err, unix.Close(fd))
}

// known is what an earlier hupwatch left of a service.
type known struct {
	living []services.Living
	wanted lifecycle.Wanted
}

// load reads what an earlier hupwatch left, by service.
func (s *Store) load() (map[string]known, error) {
	paths, err := filepath.Glob(s.path("*.json"))
	if err != nil {
		return nil, fmt.Errorf("list state: %w", err)
	}
	all := make(map[string]known)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read state: %w", err)
		}
		var r record
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("read state %s: %w; if nothing of an earlier hupwatch runs any more, remove the file", path, err)
		}
		if r.Version != version {
			return nil, fmt.Errorf("read state %s: it is of version %d, this hupwatch knows %d; stop what it names and remove the file", path, r.Version, version)
		}
		k := known{wanted: r.Wanted}
		for _, g := range r.Generations {
			k.living = append(k.living, services.Living{Generation: g.Number, Instance: g.Instance, Phase: g.Phase, Identity: g.Process})
		}
		all[r.Service] = k
	}
	cutShort, err := s.starts.load()
	if err != nil {
		return nil, err
	}
	for _, c := range cutShort {
		k := all[c.service]
		if !slices.ContainsFunc(k.living, func(l services.Living) bool { return l.Generation == c.generation }) {
			k.living = append(k.living, services.Living{Generation: c.generation})
			all[c.service] = k
		}
	}
	return all, nil
}
