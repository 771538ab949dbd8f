package direct

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/spool"
)

// Without an agent a call of sendmail starts a queue run of its own beside it: this is how mail
// that stayed in the spool leaves the host, and nobody waits for other people's messages.
// Hundreds of calls at once shall not start hundreds of runs. One run goes at a time, and
// one more may wait for its end; a message that was queued before that one looks at the queue
// is in its hands. The two locks are files in the spool's directory: starting.lock is held by a run from
// before it is started until it begins, running.lock from then to its end.
const (
	startingLock = "starting.lock"
	runningLock  = "running.lock"
	// startingFD is the descriptor by which a run inherits the first lock.
	startingFD = 3
	// runPatience bounds the wait for the run before: a stopped process must not hold up mail for ever.
	runPatience = 5 * time.Minute
)

// startRun sees to it that a run will look at the queue, unless that is empty. The run is this very
// program, and gets nothing from the caller but the configuration's name. It reports whether one will.
func startRun(sp *spool.Spool, dir, file string) bool {
	if st, err := sp.Stats(); err != nil || st.Messages == 0 {
		return false
	}
	lock, held := holdStarting(filepath.Join(dir, startingLock))
	if lock == nil {
		return held
	}
	defer lock.Close() // only our copy: the run goes on holding the lock
	self, err := os.Executable()
	if err != nil {
		return false
	}
	if file, err = filepath.Abs(file); err != nil {
		return false
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer null.Close()
	p, err := os.StartProcess(self, []string{"sendmail", "-O", "QueueDueOnly", "-q"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{config.EnvPath + "=" + file}, // and nothing of the caller's
		Files: []*os.File{null, null, null, lock},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err == nil {
		_ = p.Release()
	}
	return err == nil
}

// holdStarting takes the lock that a run is to inherit; held is true when another has it.
func holdStarting(path string) (f *os.File, held bool) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, false
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err == syscall.EWOULDBLOCK
	}
	return f, false
}

// waitForRun waits for the end of the run before, and lets the next one be started.
func waitForRun(ctx context.Context, dir string) (end func()) {
	limited, cancel := context.WithTimeout(ctx, runPatience)
	defer cancel()
	end, err := durable.Lock(limited, filepath.Join(dir, runningLock), 0o600)
	letStart(filepath.Join(dir, startingLock))
	if err != nil {
		return func() {}
	}
	return end
}

// letStart gives up the first lock, if this run has inherited it.
func letStart(path string) {
	var inherited, named syscall.Stat_t
	if syscall.Fstat(startingFD, &inherited) == nil && syscall.Lstat(path, &named) == nil &&
		inherited.Dev == named.Dev && inherited.Ino == named.Ino {
		_ = syscall.Close(startingFD)
	}
}
