package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

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
// to failed/, warns of files that do not belong there, counts afresh, and keeps failed/ within its bounds. It reads
// the head of every message; call it at the start and every hour or so.
func (s *Spool) Sweep(ctx context.Context) (Swept, error) {
	var done Swept
	var err error
	if done.Leftovers, err = s.SweepLeftovers(); err != nil {
		return done, err
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

// SweepLeftovers is the part of Sweep that removes what dead writers left, and says how many files those
// were. It reads no message.
func (s *Spool) SweepLeftovers() (removed int, err error) {
	var others []string
	err = s.eachName(queueDir, func(name string) {
		if _, suffix, ok := splitName(name); !ok || suffix != suffixMessage {
			others = append(others, name)
		}
	})
	foreign, one := 0, ""
	for _, name := range others {
		switch s.sweepOther(name) {
		case sweptForeign:
			foreign, one = foreign+1, name
		case sweptRemoved:
			removed++
		}
	}
	s.tellForeign(foreign, one)
	return removed, err
}

// tellForeign warns of files that are not the spool's once, and again only when there are more.
func (s *Spool) tellForeign(n int, one string) {
	if told := s.foreign.Swap(int64(n)); int64(n) <= told {
		return
	}
	text := fmt.Sprintf("%.80q in the queue is not one of the spool's files; it was left alone", one)
	if n > 1 {
		text = fmt.Sprintf("%d files in the queue are not the spool's, such as %.80q; they were left alone", n, one)
	}
	s.o.Warn(errors.New(text))
}

// swept says what became of a file that is not a message.
type swept uint8

const (
	sweptKept    swept = iota // it is in use, or may be
	sweptForeign              // it is not the spool's
	sweptRemoved
)

// sweepOther removes a leftover. A message that nobody writes any more has no lock; the other files have
// none at all, so that their age must do.
func (s *Spool) sweepOther(name string) swept {
	id, suffix, ok := splitName(name)
	path := s.dir(queueDir) + "/" + name
	st, err := os.Lstat(path)
	temp := strings.HasPrefix(name, durable.TempPrefix)
	switch {
	case err != nil:
		return sweptKept
	case !ok && !temp, !st.Mode().IsRegular():
		return sweptForeign
	case s.o.Now().Sub(st.ModTime()) < s.leftoverAge(suffix), suffix == suffixLog && s.present(id):
		return sweptKept
	case s.removeUnlocked(path):
		return sweptRemoved
	}
	return sweptKept
}

// leftoverAge is how old a file must be to count as a dead writer's. A lock says at once that a message has a
// writer, but to ask for the lock of a young one would keep a run of the queue from it.
func (s *Spool) leftoverAge(suffix string) time.Duration {
	if suffix == suffixNew {
		return min(time.Minute, s.o.LeftoverAge)
	}
	return s.o.LeftoverAge
}

// present reports whether the queue has the message, as far as the system lets us know.
func (s *Spool) present(id string) bool {
	_, err := os.Lstat(s.path(queueDir, id, suffixMessage))
	return !errors.Is(err, fs.ErrNotExist)
}

// removeUnlocked removes a file that no process holds. A writer that had the file, but
// not yet its lock, makes another.
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
