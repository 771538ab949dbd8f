package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Lock takes an exclusive lock on a file of its own at path, creating it with
// mode perm, and waits for it as long as ctx allows; the error then wraps ctx.Err().
// The lock ends with unlock or with the process. The file stays.
func Lock(ctx context.Context, path string, perm fs.FileMode) (unlock func(), err error) {
	return System.Lock(ctx, path, perm)
}

// TryLock is Lock without waiting: ok is false when another holds the lock.
func TryLock(path string, perm fs.FileMode) (unlock func(), ok bool, err error) {
	return System.TryLock(path, perm)
}

// Lock is the package's Lock over o.
func (o *Ops) Lock(ctx context.Context, path string, perm fs.FileMode) (unlock func(), err error) {
	unlock, err = o.LockAny(ctx, []string{path}, perm)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("lock %s is held by another process: %w", path, ctx.Err())
	}
	return unlock, err
}

// TryLock is the package's TryLock over o.
func (o *Ops) TryLock(path string, perm fs.FileMode) (unlock func(), ok bool, err error) {
	unlock, err = o.flock(path, perm, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, nil
	}
	return unlock, err == nil, err
}

// errRemoved says that the file was removed while its lock was waited for.
var errRemoved = errors.New("the lock file was removed")

func (o *Ops) flock(path string, perm fs.FileMode, how int) (unlock func(), err error) {
	for {
		f, err := o.openLock(path, perm)
		if err != nil {
			return nil, err
		}
		if err := o.Flock(f, how); err != nil {
			_ = o.Close(f)
			return nil, err
		}
		if sameFile(f, path) {
			return func() { o.unlock(f) }, nil
		}
		// Somebody removed the file between open and lock: what is locked excludes nobody.
		o.unlock(f)
		if how&syscall.LOCK_NB == 0 {
			return nil, errRemoved
		}
	}
}

// unlock does not leave it to close(2): a child process that is just being started may
// still have a copy of the descriptor, which would keep the lock.
func (o *Ops) unlock(f *os.File) {
	_ = o.Flock(f, syscall.LOCK_UN)
	_ = o.Close(f)
}

// openLock opens the lock file. A new one appears with its final mode at once, so
// that another process never meets it unreadable under a umask of 0777.
func (o *Ops) openLock(path string, perm fs.FileMode) (*os.File, error) {
	for range 10 {
		f, err := o.Open(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err == nil {
			return regular(o, f)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		temp, err := o.writeTemp(path, nil, perm, false)
		if err != nil {
			return nil, err
		}
		err = o.Link(temp, path)
		_ = o.Unlink(temp)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("lock %s disappears as soon as it is made", path)
}

func regular(o *Ops, f *os.File) (*os.File, error) {
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a plain file", f.Name())
	}
	if err != nil {
		_ = o.Close(f)
		return nil, err
	}
	return f, nil
}

func sameFile(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(open, named)
}
