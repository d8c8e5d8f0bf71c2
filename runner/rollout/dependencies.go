package rollout

import (
	"slices"

	"hupwatch/config"
	"hupwatch/services/lifecycle"
)

// order is what depends_on says: which services start after which, and stop before
// which. A reload takes no notice of it.
type order struct {
	// dependents are the services that depend on one.
	dependents map[string][]string
	// stands has the services that hold up no other: they serve, have done what they
	// were for, or are not wanted.
	stands map[string]bool
	// failed are those that will not stand without help.
	failed map[string]bool
	// held are those that wait for others.
	held map[string]bool
}

func newOrder() order {
	return order{stands: make(map[string]bool), failed: make(map[string]bool), held: make(map[string]bool)}
}

// learn takes the order from a file.
func (o *order) learn(c *config.Config) {
	o.dependents = make(map[string][]string)
	for _, s := range c.Services {
		for _, name := range s.DependsOn {
			o.dependents[name] = append(o.dependents[name], s.Name)
		}
	}
}

// awaits are the services that must be ready before this one and are not yet.
func (r *Rollout) awaits(s *config.Service) []string {
	var names []string
	for _, name := range s.DependsOn {
		_, inFile := r.Config.Service(name)
		if inFile && !r.order.stands[name] {
			names = append(names, name)
		}
	}
	return names
}

// hold lets a service wait for those it depends on, before it is told to start.
func (r *Rollout) hold(s *config.Service) []Effect {
	names := r.awaits(s)
	if len(names) == 0 && !r.order.held[s.Name] {
		return nil
	}
	r.order.held[s.Name] = true
	if len(names) == 0 {
		delete(r.order.held, s.Name)
	}
	failed := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !r.order.failed[name] })
	return []Effect{Tell{s.Name, lifecycle.Await{Names: names, Failed: failed}}}
}

// dependencyReady is called if a service has become ready for those that depend on it,
// or is not any more.
func (r *Rollout) dependencyReady(in DependencyReady) []Effect {
	news := in.Failed != r.order.failed[in.Service]
	r.order.stands[in.Service], r.order.failed[in.Service] = in.Ready, in.Failed
	if !in.Ready && !news { // what is up stays so
		return nil
	}
	return r.unhold(r.order.dependents[in.Service])
}

// tryAgain is called before a service is told to start or reload: what depends on it
// waits for that, though it had failed before.
func (r *Rollout) tryAgain(name string) []Effect {
	if !r.order.failed[name] {
		return nil
	}
	delete(r.order.failed, name)
	return r.unhold(r.order.dependents[name])
}

// unhold looks again whether these services have to wait.
func (r *Rollout) unhold(names []string) []Effect {
	var effects []Effect
	for _, name := range names {
		if s, ok := r.Config.Service(name); ok && r.order.held[name] {
			effects = append(effects, r.hold(s)...)
		}
	}
	return effects
}

// unholdAll does so for all services, since the file is another one. A service that is
// not in it waits for nobody.
func (r *Rollout) unholdAll() []Effect {
	var effects []Effect
	for _, name := range sorted(r.order.held) {
		if _, ok := r.Config.Service(name); ok {
			effects = append(effects, r.unhold([]string{name})...)
			continue
		}
		delete(r.order.held, name)
		effects = append(effects, Tell{name, lifecycle.Await{}})
	}
	return effects
}

// inTheWay reports whether one of these depends on the service.
func (o *order) inTheWay(of string, among map[string]bool) bool {
	return slices.ContainsFunc(o.dependents[of], func(name string) bool { return among[name] })
}
