package process

// Spec is everything a process is started with. All of it is resolved:
// nothing is looked up or expanded any more.
type Spec struct {
	// Path is the file to execute: absolute, or relative to Dir.
	Path string
	// Args are the arguments, the name of the program first.
	Args []string
	// Env is the whole environment. LISTEN_PID is added to it if there are
	// Sockets; LISTEN_FDS and LISTEN_FDNAMES are the caller's.
	Env []string
	// Dir is the directory the process starts in, entered as its own user; empty
	// for hupwatch's.
	Dir string
	// Stdout and Stderr are the descriptors it gets as 1 and 2; -1 is
	// /dev/null. Its standard input is always /dev/null.
	Stdout, Stderr int
	// Sockets are the descriptors it gets as 3, 4 and so on. They must stay open
	// until Start returns.
	Sockets []int
	// Extra are further descriptors, beyond those. What lies between them is
	// closed. They must stay open until Start returns.
	Extra []Descriptor
	// Credential is who it runs as; nil is hupwatch's own user.
	Credential *Credential
	// Umask is its file mode creation mask; -1 is hupwatch's own.
	Umask int
	// Limits are the resource limits that differ from hupwatch's own.
	Limits []Limit
	// OOMScoreAdj is its badness for the OOM killer; nil is hupwatch's own.
	OOMScoreAdj *int
}

// Descriptor is one that the process gets as number At.
type Descriptor struct {
	FD, At int
}

// Credential is a user, a group and the supplementary groups: exactly these.
type Credential struct {
	UID, GID uint32
	Groups   []uint32
}

// Limit is one resource limit. Soft and Hard are math.MaxUint64 for no limit.
type Limit struct {
	Name       string // for messages
	Resource   int    // one of syscall.RLIMIT_*
	Soft, Hard uint64
}
