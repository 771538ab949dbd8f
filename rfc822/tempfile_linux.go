package rfc822

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// unnamedFile makes a file that has no name, so that a crash leaves nothing behind:
// with O_TMPFILE, else by taking its name away, else in memory (memfd_create) for
// callers that may write nowhere.
func unnamedFile(dir string) (*os.File, error) {
	const tmpfile = 0x400000 | syscall.O_DIRECTORY // O_TMPFILE, open(2)
	f, err := os.OpenFile(dir, os.O_RDWR|os.O_EXCL|tmpfile, 0o600)
	if err == nil {
		return f, nil
	}
	f, err = namedThenUnlinked(dir)
	if err == nil {
		return f, nil
	}
	f, memErr := memoryFile()
	if memErr != nil {
		return nil, fmt.Errorf("%w; %w", err, memErr)
	}
	return f, nil
}

// memoryFile calls memfd_create(2), whose number package syscall lacks.
func memoryFile() (*os.File, error) {
	var number uintptr
	switch runtime.GOARCH {
	case "amd64":
		number = 319
	case "386":
		number = 356
	case "arm":
		number = 385
	case "arm64", "riscv64", "loong64":
		number = 279
	case "ppc64", "ppc64le":
		number = 360
	case "s390x":
		number = 350
	default:
		return nil, os.NewSyscallError("memfd_create", syscall.ENOSYS)
	}
	const closeOnExec = 1 // MFD_CLOEXEC
	name := [...]byte{'r', 'f', 'c', '8', '2', '2', 0}
	fd, _, errno := syscall.Syscall(number, uintptr(unsafe.Pointer(&name[0])), closeOnExec, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("memfd_create", errno)
	}
	return os.NewFile(fd, "message body"), nil
}
