package process

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// mounts knows which directories are on file systems that can hang: network
// ones and those in user space. It goes by the kernel's table of mounts, since
// asking such a file system (statfs) is what hangs.
type mounts struct {
	mu      sync.Mutex
	file    *os.File // tells of changes
	distant []string // mount points
}

// local reports whether the directory, the program and its interpreter are all on
// file systems that cannot hang.
func (m *mounts) local(spec Spec) bool {
	path := spec.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(spec.Dir, path)
	}
	if !filepath.IsAbs(path) {
		return false
	}
	distant, ok := m.read()
	if ok && len(distant) == 0 {
		return true
	}
	if !ok || !reach(path, distant) || spec.Dir != "" && !reach(spec.Dir, distant) {
		return false
	}
	interpreter := shebang(path)
	return interpreter == "" || reach(interpreter, distant)
}

// read returns the present mount points of file systems that may hang. It parses the
// table once for every change. Only a poll of the same open file tells of changes.
func (m *mounts) read() (distant []string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	first := m.file == nil
	if first {
		fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, false
		}
		m.file = os.NewFile(uintptr(fd), "mountinfo")
	}
	poll := []unix.PollFd{{Fd: int32(m.file.Fd()), Events: unix.POLLPRI}}
	if n, err := unix.Poll(poll, 0); err == nil && n == 0 && !first {
		return m.distant, true
	}
	if _, err := m.file.Seek(0, io.SeekStart); err != nil {
		return nil, false
	}
	table, err := io.ReadAll(m.file)
	if err != nil {
		return nil, false
	}
	m.distant = parseMounts(table)
	return m.distant, true
}

// parseMounts returns the mount points of file systems that may hang.
func parseMounts(table []byte) []string {
	var distant []string
	for line := range strings.Lines(string(table)) {
		// 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		kind := strings.Fields(after)
		if len(fields) > 4 && len(kind) > 0 && !localKinds[kind[0]] {
			distant = append(distant, unescape.Replace(fields[4]))
		}
	}
	return distant
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// localKinds are the file systems whose answer comes from this machine. For
// any other, a process is started through the stub: slower, and always right.
var localKinds = kinds(`
	ext2 ext3 ext4 xfs btrfs zfs bcachefs f2fs jfs reiserfs nilfs2 erofs squashfs
	overlay aufs tmpfs ramfs rootfs devtmpfs hugetlbfs iso9660 udf vfat exfat ntfs3
	proc sysfs cgroup cgroup2 devpts mqueue debugfs tracefs securityfs pstore bpf
	configfs efivarfs binfmt_misc fusectl nsfs rpc_pipefs selinuxfs
`)

func kinds(names string) map[string]bool {
	set := make(map[string]bool)
	for name := range strings.FieldsSeq(names) {
		set[name] = true
	}
	return set
}

// As many symbolic links as the kernel follows.
const maxLinks = 40

// reach reports whether path leads through local file systems only. It looks
// at no file below one of the distant mount points.
func reach(path string, distant []string) bool {
	reached, rest := "/", path
	for links := 0; ; {
		for _, d := range distant {
			if reached == d || strings.HasPrefix(reached, strings.TrimSuffix(d, "/")+"/") {
				return false
			}
		}
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			return true
		}
		name, remainder, _ := strings.Cut(rest, "/")
		target, err := os.Readlink(filepath.Join(reached, name))
		switch {
		case err != nil: // no link, or not there at all
			reached, rest = filepath.Join(reached, name), remainder
		case links == maxLinks:
			return false
		case filepath.IsAbs(target):
			links++
			reached, rest = "/", target+"/"+remainder
		default:
			links++
			rest = target + "/" + remainder
		}
	}
}

// shebang returns the interpreter that the file names in its first line; empty
// if it names none.
func shebang(path string) string {
	const longest = 256 // what the kernel reads
	start, ok := readSome(path, longest)
	if !ok {
		return ""
	}
	line, _, _ := bytes.Cut(start, []byte("\n"))
	rest, found := bytes.CutPrefix(line, []byte("#!"))
	if !found {
		return ""
	}
	words := bytes.Fields(rest)
	if len(words) == 0 {
		return ""
	}
	return string(words[0])
}
