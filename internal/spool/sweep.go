package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"o365-sendmail/internal/durable"
)

// Swept says what Sweep did.
type Swept struct {
	Messages    int // whole messages in the queue
	Leftovers   int // files of dead writers removed
	Quarantined int // damaged files moved to failed/
	Trimmed     int // old messages removed from failed/
}

// Sweep puts the queue in order: it removes what dead writers left, moves damaged files
// to failed/, warns of files that do not belong there, counts anew, and keeps failed/ within its bounds. It reads
// the head of every message; call it at the start and every hour or so.
func (s *Spool) Sweep(ctx context.Context) (Swept, error) {
	var done Swept
	var others []string
	err := s.eachName(queueDir, func(name string) {
		if _, suffix, ok := splitName(name); !ok || suffix != suffixMessage {
			others = append(others, name)
		}
	})
	if err != nil {
		return done, err
	}
	for _, name := range others {
		if s.sweepOther(name) {
			done.Leftovers++
		}
	}
	err = s.usage.recountBy(func(see func(Info)) error {
		return s.List(ctx, func(i Info) bool {
			see(i)
			if i.Err == nil {
				done.Messages++
			} else if s.sweepDamaged(i) {
				done.Quarantined++
			}
			return true
		})
	})
	var trimErr error
	done.Trimmed, trimErr = s.trim(ctx)
	return done, errors.Join(err, trimErr)
}

// sweepOther removes a leftover, and tells whether it did.
func (s *Spool) sweepOther(name string) bool {
	id, suffix, ok := splitName(name)
	path := s.dir(queueDir) + "/" + name
	st, err := os.Lstat(path)
	if err != nil {
		return false
	}
	temp := strings.HasPrefix(name, durable.TempPrefix)
	switch {
	case !ok && !temp, !st.Mode().IsRegular():
		s.o.Warn(fmt.Errorf("%q in the queue is none of its files; it was left alone", name))
		return false
	case s.o.Now().Sub(st.ModTime()) < s.o.LeftoverAge, suffix == suffixLog && s.present(id):
		return false
	}
	return s.removeUnlocked(path)
}

// present tells whether the queue has the message, as far as the system lets us know.
func (s *Spool) present(id string) bool {
	_, err := os.Lstat(s.path(queueDir, id, suffixMessage))
	return !errors.Is(err, fs.ErrNotExist)
}

// removeUnlocked removes a file that no process holds. A writer that had the file, but
// not yet its lock, fails at its rename and accepts nothing.
func (s *Spool) removeUnlocked(path string) bool {
	f, err := s.ops.Open(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer s.letGo(f)
	return s.ops.Flock(f, syscall.LOCK_EX|syscall.LOCK_NB) == nil && s.ops.Unlink(path) == nil
}

// sweepDamaged lets Claim look again under the lock, and move away what is damaged.
func (s *Spool) sweepDamaged(i Info) bool {
	it, err := s.Claim(i.ID)
	switch {
	case err == nil:
		it.Unlock()
	case errors.Is(err, ErrBusy), errors.Is(err, ErrGone):
	case errors.Is(err, ErrDamaged):
		return !s.present(i.ID)
	default:
		s.o.Warn(fmt.Errorf("message %s: %w; it was left alone", i.ID, err))
	}
	return false
}
