package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/durable"
)

const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

const (
	tempAge = 10 * time.Minute   // a temporary file this old has no writer any more
	fileAge = 7 * 24 * time.Hour // a token or refusal this old belongs to a key that is not used any more
)

// suffixes of the files of one key.
const (
	tokenSuffix    = ".token"
	refusedSuffix  = ".refused"
	lockSuffix     = ".lock"
	takeoverSuffix = ".takeover" // the lock of those who waited too long for the first
)

var (
	errNotPrivate = errors.New("not a plain file that only this user can reach")
	// errNoDir is no fault: the caller wants no disk.
	errNoDir = errors.New("no directory is configured")
)

// readPrivate reads a small file that this user alone can read and write.
func readPrivate(path string, limit int) ([]byte, error) {
	return readOwned(path, limit, os.Geteuid())
}

func readOwned(path string, limit, uid int) ([]byte, error) {
	fd, size, err := openOwned(path, syscall.O_RDONLY, uid)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	if size <= 0 || size > int64(limit) {
		return nil, errFrame
	}
	return readFull(fd, int(size))
}

// openPrivate opens a file if it is a plain one that this user alone can read and write. It never
// blocks, whatever lies at path, and does without the os package's poller: it is
// on the way of every message.
func openPrivate(path string, mode int) (fd int, size int64, err error) {
	return openOwned(path, mode, os.Geteuid())
}

// openOwned opens a file if it is a plain one that its owner alone can read and write, who is uid; -1 is anybody.
func openOwned(path string, mode, uid int) (fd int, size int64, err error) {
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

// readFull reads size octets; less is an error.
func readFull(fd, size int) ([]byte, error) {
	buf := make([]byte, size)
	for n := 0; n < size; {
		m, err := syscall.Read(fd, buf[n:])
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, err
		case m == 0:
			return nil, errFrame
		}
		n += m
	}
	return buf, nil
}

// dirError says that the directory itself can't be used, and so nothing in it.
type dirError struct{ err error }

func (e *dirError) Error() string { return e.err.Error() }

func (e *dirError) Unwrap() error { return e.err }

// prepareDir makes the directory if it is missing and reports whether it may be used.
func (c *Cache) prepareDir() error {
	if c.dir == "" {
		return errNoDir
	}
	if err := c.lookAtDir(); err != nil {
		return &dirError{err}
	}
	return nil
}

func (c *Cache) lookAtDir() error {
	st, err := os.Stat(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := c.makeDirs(c.dir); err != nil {
			return err
		}
		st, err = os.Stat(c.dir)
	}
	if err != nil {
		return err
	}
	return checkDir(st)
}

// checkDir refuses a directory in which somebody else could put files of their own.
func checkDir(st fs.FileInfo) error {
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
func (c *Cache) makeDirs(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := c.makeDirs(parent); err != nil {
			return err
		}
	}
	// It gets its name only with its mode: under a umask of 0777 another process
	// would meet it locked. rename(2) fails when the name is taken and not empty.
	temp := filepath.Join(parent, fmt.Sprintf("%s%016x", durable.TempPrefix, rand.Uint64()))
	if err := c.ops.Mkdir(temp, dirMode); err != nil {
		return err
	}
	err := os.Chmod(temp, dirMode)
	if err == nil {
		err = c.ops.Rename(temp, dir)
	}
	if err != nil {
		_ = os.Remove(temp)
	}
	if errors.Is(err, fs.ErrExist) { // ENOTEMPTY, too: another process was faster
		return nil
	}
	return err
}

// writeFile replaces a file of the cache, whatever lies there.
func (c *Cache) writeFile(path string, data []byte) error {
	if err := c.prepareDir(); err != nil {
		return err
	}
	err := c.ops.ReplaceNoSync(path, data, fileMode)
	if err == nil {
		return nil
	}
	// A directory can't be replaced by rename. Only an empty one is taken away.
	if st, statErr := os.Lstat(path); statErr == nil && st.IsDir() && os.Remove(path) == nil {
		return c.ops.ReplaceNoSync(path, data, fileMode)
	}
	return err
}

// sweep removes what killed writers and forgotten keys left. Lock files stay:
// a lock on a removed file would exclude nobody.
func (c *Cache) sweep() {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	now := time.Now() // as the file system's times, not the injected clock
	for _, e := range entries {
		limit := sweepAge(e.Name())
		if limit == 0 || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > limit {
			_ = os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
}

// sweepAge is the age at which a file may go; 0 keeps it.
func sweepAge(name string) time.Duration {
	if strings.HasPrefix(name, durable.TempPrefix) {
		return tempAge
	}
	stem, suffix, ok := strings.Cut(name, ".")
	if ok && len(stem) == sumLength && ("."+suffix == tokenSuffix || "."+suffix == refusedSuffix) {
		return fileAge
	}
	return 0
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

// hint says what usually is wrong when the system refuses a write.
func hint(err error) string {
	for _, e := range [...]error{syscall.EACCES, syscall.EPERM, syscall.EROFS} {
		if errors.Is(err, e) {
			return "; the directory must be writable, not only the file"
		}
	}
	return ""
}
