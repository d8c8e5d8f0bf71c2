package process_test

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"hupwatch/services/process"
)

func TestListeningFindsWhatAProcessListensOn(t *testing.T) {
	path := t.TempDir() + "/s"
	for network, address := range map[string]string{"tcp4": "127.77.0.1:8001", "tcp6": "[::1]:8077", "unix": path} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	ephemeral, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ephemeral.Close()
	found := process.Listening(os.Getpid())
	for _, want := range []string{"tcp 127.77.0.1:8001", "tcp [::1]:8077", "unix " + path} {
		if !slices.Contains(found, want) {
			t.Errorf("%q is missing in %q", want, found)
		}
	}
	if slices.Contains(found, "tcp "+ephemeral.Addr().String()) {
		t.Errorf("a port that the kernel picked is in %q", found)
	}
	if !process.ListensAt(os.Getpid(), []string{"tcp 0.0.0.0:1", "tcp " + ephemeral.Addr().String()}) {
		t.Errorf("it does not listen at %v", ephemeral.Addr())
	}
	if process.ListensAt(os.Getpid(), []string{"tcp 0.0.0.0:1"}) {
		t.Errorf("it listens on port 1")
	}
}

func TestListeningFindsWhatADescendantListensOn(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 8002, Addr: [4]byte{127, 77, 0, 2}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(fd), "socket")
	child := exec.Command("cat") // which waits for the end of its input
	child.ExtraFiles = []*os.File{socket}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	if found := process.Listening(os.Getpid()); !slices.Contains(found, "tcp 127.77.0.2:8002") {
		t.Errorf("what the child listens on is missing in %q", found)
	}
	stdin.Close()
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if found := process.Listening(child.Process.Pid); found != nil {
		t.Errorf("a process that is gone listens on %q", found)
	}
}
