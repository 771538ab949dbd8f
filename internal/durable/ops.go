package durable

import (
	"io/fs"
	"os"
	"syscall"
)

// Ops holds the system calls that this package and its users make on files, so that a
// test can count them, let them fail, or forget what was not synced. All fields must be set.
type Ops struct {
	// Open is open(2), always with O_CLOEXEC and O_NOFOLLOW.
	Open func(path string, flag int, perm fs.FileMode) (*os.File, error)
	// Chmod is fchmod(2); it makes a mode independent of the umask.
	Chmod func(f *os.File, perm fs.FileMode) error
	// Write writes at the file's offset, WriteAt at off. A short write comes with an error.
	Write   func(f *os.File, p []byte) (int, error)
	WriteAt func(f *os.File, p []byte, off int64) (int, error)
	// Sync is fsync(2) of a file or a directory, Datasync is fdatasync(2).
	Sync     func(f *os.File) error
	Datasync func(f *os.File) error
	Close    func(f *os.File) error
	Mkdir    func(path string, perm fs.FileMode) error
	Link     func(oldpath, newpath string) error
	Rename   func(oldpath, newpath string) error
	Unlink   func(path string) error
	// Flock is flock(2). With LOCK_NB the error of a held lock is EWOULDBLOCK.
	Flock func(f *os.File, how int) error
}

// System makes the real calls. Do not change it; give a copy to what is tested.
var System = &Ops{
	Open:     open,
	Chmod:    (*os.File).Chmod,
	Write:    (*os.File).Write,
	WriteAt:  (*os.File).WriteAt,
	Sync:     (*os.File).Sync,
	Datasync: datasync,
	Close:    (*os.File).Close,
	Mkdir:    os.Mkdir,
	Link:     os.Link,
	Rename:   os.Rename,
	Unlink:   unlink,
	Flock:    flock,
}

// open does without os.OpenFile, which would set up the network poller for a plain file.
func open(path string, flag int, perm fs.FileMode) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, flag|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, uint32(perm.Perm()))
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

func datasync(f *os.File) error {
	return control(f, "fdatasync", syscall.Fdatasync)
}

func flock(f *os.File, how int) error {
	return control(f, "flock", func(fd int) error { return syscall.Flock(fd, how) })
}

// unlink does without os.Remove, which tries rmdir(2) too and hides the first error.
func unlink(path string) error {
	for {
		err := syscall.Unlink(path)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "unlink", Path: path, Err: err}
		}
		return nil
	}
}

// control runs one call on the descriptor, again after a signal.
func control(f *os.File, op string, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = raw.Control(func(fd uintptr) {
		for {
			if callErr = call(int(fd)); callErr != syscall.EINTR {
				return
			}
		}
	})
	if err == nil && callErr != nil {
		err = &fs.PathError{Op: op, Path: f.Name(), Err: callErr}
	}
	return err
}
