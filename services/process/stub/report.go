package stub

import "syscall"

// Stage is what a stub was doing.
type Stage byte

// The stages, in their order.
const (
	OOMScoreAdj Stage = iota + 1
	Limits
	Groups
	Group
	User
	Chdir
	Executing   // all is done but the exec, which may hang: no failure
	Exec        // the exec failed
	Interpreter // the exec failed since the file's interpreter is missing
)

// Report says at which stage a stub failed, or that it is Executing.
type Report struct {
	Stage Stage
	Index int // of the limit
	Errno syscall.Errno
}

// A report on the wire: stage, index, and four bytes of the error number.
const reportSize = 6

func (f Report) write(fd int) {
	n := f.Errno
	b := []byte{byte(f.Stage), byte(f.Index), byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	for {
		if _, err := syscall.Write(fd, b); err != syscall.EINTR {
			return
		}
	}
}

// ParseReports returns the last of what a stub reported until it closed the
// descriptor. Executing means that it became the command. No report at all, a
// zero stage, means that it ended before.
func ParseReports(b []byte) Report {
	if len(b) < reportSize {
		return Report{}
	}
	b = b[len(b)/reportSize*reportSize-reportSize:]
	return Report{
		Stage: Stage(b[0]),
		Index: int(b[1]),
		Errno: syscall.Errno(uint32(b[2]) | uint32(b[3])<<8 | uint32(b[4])<<16 | uint32(b[5])<<24),
	}
}
