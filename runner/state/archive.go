package state

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
	"hupwatch/services/mailbox"
	"hupwatch/services/release"
)

// Archive keeps over a reboot what is known of the releases of each service: those
// that served, the one that was refused, and where they wait for connections. It is
// one file, to which lines are appended: the last line about a service counts, and
// each stands on its own, so that damage to one costs no other. When it has grown
// beyond need it is written anew. What is appended together is synced once.
//
// The environment of a release may hold secrets, so only what stands in the
// configuration is kept: env files are read anew when the release is started again.
type Archive struct {
	path    string
	config  string
	trouble func(error)
	salt    string
	inbox   *mailbox.Box[archived]
	done    chan struct{}

	// Owned by run.
	kept     map[string]written
	defaults map[string]json.RawMessage // the fields of a configuration
	live     int                        // bytes of the last lines of all
	size     int                        // of the file
	failing  bool
}

// written is what the file has of a service.
type written struct {
	record lifecycle.Record
	sum    uint64
	length int
}

// archived is what is to be kept of a service.
type archived struct {
	service string
	record  lifecycle.Record
}

// archiveVersion is the schema of the lines. Fields are only ever added.
const archiveVersion = 1

// keepSmall is the size up to which the file is never written anew.
const keepSmall = 256 << 10

// OpenArchive returns the archive in the file of that path, and what it knows of the
// services of that configuration file: another file may have others of the same name.
// There always is an archive. What cannot be used is reported as trouble, once, and
// left out.
func OpenArchive(path, configFile string, trouble func(error)) (*Archive, map[string]lifecycle.Record) {
	a := &Archive{
		path: path, config: configFile, trouble: trouble, inbox: mailbox.New[archived](0), done: make(chan struct{}),
		kept: make(map[string]written), salt: rand.Text(),
	}
	known, err := a.load()
	if err != nil {
		trouble(err)
	}
	go a.run() // ends with Close
	return a, known
}

// ReadArchive returns what the archive in the file of that path knows, and changes
// nothing. What cannot be read is not known.
func ReadArchive(path, configFile string) map[string]lifecycle.Record {
	a := &Archive{path: path, config: configFile, kept: make(map[string]written)}
	known, _ := a.load()
	return known
}

// Keep implements services.Archive.
func (a *Archive) Keep(service string, r lifecycle.Record) { a.inbox.Put(archived{service, r}) }

// Close returns when everything is on disk, or after the patience if that hangs.
func (a *Archive) Close(patience time.Duration) {
	a.inbox.Close()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a.done:
	case <-timer.C:
	}
}

func (a *Archive) run() {
	defer close(a.done)
	for range a.inbox.Wake {
		news, _, closed := a.inbox.Take()
		if err := a.write(news); err != nil && !a.failing {
			a.failing = true
			a.trouble(fmt.Errorf("keep releases over a reboot: %w", err))
		} else if err == nil {
			a.failing = false
		}
		if closed {
			return
		}
	}
}

// write appends what is new.
func (a *Archive) write(news []archived) error {
	var text []byte
	for _, n := range news {
		line, err := a.line(n)
		if err != nil {
			return err
		}
		if a.note(n, line) {
			text = append(text, line...)
		}
	}
	switch {
	case len(text) == 0 && !a.failing:
		return nil
	case a.failing, a.size == 0, a.size+len(text) > keepSmall+2*a.live:
		return a.rewrite()
	}
	return a.append(text)
}

func (a *Archive) line(n archived) ([]byte, error) {
	l, err := a.encode(n)
	if err != nil {
		return nil, fmt.Errorf("encode those of %s: %w", n.service, err)
	}
	text, err := json.Marshal(l)
	return append(text, '\n'), err
}

// note takes a line as the last one about its service, and reports whether it differs
// from the one before.
func (a *Archive) note(n archived, line []byte) bool {
	h := fnv.New64a()
	h.Write(line)
	before := a.kept[n.service]
	now := written{n.record, h.Sum64(), len(line)}
	a.kept[n.service] = now
	a.live += now.length - before.length
	return now.sum != before.sum || now.length != before.length
}

func (a *Archive) append(text []byte) error {
	file, err := os.OpenFile(a.path, os.O_WRONLY|unix.O_NOFOLLOW|unix.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return a.rewrite()
	}
	if err != nil {
		return err
	}
	n, err := file.Write(text)
	a.size += n
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// rewrite replaces the file by one with the last line about each service.
func (a *Archive) rewrite() error {
	text := []byte(archiveHeader(a.config, a.salt))
	for _, service := range slices.Sorted(maps.Keys(a.kept)) {
		line, err := a.line(archived{service, a.kept[service].record})
		if err != nil {
			return err
		}
		text = append(text, line...)
	}
	temp := a.path + ".new"
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temp, a.path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	a.size = len(text)
	return nil
}

// head is the first line. The salt keeps digests from being compared with others.
type head struct {
	Version int    `json:"hupwatch_releases"`
	Config  string `json:"config"`
	Salt    string `json:"salt"`
}

func archiveHeader(configFile, salt string) string {
	text, _ := json.Marshal(head{archiveVersion, configFile, salt}) // plain fields
	return string(text) + "\n"
}

// line is what is kept of a service.
type line struct {
	Service  string        `json:"service"`
	Releases []keptRelease `json:"releases,omitempty"`
	Refused  *keptRelease  `json:"refused,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Waits    *keptWaits    `json:"waits,omitempty"`
}

type keptRelease struct {
	Config   json.RawMessage `json:"config"`
	Dir      string          `json:"dir,omitempty"`
	Path     string          `json:"path,omitempty"`
	Size     int64           `json:"size,omitempty"`
	Modified int64           `json:"modified,omitempty"`
	Digest   string          `json:"environment_digest,omitempty"`
	Well     bool            `json:"well,omitempty"`
	Done     bool            `json:"done,omitempty"`
}

type keptWaits struct {
	Seen   []string `json:"seen,omitempty"`
	All    bool     `json:"all,omitempty"`
	Unseen string   `json:"unseen,omitempty"`
}

func (a *Archive) encode(n archived) (l line, err error) {
	l.Service = n.service
	for _, p := range n.record.History {
		kept, err := a.encodeRelease(p.Release)
		if err != nil {
			return l, err
		}
		kept.Well, kept.Done = p.Well, p.Done
		l.Releases = append(l.Releases, kept)
	}
	if r := n.record.Refused; r != nil {
		kept, err := a.encodeRelease(r.Release)
		if err != nil {
			return l, err
		}
		l.Refused, l.Reason = &kept, r.Reason
	}
	if w := n.record.Waiting; len(w.Seen) > 0 || w.Unseen != "" {
		l.Waits = &keptWaits{w.Seen, w.All, w.Unseen}
	}
	return l, nil
}

func (a *Archive) encodeRelease(r *release.Release) (kept keptRelease, err error) {
	kept = keptRelease{Dir: r.Dir, Path: r.Path, Size: r.Program.Size, Modified: r.Program.Modified}
	switch {
	case r.Dir == "": // it could not be made
	case r.Stored != nil:
		kept.Digest = r.Stored.Sum
	default:
		kept.Digest = release.NewStored(a.salt, r.Env).Sum
	}
	kept.Config, err = a.encodeConfig(r.Service)
	return kept, err
}

// load reads the file. What comes after the last whole line is of a hupwatch that
// was killed while it wrote.
func (a *Archive) load() (map[string]lifecycle.Record, error) {
	known := make(map[string]lifecycle.Record)
	file, err := os.OpenFile(a.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return known, fmt.Errorf("read what is kept of releases: %w", err)
	}
	defer file.Close()
	text, err := readTrusted(file)
	if err != nil {
		return known, fmt.Errorf("read %s: %w; it is not used, and replaced", a.path, err)
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	var h head
	if err := json.Unmarshal(first, &h); err != nil || h.Version != archiveVersion || h.Salt == "" {
		return known, fmt.Errorf("read %s: it is not of this hupwatch; it is not used, and replaced", a.path)
	}
	if h.Config != a.config {
		return known, fmt.Errorf("read %s: it is about the services of %s; it is not used, and replaced", a.path, h.Config)
	}
	a.salt, a.size = h.Salt, len(text)
	bad := 0
	for text := range bytes.Lines(rest) {
		service, r, err := a.decode(text)
		if err != nil {
			bad++
			continue
		}
		known[service] = r
		a.note(archived{service, r}, text)
	}
	if bad > 0 {
		a.size = 0 // written anew with the next
		return known, fmt.Errorf("read %s: %d of its lines are damaged, and not used", a.path, bad)
	}
	return known, nil
}

// mostArchived bounds what is read.
const mostArchived = 256 << 20

// readTrusted reads a file that says what is run as root: nobody else may write to
// it.
func readTrusted(file *os.File) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("it is no plain file")
	case int(st.Uid) != os.Geteuid() && st.Uid != 0:
		return nil, fmt.Errorf("it belongs to uid %d", st.Uid)
	case st.Mode&0o022 != 0:
		return nil, fmt.Errorf("its mode %#o lets others write to it", st.Mode&0o777)
	case st.Size > mostArchived:
		return nil, errors.New("it is too large")
	}
	text := make([]byte, st.Size)
	n, err := file.ReadAt(text, 0)
	if n < len(text) {
		return nil, err
	}
	return text, nil
}

var errDamaged = errors.New("not a line of releases")

func (a *Archive) decode(text []byte) (service string, r lifecycle.Record, err error) {
	var l line
	if !bytes.HasSuffix(text, []byte("\n")) {
		return "", r, errDamaged
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return "", r, err
	}
	if config.CheckServiceName(l.Service) != nil {
		return "", r, errDamaged
	}
	for i := range l.Releases {
		rel, err := a.decodeRelease(&l.Releases[i])
		if err != nil || rel.Dir == "" || rel.Path == "" {
			return "", r, errDamaged
		}
		r.History = append(r.History, lifecycle.Past{Release: rel, Well: l.Releases[i].Well, Done: l.Releases[i].Done})
	}
	if l.Refused != nil {
		rel, err := a.decodeRelease(l.Refused)
		if err != nil {
			return "", r, err
		}
		r.Refused = &lifecycle.Refusal{Release: rel, Reason: l.Reason}
	}
	if w := l.Waits; w != nil {
		r.Waiting = lifecycle.Waiting{Seen: w.Seen, All: w.All, Unseen: w.Unseen}
	}
	return l.Service, r, nil
}

func (a *Archive) decodeRelease(kept *keptRelease) (*release.Release, error) {
	c := config.Default()
	if err := json.Unmarshal(kept.Config, c); err != nil {
		return nil, err
	}
	if len(c.Command) == 0 {
		return nil, errDamaged
	}
	return &release.Release{
		Service: c, Dir: kept.Dir, Path: kept.Path,
		Program: release.Program{Size: kept.Size, Modified: kept.Modified},
		Stored:  &release.Stored{Salt: a.salt, Sum: kept.Digest},
	}, nil
}

// encodeConfig writes the values of a configuration that are not the defaults. A key
// that is newer than the hupwatch that wrote it has its default when it is read.
func (a *Archive) encodeConfig(s *config.Service) (json.RawMessage, error) {
	fields, err := fieldsOf(s)
	if err != nil {
		return nil, err
	}
	if a.defaults == nil {
		if a.defaults, err = fieldsOf(config.Default()); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(fields, func(name string, value json.RawMessage) bool { return bytes.Equal(value, a.defaults[name]) })
	return json.Marshal(fields)
}

func fieldsOf(s *config.Service) (fields map[string]json.RawMessage, err error) {
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	return fields, err
}
