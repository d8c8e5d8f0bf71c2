//go:build race

package rollout

// raced is whether the race detector watches. A simulated world takes ten times as
// long then, and has no second goroutine in it that could race: few seeds will do.
const raced = true
