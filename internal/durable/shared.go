package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Modes of a shared directory and of the files in it.
const (
	SharedDirMode  fs.FileMode = 0o700
	SharedFileMode fs.FileMode = 0o600
)

var (
	errNotPrivate = errors.New("not a plain file that only this user can reach")
	errSize       = errors.New("not a file of the size that was expected")
	// errNoDir is not a fault: the caller wants no disk.
	errNoDir = errors.New("no directory is configured")
)

// Shared is a directory in which the processes of one user keep small files, replaced by rename. What lies there only
// ever saves work: a file that is missing, damaged, foreign or not private is the same as none, and when the
// directory can't be used, its users go on without it.
type Shared struct {
	// Path is the directory; it is made when missing. "" is none, which is not a fault.
	Path string
	// Warn gets one error of each kind when something in the directory can't be used; nil drops them.
	Warn func(error)
	// Lost is what its users do without while the directory can't be used, for the warning.
	Lost string
	// Ops are the system's calls, but for reading.
	Ops *Ops

	mu     sync.Mutex
	warned map[string]bool
}

// sharedError says that the directory itself can't be used, and so nothing in it.
type sharedError struct{ error }

func (e *sharedError) Unwrap() error { return e.error }

// Prepare makes the directory if it is missing and reports why it can't be used, if so.
func (s *Shared) Prepare() error {
	if s.Path == "" {
		return errNoDir
	}
	if err := s.look(); err != nil {
		return &sharedError{err}
	}
	return nil
}

func (s *Shared) look() error {
	st, err := os.Stat(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.makeDirs(s.Path); err != nil {
			return err
		}
		st, err = os.Stat(s.Path)
	}
	if err != nil {
		return err
	}
	return checkShared(st)
}

// checkShared refuses a directory in which somebody else could put files of their own.
func checkShared(st fs.FileInfo) error {
	if !st.IsDir() {
		return errors.New("not a directory")
	}
	if perm := st.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("others may write to the directory (mode %04o); chmod 0700 it", perm)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid != 0 && int(sys.Uid) != os.Geteuid() {
		return fmt.Errorf("the directory belongs to user id %d, this program runs as %d", sys.Uid, os.Geteuid())
	}
	return nil
}

// makeDirs makes dir and the missing ones above it, each 0700 whatever the umask.
func (s *Shared) makeDirs(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := s.makeDirs(parent); err != nil {
			return err
		}
	}
	// It gets its name only with its mode: under a umask of 0777 another process
	// would meet it locked. rename(2) fails when the name is taken and not empty.
	temp := filepath.Join(parent, fmt.Sprintf("%s%016x", TempPrefix, rand.Uint64()))
	if err := s.Ops.Mkdir(temp, SharedDirMode); err != nil {
		return err
	}
	err := os.Chmod(temp, SharedDirMode)
	if err == nil {
		err = s.Ops.Rename(temp, dir)
	}
	if err != nil {
		_ = os.Remove(temp)
	}
	if errors.Is(err, fs.ErrExist) { // ENOTEMPTY, too: another process was faster
		return nil
	}
	return err
}

// Replace replaces a file of the directory, whatever lies there. It is not synced.
func (s *Shared) Replace(path string, data []byte) error {
	if err := s.Prepare(); err != nil {
		return err
	}
	err := s.Ops.ReplaceNoSync(path, data, SharedFileMode)
	if err == nil {
		return nil
	}
	// A directory can't be replaced by rename. Only an empty one is taken away.
	if st, statErr := os.Lstat(path); statErr == nil && st.IsDir() && os.Remove(path) == nil {
		return s.Ops.ReplaceNoSync(path, data, SharedFileMode)
	}
	return err
}

// Failed warns, once for each what, that what can't be used and why. Where it is the directory, one
// warning says it for all.
func (s *Shared) Failed(what string, err error) {
	if errors.Is(err, errNoDir) {
		return
	}
	dir := (*sharedError)(nil)
	if errors.As(err, &dir) {
		what = ""
	}
	s.mu.Lock()
	again := s.warned[what]
	if s.warned == nil {
		s.warned = make(map[string]bool)
	}
	s.warned[what] = true
	s.mu.Unlock()
	switch {
	case again || s.Warn == nil:
	case dir != nil:
		s.Warn(fmt.Errorf("the cache directory %q can't be used: %w%s; until then %s", s.Path, err, dirHint(err),
			s.Lost))
	default:
		s.Warn(fmt.Errorf("%s in %q can't be used, going on without: %w%s", what, s.Path, err, fileHint(err)))
	}
}

// dirHint says what to do about a directory that the system does not let this process use.
func dirHint(err error) string {
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Sprintf("; let user id %d write there, or name another", os.Geteuid())
	case errors.Is(err, syscall.EROFS):
		return "; name another"
	}
	return ""
}

// fileHint says what usually is wrong when the system refuses a write.
func fileHint(err error) string {
	for _, e := range [...]error{syscall.EACCES, syscall.EPERM, syscall.EROFS} {
		if errors.Is(err, e) {
			return "; the directory must be writable, not only the file"
		}
	}
	return ""
}

// ReadPrivate reads a file of 1 to limit bytes, if it is a plain one that its owner alone can read and write. The owner
// is uid; -1 is anybody. It never blocks, whatever lies at path.
func ReadPrivate(path string, limit, uid int) ([]byte, error) {
	fd, size, err := OpenPrivate(path, syscall.O_RDONLY, uid)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	if size <= 0 || size > int64(limit) {
		return nil, errSize
	}
	buf := make([]byte, size)
	for n := 0; n < len(buf); {
		m, err := syscall.Read(fd, buf[n:])
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, err
		case m == 0:
			return nil, errSize
		}
		n += m
	}
	return buf, nil
}

// OpenPrivate opens the file that ReadPrivate would read. It does without the os package's poller: it is on the way
// of every message.
func OpenPrivate(path string, mode, uid int) (fd int, size int64, err error) {
	const flags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_CLOEXEC
	for {
		fd, err = syscall.Open(path, mode|flags, 0)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return -1, 0, err
	}
	var st syscall.Stat_t
	err = syscall.Fstat(fd, &st)
	if err == nil && (st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Mode&0o077 != 0 ||
		uid >= 0 && int(st.Uid) != uid) {
		err = errNotPrivate
	}
	if err != nil {
		_ = syscall.Close(fd)
		return -1, 0, err
	}
	return fd, st.Size, nil
}
