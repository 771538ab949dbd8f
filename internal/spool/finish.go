package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Finish removes a message of which nothing is to do, and unlocks it. The removal
// survives a power loss after Sync, or soon without.
func (it *Item) Finish() error {
	if it.st.Count(Todo) > 0 {
		return ErrUnfinished
	}
	return it.Delete()
}

// Delete removes the message whatever its state, and unlocks it. See Finish. Until Sync or Close
// the counts may still have it.
func (it *Item) Delete() error {
	if it.f == nil {
		return os.ErrClosed
	}
	it.leaving()
	if err := it.s.ops.Unlink(it.s.path(it.dir, it.h.id, suffixMessage)); err != nil {
		it.s.usage.settled(it.h.id)
		return fmt.Errorf("can't remove message %s from the spool: %w", it.h.id, err)
	}
	if it.mayHaveLog() {
		it.s.removeLog(it.dir, it.h.id)
	}
	it.left()
	// Nobody finds the file any more, so that nobody minds if a child process keeps it locked.
	_ = it.s.ops.Close(it.f)
	it.f = nil
	it.leaveRoom()
	return nil
}

// mayHaveLog reports whether anything was ever said about the message. One that goes at
// the first try has no log, and to find that out costs as much as to remove one.
func (it *Item) mayHaveLog() bool {
	st := &it.st
	return it.dir != queueDir || it.logged || st.Lost || st.Held || st.Attempts > 0 || st.Class != "" ||
		st.Reason != "" || !st.Last.IsZero() || !st.Next.IsZero()
}

// leaving says that a look at the directory may find the message or not.
func (it *Item) leaving() {
	if it.dir == queueDir {
		it.s.usage.move(it.h.id, it.h.meta, it.h.size)
	}
}

// left settles the counts after the message left its directory.
func (it *Item) left() {
	if it.dir == queueDir {
		it.s.noteRemoval()
		it.s.usage.release(it.h.id, it.h.meta, it.h.size)
	}
}

// Fail moves the message to failed/, for good, and unlocks it: nobody will
// deliver it, and an administrator can look at it.
func (it *Item) Fail(reason string) error {
	it.st.Reason, it.st.Last = reason, it.s.o.Now()
	if err := it.writeStatus(true); err != nil {
		it.s.o.Warn(err) // the message is still better kept than not
	}
	it.Log(reason)
	size := it.h.size
	if err := it.moveTo(failedDir); err != nil {
		return err
	}
	if it.s.failures.note(size, it.s.o.Limits) {
		if _, err := it.s.trim(context.Background()); err != nil {
			it.s.o.Warn(fmt.Errorf("failed/ can't be trimmed: %w", err))
		}
	}
	return nil
}

// Quarantine is Fail for a message that turned out to be damaged.
func (it *Item) Quarantine(reason string) error {
	it.Log(reason)
	if err := it.moveTo(failedDir); err != nil {
		return err
	}
	it.s.o.Warn(fmt.Errorf("message %s was moved to failed/: %s", it.h.id, reason))
	return nil
}

func (it *Item) moveTo(dir string) error {
	if it.f == nil {
		return os.ErrClosed
	}
	it.leaving()
	if err := it.s.move(it.h.id, it.dir, dir); err != nil {
		it.s.usage.settled(it.h.id)
		return fmt.Errorf("can't move message %s to %s: %w", it.h.id, dir, err)
	}
	it.left()
	it.Unlock()
	return nil
}

// move never replaces a file: a message of the same id in the other directory is
// an accident, but not one to lose mail over.
func (s *Spool) move(id, from, to string) error {
	target := s.path(to, id, suffixMessage)
	if _, err := os.Lstat(target); err == nil {
		return fmt.Errorf("there is a %s already", target)
	}
	if err := s.ops.Rename(s.path(from, id, suffixMessage), target); err != nil {
		return err
	}
	// The log is a help, not a duty.
	_ = s.ops.Rename(s.path(from, id, suffixLog), s.path(to, id, suffixLog))
	return errors.Join(s.syncOf(to).do(), s.syncOf(from).do())
}

func (s *Spool) syncOf(dir string) *group {
	if dir == failedDir {
		return &s.failedSync
	}
	return &s.queueSync
}

// quarantineIfDamaged moves the file away when err says that it is damaged, and returns err.
// A failure to open for want of descriptors or memory proves nothing about the file.
func (s *Spool) quarantineIfDamaged(dir, id string, err error) error {
	if dir != queueDir || !errors.Is(err, ErrDamaged) {
		return err
	}
	s.appendLog(dir, id, err.Error())
	if moveErr := s.move(id, queueDir, failedDir); moveErr != nil {
		s.o.Warn(fmt.Errorf("message %s: %w; it can't be moved to failed/ and stays where it is: %v", id, err, moveErr))
		return err
	}
	s.o.Warn(fmt.Errorf("message %s was moved to failed/: %w", id, err))
	return err
}

// The log file of a message.
const maxLog = 64 << 10

// Log adds a line to the message's log, where people find the whole of a long
// reply. Line ends and controls in it are quoted. Its loss is not a failure.
func (it *Item) Log(text string) {
	it.logged = true
	it.s.appendLog(it.dir, it.h.id, text)
}

func (s *Spool) appendLog(dir, id, text string) {
	f, err := s.ops.Open(s.path(dir, id, suffixLog), os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return
	}
	defer func() { _ = s.ops.Close(f) }()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxLog {
		return
	}
	if st.Size() == 0 && s.own(f) != nil {
		return
	}
	line := append([]byte(timestamp(s.o.Now())), ' ')
	line = append(appendQuoted(line, text), '\n')
	_, _ = s.ops.Write(f, line)
}

func (s *Spool) removeLog(dir, id string) {
	_ = s.ops.Unlink(s.path(dir, id, suffixLog))
}
