// Package services runs services: it knows what a generation is and when one
// may take the place of another.
//
// The life of a generation, and what ends it before its time:
//
//	resolving ──▶ starting ──▶ proving ──▶ warming ──▶ active ──▶ draining ──▶ gone
//	    │            │            │           │           │           │
//	    │ no such    │ no fork,   │ not ready │ ended by  │ ended     │ time is up:
//	    │ directory, │ no exec,   │ in time   │ itself,   │ by        │ KILL to the
//	    │ user, ...  │ no time    │           │ not ready │ itself    │ whole group
//	    ▼            ▼            ▼           ▼           ▼           ▼
//	   kept old: the active one never heard of it    started again (backoff)
//
// Between resolving and starting is before_start, and the wait for the old one of
// what cannot live twice; between warming and active what handover.go is about.
//
// A Machine decides all of it. It is a pure function over plain data: Step takes
// the time and one Input and returns Effects. A Watcher is the goroutine around
// one Machine: it carries the effects out and posts back what came of them. So
// that everything can be tried without a process or a clock, nothing else
// decides anything.
package services
