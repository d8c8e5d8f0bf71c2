package runner

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"hupwatch/config"
	"hupwatch/runner/control"
	"hupwatch/runner/state"
	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
	"hupwatch/services/release"
)

// Prepare makes this process fit to start services: it blocks and ignores no signal,
// and hands down no descriptor by accident. Prepare is called before anything else,
// and may execute hupwatch anew.
func Prepare() error {
	if _, err := process.CleanSignals(); err != nil {
		return fmt.Errorf("clean signals: %w", err)
	}
	if err := process.CloseOnExec(); err != nil {
		return fmt.Errorf("close inherited descriptors: %w", err)
	}
	return nil
}

// HostFacts warns of all that this host lacks for the services: a user, a directory, a
// binary, an env file, a limit, an address that is free.
func HostFacts(c *config.Config) config.Problems {
	resolver := release.Resolver{Env: os.Environ(), Dir: logicalDir()}
	var warnings config.Problems
	warn := func(key, text string) {
		warnings = append(warnings, config.Problem{File: c.File, Key: key, Text: text, Warning: true})
	}
	known, holders := knownOf(c), holdersOf(c)
	for _, s := range c.Services {
		key := "services." + s.Name
		for _, err := range resolver.Lacks(s) {
			warn(key, err.Error())
		}
		for _, l := range (&release.Release{Service: s}).Spec().Limits {
			if text := limitFact(l); text != "" {
				warn(key+".limits."+l.Name, text)
			}
		}
		if text := outputFact(s.Output); text != "" {
			warn(key+".output", text)
		}
		if text := outputFact(s.Stderr); text != "" && s.Stderr != s.Output {
			warn(key+".stderr", text)
		}
		if text := unseenFact(s, known[s.Name]); text != "" {
			warn(key, text)
		}
		for i, l := range s.Listen {
			text := holders.fact(l)
			if l.Network == "unix" {
				text = socketFact(l.Address)
			}
			if text != "" {
				warn(fmt.Sprintf("%s.listen[%d]", key, i), text)
			}
		}
		if s.Publish == "" {
			continue
		}
		if text := socketFact(s.Publish); text != "" {
			warn(key+".publish", text)
		}
	}
	return warnings
}

// holders are the processes that have the TCP addresses of a configuration.
type holders map[netip.AddrPort]process.Holder

func holdersOf(c *config.Config) holders {
	var all []netip.AddrPort
	for _, s := range c.Services {
		for _, l := range s.Listen {
			if address, ok := addressOf(l); ok {
				all = append(all, address)
			}
		}
	}
	found := process.Holders(all)
	if text, err := os.ReadFile(filepath.Join(c.Daemon.RuntimeDir, "pid")); err == nil {
		running, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		for address, who := range found {
			if who.PID == running {
				delete(found, address)
			}
		}
	}
	return found
}

// addressOf returns the address of a TCP listener, if it is no name.
func addressOf(l config.Listen) (netip.AddrPort, bool) {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil || l.Network == "unix" {
		return netip.AddrPort{}, false
	}
	if host == "" {
		host = "::"
		if l.Network == "tcp4" {
			host = "0.0.0.0"
		}
	}
	address, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	return address, err == nil && address.Port() != 0
}

// fact says who has the address of a listener that is no hupwatch.
func (h holders) fact(l config.Listen) string {
	address, ok := addressOf(l)
	if !ok {
		return ""
	}
	who := h[address]
	if who.PID == 0 || who.Ours { // nobody, or somebody who may be hupwatch itself
		return ""
	}
	return fmt.Sprintf("%s, pid %d, listens there: stop it, or the service does not start", who.Name, who.PID)
}

// knownOf is what is known of the services from before, as far as it can be read.
func knownOf(c *config.Config) map[string]lifecycle.Record {
	file, err := config.Absolute(c.File)
	if err != nil || c.Daemon.StateDir == "" {
		return nil
	}
	return state.ReadArchive(filepath.Join(c.Daemon.StateDir, archiveFile), file)
}

// unseenFact warns of a service whose new generations hupwatch cannot see at work, if
// it has nothing else to judge them by.
func unseenFact(s *config.Service, known lifecycle.Record) string {
	if len(s.Listen) == 0 || s.Ready != nil {
		return ""
	}
	why := process.CannotLook()
	if why == "" {
		why = known.Waiting.Unseen
	}
	if why == "" {
		return ""
	}
	return control.UnseenText(why)
}

// socketFact says why a unix socket cannot be made at a path.
func socketFact(path string) string {
	dir := config.DirOf(path)
	info, text := directoryFact(dir, "socket", "the service does not start")
	if text != "" {
		return text
	}
	const others = 0o002
	there, err := os.Lstat(path)
	switch {
	case err == nil && there.Mode().Type()&(os.ModeSocket|os.ModeSymlink) == 0:
		return path + " is not a socket: remove it, or the service does not start"
	case info.Mode().Perm()&others != 0:
		return fmt.Sprintf("everybody can write to %s, and so keep the service from starting: give its socket a directory of its own", dir)
	}
	return ""
}

// limitFact says why a limit cannot be set. Who is not root cannot know: hupwatch may run
// as root.
func limitFact(l process.Limit) string {
	if os.Geteuid() != 0 {
		return ""
	}
	if err := process.MayLimit(l); err != nil {
		return err.Error()
	}
	return ""
}

// outputFact says why an output file cannot be made.
func outputFact(o config.Output) string {
	path, ok := o.File()
	if !ok {
		return ""
	}
	_, text := directoryFact(config.DirOf(path), "output file", "the output is lost")
	return text
}

// directoryFact says why nothing can be made in a directory, and what that leads to.
func directoryFact(dir, of, otherwise string) (os.FileInfo, string) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Sprintf("the directory of the %s: %v; make it, or %s", of, err, otherwise)
	case !info.IsDir():
		return nil, fmt.Sprintf("%s is not a directory: %s", dir, otherwise)
	}
	return info, ""
}
