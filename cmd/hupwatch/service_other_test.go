//go:build !linux

package main

import (
	"errors"
	"syscall"
)

func block(syscall.Signal) error { return errors.ErrUnsupported }

func deferAccept(string) error { return errors.ErrUnsupported }
