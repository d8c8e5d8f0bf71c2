//go:build linux && !(amd64 || arm64 || riscv64 || loong64)

package process

// waitingCalls are not known here: only an epoll shows who waits, and a connection
// who has accepted.
var waitingCalls = map[int64]waitingCall{}
