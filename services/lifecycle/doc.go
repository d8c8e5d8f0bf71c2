// Package lifecycle decides what happens to a service: when a generation is started,
// when it may take the place of another one, and when it has to end.
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
// the time and one Input and returns Effects. Nothing here does anything, so that
// whole fleets can be tried without a process or a clock.
package lifecycle
