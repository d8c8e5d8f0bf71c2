//go:build !linux

package process

// Memory finds nothing: this system is not asked.
func Memory([]int) map[int]int64 { return nil }

// Connections are not known: this system is not asked.
func Connections(int) (n int, known bool) { return 0, false }
