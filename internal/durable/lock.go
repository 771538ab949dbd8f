package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"time"
)

// A waiting flock(2) can't be called off, so that Lock asks again after a pause
// that grows from lockPauseMin to lockPauseMax, with jitter.
const (
	lockPauseMin = time.Millisecond
	lockPauseMax = 25 * time.Millisecond
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
	pause := lockPauseMin
	for {
		unlock, ok, err := o.TryLock(path, perm)
		if ok || err != nil {
			return unlock, err
		}
		t := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, fmt.Errorf("lock %s is held by another process: %w", path, ctx.Err())
		case <-t.C:
		}
		pause = min(2*pause, lockPauseMax)
	}
}

// TryLock is the package's TryLock over o.
func (o *Ops) TryLock(path string, perm fs.FileMode) (unlock func(), ok bool, err error) {
	for {
		f, err := o.openLock(path, perm)
		if err != nil {
			return nil, false, err
		}
		err = o.Flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			if !sameFile(f, path) {
				// Somebody removed the file between open and lock: what is locked excludes nobody.
				o.unlock(f)
				continue
			}
			return func() { o.unlock(f) }, true, nil
		}
		_ = o.Close(f)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, false, nil
		}
		return nil, false, err
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
