package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/sysexits"
)

// Limits bound what the spool takes. Zero means no bound.
type Limits struct {
	MaxMessages        int
	MaxBytes           int64
	MaxMessagesPerUser int
	MaxBytesPerUser    int64
	// ReservePercent of MaxMessages and MaxBytes only root and the process's own user get. The rest
	// others share as package share says.
	ReservePercent int
	// KeepFree is how many bytes stay free on the file system.
	KeepFree int64
	// MaxFailed and MaxFailedBytes bound what is kept in failed/ of messages of which nothing is
	// to do. An eighth more may lie there between two looks.
	MaxFailed      int
	MaxFailedBytes int64
}

// Options say where the spool is and how it behaves.
type Options struct {
	// Dir is made if it is missing; its parent must exist.
	Dir    string
	Limits Limits
	// Owner says to whom a uid's messages count; nil counts each uid for itself. All processes with the
	// spool must agree.
	Owner func(uid int) int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Rand makes ids; nil means crypto/rand.
	Rand io.Reader
	// Warn hears of damage and of what was done about it; nil means nobody does.
	Warn func(error)
	// LeftoverAge is how old a leftover that no lock protects must be before Sweep removes it, such
	// as the log of a message that is gone; 0 means an hour.
	LeftoverAge time.Duration
	// Ops are the system calls; nil means the real ones.
	Ops *durable.Ops
}

// Spool is one spool directory. Its methods may be called by many goroutines at once.
type Spool struct {
	o      Options
	ops    *durable.Ops
	owner  int      // uid that owns the directory and must own every file
	queue  *os.File // the open directory, for fsync
	failed *os.File
	// Concurrent submissions share one fsync of the directory.
	queueSync, failedSync group
	usage                 usage
	failures              failures
	foreign               atomic.Int64 // other programs' files in the queue that were reported
	unsynced              sync.Mutex   // guards removed
	removed               bool         // a removal waits for Sync
}

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Open opens the spool, or makes it. Its errors carry an exit code.
func Open(o Options) (*Spool, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.LeftoverAge == 0 {
		o.LeftoverAge = time.Hour
	}
	if o.Ops == nil {
		o.Ops = durable.System
	}
	s := &Spool{o: o, ops: o.Ops, owner: -1}
	for _, d := range []struct {
		path string
		keep **os.File
	}{{o.Dir, nil}, {s.dir(queueDir), &s.queue}, {s.dir(failedDir), &s.failed}} {
		f, err := s.openDir(d.path)
		if err != nil {
			_ = s.Close()
			code := sysexits.Code(fault(err), sysexits.CantCreat)
			if errors.Is(err, fs.ErrNotExist) {
				code = sysexits.CantCreat // nobody has made the directory that it is to lie in
			}
			return nil, sysexits.With(code, fmt.Errorf("the spool can't be used: %w", err))
		}
		if d.keep == nil {
			_ = f.Close()
			continue
		}
		*d.keep = f
	}
	s.queueSync.sync = func() error { return s.ops.SyncOpenDir(s.queue) }
	s.failedSync.sync = func() error { return s.ops.SyncOpenDir(s.failed) }
	s.usage.open(s)
	return s, nil
}

// openDir opens a directory of the spool, makes it if it is missing, and refuses
// one that others could write to.
func (s *Spool) openDir(path string) (*os.File, error) {
	f, err := s.ops.Open(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	made := false
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.ops.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		made = err == nil
		f, err = s.ops.Open(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
		if made && errors.Is(err, fs.ErrPermission) {
			// A umask of 0777 has taken the owner's own rights. The directory was made right here.
			if err = os.Chmod(path, dirMode); err == nil {
				f, err = s.ops.Open(path, os.O_RDONLY|syscall.O_DIRECTORY, 0)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if made {
		err = errors.Join(s.ops.Chmod(f, dirMode), s.give(f), s.ops.SyncDir(filepath.Dir(path)))
	}
	if err == nil {
		err = s.checkDir(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (s *Spool) checkDir(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	uid := owner(st)
	if s.owner < 0 {
		s.owner = uid
	}
	switch {
	case st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s has mode %04o and so is open to others; make it %04o", f.Name(), st.Mode().Perm(),
			dirMode)
	case uid != s.owner:
		return fmt.Errorf("%s belongs to uid %d, but the spool to uid %d; make them the same", f.Name(), uid, s.owner)
	}
	if euid := os.Geteuid(); euid != uid && euid != 0 {
		return fmt.Errorf("%s belongs to uid %d, and this is uid %d: only the owner may use it", f.Name(), uid, euid)
	}
	return nil
}

// give hands a new file to the owner of the spool when root made it.
func (s *Spool) give(f *os.File) error {
	if s.owner <= 0 || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(s.owner, -1)
}

// own makes a new file the spool's: a umask of 0777 would have made one that
// its readers can't open.
func (s *Spool) own(f *os.File) error {
	if err := s.ops.Chmod(f, fileMode); err != nil {
		return err
	}
	return s.give(f)
}

func owner(st fs.FileInfo) int {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid)
	}
	return -1
}

// Close lets go of the open directories. Messages that were claimed stay claimed.
func (s *Spool) Close() error {
	var errs []error
	for _, f := range []*os.File{s.queue, s.failed} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.usage.close()
	return errors.Join(errs...)
}

// The directories of a spool.
const (
	queueDir  = "queue"
	failedDir = "failed"
)

func (s *Spool) dir(name string) string { return filepath.Join(s.o.Dir, name) }

// path is only called with a valid id.
func (s *Spool) path(dir, id, suffix string) string {
	return filepath.Join(s.o.Dir, dir, id+suffix)
}

// Sync makes the removals of Finish survive a power loss. It costs nothing when there were
// none. Without it a delivered message may come back after a power loss in
// the next seconds and be sent again. It also takes them off the counts.
func (s *Spool) Sync() error {
	s.usage.settle()
	s.unsynced.Lock()
	removed := s.removed
	s.removed = false
	s.unsynced.Unlock()
	if !removed {
		return nil
	}
	return s.queueSync.do()
}

func (s *Spool) noteRemoval() {
	s.unsynced.Lock()
	s.removed = true
	s.unsynced.Unlock()
}
