// Package config reads hupwatch's configuration: one TOML file and the files it
// includes.
//
//	text → TOML → keys.go → Config (never changed afterwards)
//	                │
//	                └→ Problems: every one of them, with file, line and remedy
//
// keys.go holds the one table of all keys. The name, the type, the default, the
// documentation and the decoder of a key stand there and nowhere else.
//
// The package knows only the text. Whether a user, a directory or a program exists
// is checked by the packages that need it.
package config

import (
	"math"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Infinity is the duration that the word "infinity" stands for in a
// configuration file. It is never reached.
const Infinity = time.Duration(math.MaxInt64)

// Config is one configuration, read and validated as a whole. It is never
// changed once Load has returned it, so it may be shared between goroutines.
type Config struct {
	// File is the path the configuration was read from, as given.
	File   string
	Daemon Daemon
	// Services are in the order of their names.
	Services []*Service
	// Files has the file in which the section of each service is.
	Files map[string]string `json:"-"`
}

// Service returns the service of that name.
func (c *Config) Service(name string) (*Service, bool) {
	i, found := slices.BinarySearchFunc(c.Services, name, func(s *Service, name string) int {
		return strings.Compare(s.Name, name)
	})
	if !found {
		return nil, false
	}
	return c.Services[i], true
}

// Daemon is the [daemon] section: what is about hupwatch itself. Paths are
// absolute.
type Daemon struct {
	RuntimeDir string
	// StateDir is for what outlives a reboot; empty for nowhere.
	StateDir string
	NameFile string
	// ControlGroup is the name or number of a group, or empty.
	ControlGroup    string
	AtExit          AtExit
	ShutdownTimeout time.Duration
	MaxParallel     int
	LogLevel        string
	LogFormat       string
}

// AtExit is what happens to the services when hupwatch ends.
type AtExit string

// What can happen to the services when hupwatch ends.
const (
	AtExitStop  AtExit = "stop"  // they are stopped first
	AtExitLeave AtExit = "leave" // they live on
)

// Service is one [services.NAME] section with [defaults] applied. It is plain
// data that survives a round trip through JSON, and it is never changed: all
// that runs with it shares it.
type Service struct {
	Name string
	// Command is the argument vector. ${X} in it is expanded for each new
	// release, against the environment of that release.
	Command []string
	// WorkingDir is an absolute path whose symbolic links are not resolved yet,
	// or empty for hupwatch's own directory.
	WorkingDir string
	// Environment holds the values as written: ${X} in them is expanded for
	// each new release, against the layers below.
	Environment      map[string]string
	EnvFiles         []EnvFile
	UnsetEnvironment []string
	User             string
	Group            string
	// Umask is -1 if the file does not set it.
	Umask       int
	Limits      []Limit
	OOMScoreAdj *int
	Autostart   bool
	// DependsOn are the services that must be ready before this one starts. They
	// stop after it.
	DependsOn []string
	// Instances is how many processes of it run; 0 means 1.
	Instances    int
	Warmup       time.Duration
	StartTimeout time.Duration
	// Ready is nil if the file does not set it.
	Ready  *Ready
	Listen []Listen
	Compat []Compat
	// Publish is the public path of the sockets that the generations open themselves,
	// or empty. Overlap is how long the old and the new one both serve then.
	Publish      string
	Overlap      time.Duration
	StopSignal   syscall.Signal
	StopTimeout  time.Duration
	KillMode     KillMode
	Restart      Restart
	RestartDelay time.Duration
	// RestartMaxDelay is at least RestartDelay.
	RestartMaxDelay  time.Duration
	RestartLimit     int
	SuccessExitCodes []int
	// Probation is a time after a reload. If the new release ends by itself within
	// it, the one before is started again.
	Probation time.Duration
	// Essential says that hupwatch ends if this service is down for good.
	Essential   bool
	MaxDraining int
	// BeforeStart, BeforeStop and AfterReload are commands; empty for none.
	BeforeStart, BeforeStop, AfterReload []string
	Reload                               ReloadMode
	ReloadWhen                           ReloadWhen
	// ReloadSignal is what is sent if Reload says signal.
	ReloadSignal syscall.Signal
	Output       Output
	// Stderr is empty if standard error goes the way of standard output, in one
	// stream with it.
	Stderr Output
	// OutputMaxSize is the size at which an output file is rotated, 0 for never.
	OutputMaxSize int64
	// OutputBackups is how many rotated files are kept.
	OutputBackups int
}

// EnvFile is one file of a service's env_file. A missing one is an error
// unless it is optional.
type EnvFile struct {
	Path     string
	Optional bool
}

// Limit is one resource limit of a service. Soft and Hard are
// math.MaxUint64 for no limit.
type Limit struct {
	Name     string
	Resource int
	Soft     uint64
	Hard     uint64
}

// Listen is one address of a service that hupwatch opens and its generations
// inherit.
type Listen struct {
	// Network is tcp, tcp4, tcp6 or unix.
	Network string
	// Address is IP:PORT, :PORT for every address of the host, or the absolute
	// path of a unix socket.
	Address string
	// Name is what LISTEN_FDNAMES says of it.
	Name string
	// Mode, User and Group are those of the file of a unix socket. User and Group are
	// empty if the configuration does not set them; Mode -1 leaves the mode alone.
	Mode    int
	User    string
	Group   string
	Backlog int
	// Blocking sockets are for servers that wait in accept.
	Blocking bool
}

// String returns the address as it stands in a file.
func (l Listen) String() string { return l.Network + "://" + l.Address }

// Addresses returns the addresses of sockets as they stand in a file, sorted.
func Addresses(listens []Listen) []string {
	all := make([]string, len(listens))
	for i, l := range listens {
		all[i] = l.String()
	}
	slices.Sort(all)
	return all
}

// KillMode says which processes of a generation get the stop signal.
type KillMode string

// The kill modes. KILL always goes to the whole process group.
const (
	KillMixed KillMode = "mixed" // the stop signal to the main process only
	KillGroup KillMode = "group" // the stop signal to the whole process group
)

// Restart says after which ends a service is started again.
type Restart string

// The restart policies.
const (
	RestartAlways    Restart = "always"
	RestartOnFailure Restart = "on-failure"
	RestartNo        Restart = "no"
)
