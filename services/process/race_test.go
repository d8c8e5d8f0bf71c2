//go:build race

package process_test

// scale makes the numbers of processes smaller where each of them takes long.
const scale = 20
