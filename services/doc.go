// Package services runs services. A lifecycle.Machine decides what happens to one.
// A Watcher is the goroutine around one Machine: it carries the effects out and
// posts back what came of them. It decides nothing: an effect contains all that is
// needed to carry it out.
//
// Package release makes what a generation is started with. Most other packages below
// are for carrying effects out: processes, sockets, probes, what services say and
// what they write.
package services
