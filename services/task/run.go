package task

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"hupwatch/services/process"
)

// Outcome is how a command ended.
type Outcome struct {
	Exit process.Exit
	// Tail are the last lines that it wrote, 20 lines and 4 KiB at most.
	Tail []string
}

// Run runs a command to its end and returns how it ended and what it wrote last. It
// replaces Stdout and Stderr of spec. Nothing of the command's group outlives it. If
// ctx is done first, all of the group is killed, and the error is that of ctx; Run
// returns once the command is gone. Any other error means that nothing was started.
func Run(ctx context.Context, table *process.Table, spec process.Spec) (Outcome, error) {
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	out, in, err := pipe(spec.Credential)
	if err != nil {
		return Outcome{}, err
	}
	defer out.Close()
	spec.Stdout, spec.Stderr = int(in.Fd()), int(in.Fd())

	ended := make(chan process.Exit, 1)
	t, err := Start(table, spec, func(e process.Exit) {
		_ = out.SetReadDeadline(time.Unix(1, 0)) // others may have the pipe open
		ended <- e
	})
	in.Close()
	if err != nil {
		return Outcome{}, err
	}
	defer context.AfterFunc(ctx, t.Kill)()

	var last tail
	last.follow(out)
	exit := <-ended
	if exit.Rest {
		t.Kill()
	}
	last.catchUp(out)

	if exit.Signal == syscall.SIGKILL && ctx.Err() != nil {
		err = ctx.Err()
	}
	return Outcome{Exit: exit, Tail: last.lines()}, err
}

// pipe returns both ends of a pipe that belongs to the user who writes to it, who
// could not open /dev/stderr otherwise.
func pipe(writer *process.Credential) (out, in *os.File, err error) {
	out, in, err = os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("open a pipe: %w", err)
	}
	if writer != nil {
		_ = in.Chown(int(writer.UID), int(writer.GID)) // if that fails, all else works
	}
	return out, in, nil
}
