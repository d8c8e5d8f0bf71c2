package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"hupwatch/cmd/hupwatch/screen"
)

// display is the terminal that a command writes to, if there is one.
type display struct {
	fd int // -1 for none
	// escapes reports whether it understands escape sequences.
	escapes bool
}

func newDisplay(w io.Writer) display {
	d := display{fd: -1}
	if out, ok := w.(*printed); ok {
		w = out.Writer
	}
	file, ok := w.(*os.File)
	if !ok {
		return d
	}
	if _, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err != nil {
		return d
	}
	kind := os.Getenv("TERM")
	return display{fd: int(file.Fd()), escapes: kind != "" && kind != "dumb"}
}

// size is how many cells wide and how many lines high the terminal is now.
func (d display) size() (width, height int) {
	width, height = 80, 24
	if ws, err := unix.IoctlGetWinsize(d.fd, unix.TIOCGWINSZ); err == nil && ws.Col > 0 && ws.Row > 0 {
		width, height = int(ws.Col), int(ws.Row)
	}
	return width, height
}

// style is how wide lines for it may be now, and if they may have colours.
func (d display) style() screen.Style {
	if d.fd < 0 {
		return screen.Style{}
	}
	width, _ := d.size()
	return screen.Style{Width: width, Colour: d.escapes && os.Getenv("NO_COLOR") == ""}
}
