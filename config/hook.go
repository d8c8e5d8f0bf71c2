package config

// Hook is one of the commands of a service that run around its generations, by the
// name of its key.
type Hook string

// The hooks.
const (
	HookBeforeStart Hook = "before_start" // before each new release; if it fails, the release is not started
	HookBeforeStop  Hook = "before_stop"  // before the stop signal
	HookAfterReload Hook = "after_reload" // after each reload, whatever its result
)
