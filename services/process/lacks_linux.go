package process

import (
	"fmt"
	"os"
)

// Lacks says what the operating system does not offer here, and what follows from that.
func Lacks() []string { return lacks("/proc") }

func lacks(proc string) []string {
	if _, err := os.ReadFile(proc + "/self/stat"); err != nil {
		return []string{fmt.Sprintf("%s cannot be read (%v): no service can be started, and hupwatch cannot see what services do; mount it: mount -t proc proc %s", proc, err, proc)}
	}
	return nil
}
