package services

import (
	"time"

	"hupwatch/config"
)

// extendLimit is how many times its start_timeout a generation may have in all that
// asks for more, see EXTEND_TIMEOUT_USEC of sd_notify(3).
const extendLimit = 10

// defaultProbe is how long an attempt may take if nobody said.
const defaultProbe = 2 * time.Second

// ready is how to see that a generation is ready; nil if nobody said how.
func (g *Generation) ready() *config.Ready {
	c := g.service()
	switch {
	case c.Ready != nil && c.Ready.Kind == config.ReadyWarmup:
		return nil
	case c.Ready == nil && c.Publish != "":
		return &config.Ready{Kind: config.ReadyUnix, Address: "${" + config.BindVariable + "}", Interval: everyLook, Timeout: defaultProbe}
	}
	return c.Ready
}

// speaks reports whether a generation says itself that it is ready.
func speaks(r *config.Ready) bool {
	return r != nil && (r.Kind == config.ReadyNotify || r.Kind == config.ReadyFD)
}

// said takes what a generation says of itself.
func (s *step) said(in Said) {
	sl, g := s.find(in.Generation)
	if g == nil {
		return
	}
	if in.MainPID != 0 {
		g.Deputy = in.MainPID
		if in.MainPID == g.PID {
			g.Deputy = 0
		}
	}
	if g != sl.Incoming {
		return
	}
	if in.Extend > 0 && g.Phase == PhaseProving {
		most := g.StartedAt
		for range extendLimit {
			most = most.Add(g.service().StartTimeout)
		}
		g.Deadline = max(g.Deadline, min(s.now.Add(in.Extend), most))
	}
	g.Proof.Said, g.Proof.Status = g.Proof.Said || in.Ready, in.Status
	switch {
	case in.Failure != "" && !g.Proof.Said:
		s.fail(sl, in.Failure)
	case in.Stopping && g.Phase != PhaseResolving:
		s.fail(sl, "it said STOPPING=1 before it had taken over")
	case g.Proof.Said && g.Phase == PhaseProving && speaks(g.ready()):
		s.warm(sl)
	}
}
