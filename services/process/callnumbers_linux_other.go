//go:build linux && !(amd64 || arm64 || riscv64 || loong64)

package process

// waitingCalls are not known here: only an epoll shows which process waits, and only a
// connection shows which one has accepted it.
var waitingCalls = map[int64]waitingCall{}
