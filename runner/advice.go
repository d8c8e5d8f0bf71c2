package runner

import (
	"fmt"
	"time"

	"hupwatch/config"
	"hupwatch/services/process"
)

// containerPatience is how long docker stop waits before it kills everything.
const containerPatience = 10 * time.Second

// advice is what a person who starts hupwatch like this should know.
func advice(o Options, pid int) []string {
	c := o.Config
	texts := process.Lacks()
	if slowest := slowestStop(c); pid == 1 && slowest > containerPatience && !o.OneService {
		texts = append(texts, fmt.Sprintf("as PID 1 of a container: a stop may take %s, but docker stop kills after %s; lower shutdown_timeout or stop_timeout, or raise docker's --stop-timeout",
			brief(slowest), containerPatience))
	}
	return texts
}

// slowestStop is how long an end may take, from the signal to the last KILL.
func slowestStop(c *config.Config) time.Duration {
	var slowest time.Duration
	for _, s := range c.Services {
		slowest = max(slowest, s.StopTimeout)
	}
	return min(slowest, c.Daemon.ShutdownTimeout)
}
