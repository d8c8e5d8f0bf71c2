package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/sockets"
)

// published is a public path and the sockets behind it.
type published struct {
	*testing.T
	public string
}

func newPublished(t *testing.T) published {
	t.Helper()
	return published{t, filepath.Join(t.TempDir(), "web.sock")}
}

func (p published) bind(generation int) string {
	return fmt.Sprintf("%s.d/%d.sock", p.public, generation)
}

func (p published) prepare(generation int) {
	p.Helper()
	if err := sockets.Prepare(p.public, p.bind(generation), -1, -1); err != nil {
		p.Fatal(err)
	}
}

// serve is a generation, which answers with its number. It unlinks nothing.
func (p published) serve(generation int) net.Listener {
	p.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.bind(generation)})
	if err != nil {
		p.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	p.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, generation)
			c.Close()
		}
	}()
	return l
}

// start prepares, serves and publishes a generation.
func (p published) start(generation int) net.Listener {
	p.Helper()
	p.prepare(generation)
	l := p.serve(generation)
	if err := sockets.Publish(p.public, p.bind(generation)); err != nil {
		p.Fatal(err)
	}
	return l
}

// answer returns which generation answers behind a path.
func answer(path string) (generation int, err error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(string(text), &generation); err != nil {
		return 0, fmt.Errorf("answer %q: %w", text, err)
	}
	return generation, nil
}

// wantAnswer checks who answers behind the public path, 0 for nobody.
func (p published) wantAnswer(generation int) {
	p.Helper()
	got, err := answer(p.public)
	if got != generation || err != nil && generation != 0 {
		p.Errorf("generation %d answers (%v), want %d", got, err, generation)
	}
}

// names are the files that are there, hidden ones too.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func (p published) wantNames(public, binds string) {
	p.Helper()
	if got := names(p.T, filepath.Dir(p.public)); got != public {
		p.Errorf("beside the public path are %q, want %q", got, public)
	}
	if got := names(p.T, p.public+".d"); got != binds {
		p.Errorf("in its directory are %q, want %q", got, binds)
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("the error is %v, want %q", err, text)
	}
}

func TestPublicPathFollowsTheGenerationsUntilTheEnd(t *testing.T) {
	p := newPublished(t)
	p.prepare(1)
	p.wantNames("web.sock.d", "")
	first := p.serve(1)
	p.wantAnswer(0)
	for range 2 { // the second time it does nothing
		if err := sockets.Publish(p.public, p.bind(1)); err != nil {
			t.Fatal(err)
		}
		p.wantAnswer(1)
	}
	if target, _ := os.Readlink(p.public); target != "web.sock.d/1.sock" {
		t.Errorf("the link is to %q, which means nothing where the directory is mounted elsewhere", target)
	}

	p.prepare(2)
	p.serve(2)
	p.wantAnswer(1)
	if err := sockets.Publish(p.public, p.bind(2)); err != nil {
		t.Fatal(err)
	}
	p.wantAnswer(2)

	first.Close()
	if err := sockets.Retract(p.public, p.bind(1)); err != nil {
		t.Error(err)
	}
	p.wantNames("web.sock web.sock.d", "2.sock")
	p.wantAnswer(2)
	for range 2 {
		if err := sockets.Unpublish(p.public); err != nil {
			t.Error(err)
		}
		p.wantNames("", "")
	}
}

func TestFlipsUnderLoadLoseNothing(t *testing.T) {
	const clients, flips = 4, 60
	p := newPublished(t)
	old := p.start(1)

	var (
		requests atomic.Int64
		met      [clients]atomic.Int64
		answered = make(chan struct{}, 1)
		running  sync.WaitGroup
	)
	for i := range clients {
		running.Go(func() {
			for t.Context().Err() == nil {
				generation, err := answer(p.public)
				if err != nil {
					t.Error(err)
				}
				requests.Add(1)
				met[i].Store(int64(generation))
				select {
				case answered <- struct{}{}:
				default:
				}
				if generation == 1+flips {
					return
				}
			}
		})
	}
	for generation := 2; generation < 2+flips; generation++ {
		fresh := p.start(generation)
		for i := range clients { // no one is on its way to the old one any more
			for met[i].Load() != int64(generation) {
				<-answered
			}
		}
		old.Close()
		if err := sockets.Retract(p.public, p.bind(generation-1)); err != nil {
			t.Error(err)
		}
		old = fresh
	}
	running.Wait()
	t.Logf("%d requests, %d flips", requests.Load(), flips)
}

func TestForeignPathsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		occupy func(p published) error
		want   string
	}{
		"a file":      {func(p published) error { return os.WriteFile(p.public, nil, 0o600) }, "no socket: remove it, or choose another path"},
		"a directory": {func(p published) error { return os.Mkdir(p.public, 0o700) }, "no socket: remove it"},
		"a link":      {func(p published) error { return os.Symlink("/etc/passwd", p.public) }, "a symbolic link to /etc/passwd: remove it"},
		"a sly link":  {func(p published) error { return os.Symlink("web.sock.d/../../x", p.public) }, "remove it"},
		"a living socket": {func(p published) error {
			l, err := net.Listen("unix", p.public)
			if err == nil {
				p.Cleanup(func() { l.Close() })
			}
			return err
		}, "another process listens there: stop it"},
		"a file for its directory": {func(p published) error { return os.WriteFile(p.public+".d", nil, 0o600) }, "web.sock.d is no directory: remove it"},
		"a link for its directory": {func(p published) error { return os.Symlink("/etc", p.public+".d") }, "web.sock.d is no directory: remove it"},
		"a directory in use": {func(p published) error {
			return errors.Join(os.Mkdir(p.public+".d", 0o700), os.WriteFile(p.public+".d/secret", nil, 0o600))
		}, "has other files than sockets in it"},
		"a taken socket": {func(p published) error {
			p.prepare(1)
			p.serve(1)
			return nil
		}, "1.sock: another process listens there: stop it"},
		"no directory at all": {func(p published) error { return os.Remove(filepath.Dir(p.public)) }, "create the directory"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublished(t)
			if err := test.occupy(p); err != nil {
				t.Fatal(err)
			}
			before := names(t, filepath.Dir(p.public))
			wantError(t, sockets.Prepare(p.public, p.bind(1), -1, -1), test.want)
			if after := names(t, filepath.Dir(p.public)); !strings.HasPrefix(after, before) {
				t.Errorf("there was %q, and is %q", before, after)
			}
		})
	}
}

func TestWhatComesBetweenPrepareAndPublishIsRefusedToo(t *testing.T) {
	p := newPublished(t)
	p.prepare(1)
	p.serve(1)
	if err := os.WriteFile(p.public, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, sockets.Publish(p.public, p.bind(1)), "no socket: remove it")
	if err := sockets.Unpublish(p.public); err != nil {
		t.Error(err)
	}
	p.wantNames("web.sock", "")
}

func TestAStaleSocketAtThePublicPathIsReplaced(t *testing.T) {
	p := newPublished(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.public})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	p.start(1)
	p.wantAnswer(1)
}

func TestAServerThatOpensNoSocketOfItsOwnIsNotPublished(t *testing.T) {
	p := newPublished(t)
	p.start(1)
	p.prepare(2)
	wantError(t, sockets.Publish(p.public, p.bind(2)), "opened no socket at "+p.bind(2)+": have it listen on ${HUPWATCH_BIND}")
	if err := os.WriteFile(p.bind(2), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, sockets.Publish(p.public, p.bind(2)), "is no socket")
	p.wantAnswer(1)
}

// What a hupwatch that was killed leaves behind at any instant does not stand in
// the way of the next one.
func TestLeftoversAreTakenAway(t *testing.T) {
	p := newPublished(t)
	if err := os.Mkdir(p.public+".d", 0o700); err != nil { // killed right behind this
		t.Fatal(err)
	}
	leftover := filepath.Join(filepath.Dir(p.public), ".web.sock.hupwatch")
	leave := func() {
		t.Helper()
		if err := os.Symlink("web.sock.d/1.sock", leftover); err != nil {
			t.Fatal(err)
		}
	}

	leave()
	p.prepare(1)
	p.serve(1).Close() // and its socket stays
	p.prepare(1)
	p.wantNames("web.sock.d", "")
	if info, _ := os.Stat(p.public + ".d"); info.Mode().Perm() != 0o711 {
		t.Errorf("clients cannot reach the sockets: %v", info.Mode())
	}

	p.serve(1)
	leave()
	for range 2 { // the link is to be made, the link is there already
		if err := sockets.Publish(p.public, p.bind(1)); err != nil {
			t.Fatal(err)
		}
		p.wantNames("web.sock web.sock.d", "1.sock")
		leave()
	}
	if err := sockets.Unpublish(p.public); err != nil {
		t.Error(err)
	}
	p.wantNames("", "")
}

func TestSweepKeepsWhatLivesAndWhatIsNotHupwatchs(t *testing.T) {
	p := newPublished(t)
	if err := sockets.Sweep(p.public); err != nil {
		t.Errorf("nothing to sweep: %v", err)
	}
	for generation := range 5 {
		p.start(generation)
	}
	for _, name := range []string{"1.sock.lock", "3.sock.lock", "notes", "x1.sock"} {
		if err := os.WriteFile(filepath.Join(p.public+".d", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := sockets.Sweep(p.public, p.bind(3), p.bind(4)); err != nil {
		t.Error(err)
	}
	p.wantNames("web.sock web.sock.d", "3.sock 3.sock.lock 4.sock notes x1.sock")
	p.wantAnswer(4)
	if err := sockets.Unpublish(p.public); err != nil {
		t.Error(err)
	}
	p.wantNames("web.sock.d", "notes x1.sock")
}

func TestTheDirectoryIsTheServicesUsersAndNobodyElses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	const user, other = 65534, 65533
	p := newPublished(t)
	dir := p.public + ".d"
	want := func(uid, gid uint32) {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Lstat(dir, &st); err != nil {
			t.Fatal(err)
		}
		if st.Uid != uid || st.Gid != gid || st.Mode&0o7777 != 0o711 {
			t.Errorf("%d:%d %04o, want %d:%d 0711", st.Uid, st.Gid, st.Mode&0o7777, uid, gid)
		}
	}
	p.start(1)
	want(0, 0)
	for _, gid := range []int{user, other} { // the service's user was set since, then its group
		if err := sockets.Prepare(p.public, p.bind(2), user, gid); err != nil {
			t.Fatal(err)
		}
		want(user, uint32(gid))
	}
	os.Chmod(dir, 0o777)
	if err := sockets.Prepare(p.public, p.bind(2), user, user); err != nil {
		t.Fatal(err)
	}
	want(user, user)
	wantError(t, sockets.Prepare(p.public, p.bind(2), other, other), "belongs to uid 65534: give it to uid 65533")
	wantError(t, sockets.Prepare(p.public, p.bind(2), -1, -1), "belongs to uid 65534: give it to uid 0")
	want(user, user)
	p.wantAnswer(1)
}

// The service's user may do in its directory what it likes, and hupwatch goes
// nowhere for it.
func TestLinksOfTheServicesUserLeadRootNowhere(t *testing.T) {
	p := newPublished(t)
	p.prepare(1)
	elsewhere := newPublished(t)
	elsewhere.start(7)
	for generation, target := range map[int]string{1: elsewhere.bind(7), 2: elsewhere.public, 3: "/nowhere"} {
		if err := os.Symlink(target, p.bind(generation)); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, sockets.Publish(p.public, p.bind(1)), "is no socket")
	p.prepare(1)
	if err := sockets.Retract(p.public, p.bind(2)); err != nil {
		t.Error(err)
	}
	p.wantNames("web.sock.d", "3.sock")
	if err := sockets.Unpublish(p.public); err != nil {
		t.Error(err)
	}
	elsewhere.wantAnswer(7)
}
