//go:build !linux && !darwin && !freebsd

package server

// peersKnown says whether the kernel tells who is at the other end. It does not
// here, so that the mode of the socket is all that keeps others out.
const peersKnown = false

func peerOf(int) (*peer, error) { return &peer{}, nil }
