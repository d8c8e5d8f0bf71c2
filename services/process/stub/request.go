package stub

import "syscall"

// Request is what a stub is to become.
type Request struct {
	Path        string
	Args, Env   []string
	Dir         string // empty: stay
	ListenPID   bool   // add LISTEN_PID to Env
	Umask       int    // -1: keep
	Limits      []Limit
	AdjustOOM   bool
	OOMScoreAdj int
	SwitchUser  bool
	UID, GID    uint32
	Groups      []uint32
}

// Limit is a resource limit to set; all ones is no limit.
type Limit struct {
	Resource   int
	Soft, Hard uint64
}

func (l Limit) set() error {
	var r syscall.Rlimit
	fill(&r.Cur, l.Soft)
	fill(&r.Max, l.Hard)
	return syscall.Setrlimit(l.Resource, &r)
}

// fill sets a limit. Systems differ in its type, and in what infinity is.
func fill[T int64 | uint64](limit *T, value uint64) {
	infinity := int64(syscall.RLIM_INFINITY)
	*limit = T(value)
	if value > uint64(infinity) || value == ^uint64(0) {
		*limit = T(infinity)
	}
}

// The longest request that a stub reads: the kernel takes no larger command.
const maxRequest = 64 << 20

// Marshal returns the request as it goes to the stub: its length, then fields
// that are numbers of eight bytes, or texts after their length.
func (r *Request) Marshal() []byte {
	var e encoder
	e.text(r.Path)
	e.texts(r.Args)
	e.texts(r.Env)
	e.text(r.Dir)
	e.flag(r.ListenPID)
	e.number(uint64(r.Umask))
	e.number(uint64(len(r.Limits)))
	for _, l := range r.Limits {
		e.number(uint64(l.Resource))
		e.number(l.Soft)
		e.number(l.Hard)
	}
	e.flag(r.AdjustOOM)
	e.number(uint64(r.OOMScoreAdj))
	e.flag(r.SwitchUser)
	e.number(uint64(r.UID))
	e.number(uint64(r.GID))
	e.number(uint64(len(r.Groups)))
	for _, g := range r.Groups {
		e.number(uint64(g))
	}

	var head encoder
	head.number(uint64(len(e)))
	return append(head, e...)
}

// read fills the request from a descriptor.
func (r *Request) read(fd int) bool {
	head := decoder(make([]byte, 8))
	if !readFull(fd, head) {
		return false
	}
	n := head.number()
	if n > maxRequest {
		return false
	}
	body := decoder(make([]byte, n))
	if !readFull(fd, body) {
		return false
	}
	r.unmarshal(&body)
	return true
}

func (r *Request) unmarshal(d *decoder) {
	r.Path = d.text()
	r.Args = d.texts()
	r.Env = d.texts()
	r.Dir = d.text()
	r.ListenPID = d.flag()
	r.Umask = int(int64(d.number()))
	r.Limits = make([]Limit, d.count())
	for i := range r.Limits {
		r.Limits[i] = Limit{Resource: int(d.number()), Soft: d.number(), Hard: d.number()}
	}
	r.AdjustOOM = d.flag()
	r.OOMScoreAdj = int(int64(d.number()))
	r.SwitchUser = d.flag()
	r.UID = uint32(d.number())
	r.GID = uint32(d.number())
	r.Groups = make([]uint32, d.count())
	for i := range r.Groups {
		r.Groups[i] = uint32(d.number())
	}
}

func readFull(fd int, b []byte) bool {
	for len(b) > 0 {
		n, err := syscall.Read(fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

type encoder []byte

func (e *encoder) number(n uint64) {
	for range 8 {
		*e = append(*e, byte(n))
		n >>= 8
	}
}

func (e *encoder) flag(f bool) {
	n := uint64(0)
	if f {
		n = 1
	}
	e.number(n)
}

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	*e = append(*e, s...)
}

func (e *encoder) texts(list []string) {
	e.number(uint64(len(list)))
	for _, s := range list {
		e.text(s)
	}
}

// decoder reads what encoder wrote. Both ends are the same binary, so it returns no
// errors: what is missing from a request that was cut short is zero.
type decoder []byte

func (d *decoder) number() uint64 {
	if len(*d) < 8 {
		*d = nil
		return 0
	}
	var n uint64
	for i := 7; i >= 0; i-- {
		n = n<<8 | uint64((*d)[i])
	}
	*d = (*d)[8:]
	return n
}

// count is how many things follow. Each of them takes at least one number.
func (d *decoder) count() int {
	return int(min(d.number(), uint64(len(*d)/8)))
}

func (d *decoder) flag() bool { return d.number() != 0 }

func (d *decoder) text() string {
	n := min(d.number(), uint64(len(*d)))
	s := string((*d)[:n])
	*d = (*d)[n:]
	return s
}

func (d *decoder) texts() []string {
	list := make([]string, d.count())
	for i := range list {
		list[i] = d.text()
	}
	return list
}
