// Command hupwatch keeps the services of a configuration file running and
// reloads them without losing a request.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
