// Package services runs services. What happens to one is decided by a
// lifecycle.Machine. A Watcher is the goroutine around one Machine: it carries the
// effects out and posts back what came of them. It decides nothing, and an effect
// has all that it takes to carry it out.
//
// What a generation is started with is made by package release; the packages below
// are what effects are carried out with: processes, sockets, probes, what services
// say and what they write.
package services
