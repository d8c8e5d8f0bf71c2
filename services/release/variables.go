package release

import (
	"slices"
	"strconv"
	"strings"

	"hupwatch/config"
)

// The variables that only commands about a generation have.
const (
	pidVariable    = "HUPWATCH_PID"
	resultVariable = "HUPWATCH_RESULT"
	errorVariable  = "HUPWATCH_ERROR"
)

// Variables is what differs from one generation of a release to the next.
func Variables(c *config.Service, generation, instance int, mark string) []string {
	env := []string{
		"HUPWATCH_SERVICE=" + c.Name,
		"HUPWATCH_GENERATION=" + strconv.Itoa(generation),
		"HUPWATCH_INSTANCE=" + strconv.Itoa(instance),
	}
	if mark != "" {
		env = append(env, "HUPWATCH_MARK="+mark+"/"+c.Name+"/"+strconv.Itoa(generation))
	}
	if c.Publish != "" {
		env = append(env, config.BindVariable+"="+config.BindPath(c.Publish, generation))
	}
	if slices.Contains(c.Compat, config.CompatServerStarter) {
		env = append(env, "SERVER_STARTER_PORT="+serverStarterPort(c.Listen), "SERVER_STARTER_GENERATION="+strconv.Itoa(generation))
	}
	if len(c.Listen) > 0 {
		names := make([]string, len(c.Listen))
		for i, l := range c.Listen {
			names[i] = l.Name
		}
		env = append(env, "LISTEN_FDS="+strconv.Itoa(len(c.Listen)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
	return env
}

// CommandVariables is what commands about a generation have of its variables: not what
// only its process has, but the number of that process besides.
func CommandVariables(c *config.Service, generation, instance, pid int) []string {
	env := slices.DeleteFunc(Variables(c, generation, instance, ""), func(v string) bool {
		return strings.HasPrefix(v, "LISTEN_") || strings.HasPrefix(v, "SERVER_STARTER_")
	})
	return append(env, pidVariable+"="+strconv.Itoa(pid))
}

// serverStarterPort tells a program which descriptors it has, in the same form as
// Server::Starter: PORT=3, HOST:PORT=3 or PATH=3, with semicolons between them.
func serverStarterPort(listens []config.Listen) string {
	const first = 3
	ports := make([]string, len(listens))
	for i, l := range listens {
		ports[i] = strings.TrimPrefix(l.Address, ":") + "=" + strconv.Itoa(first+i)
	}
	return strings.Join(ports, ";")
}

// ResultVariables is what after_reload has besides those: what became of the reload.
func ResultVariables(result, reason string) []string {
	return []string{resultVariable + "=" + result, errorVariable + "=" + reason}
}
