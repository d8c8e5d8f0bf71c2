//go:build !linux || !amd64

// Command bench measures what hupwatch costs. Its service is in the assembly of
// one processor, and what it looks at is in Linux's /proc.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: only linux/amd64 is supported")
	os.Exit(1)
}
