package spool

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"o365-sendmail/internal/sysexits"
)

// What callers branch on.
var (
	// ErrBusy: another process, or another part of this one, has the message.
	ErrBusy = errors.New("the message is in use by another process")
	// ErrGone: there is no such message, or no longer.
	ErrGone = errors.New("there is no such message in the queue")
	// ErrBadID: the text has not the form of a queue id.
	ErrBadID = errors.New("not a queue id")
	// ErrDamaged: the file is not a whole message. Claim has moved it to failed/.
	ErrDamaged = errors.New("the spool file is damaged")
	// ErrNewer: a later version of this program wrote the file. It is left alone.
	ErrNewer = errors.New("the spool file has a newer format than this program knows")
	// ErrUnfinished: a message can't be finished while a recipient is to do.
	ErrUnfinished = errors.New("the message has recipients that are not done")
)

// LimitError says which bound of the spool a message met. It is temporary.
type LimitError struct {
	What  string // what is bounded, in words
	Limit int64
	Have  int64
	Unit  string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d %s, the bound is %d; nothing was kept, try again later", e.What, e.Have, e.Unit, e.Limit)
}

// fault gives err the exit code for a message of which nothing was kept: 75 only
// where trying again helps.
func fault(err error) error {
	var limit *LimitError
	var coded *sysexits.Error
	switch {
	case err == nil, errors.As(err, &coded):
		return err
	case errors.As(err, &limit):
		return sysexits.With(sysexits.TempFail, err)
	case is(err, syscall.ENOSPC, syscall.EDQUOT):
		return sysexits.With(sysexits.TempFail, fmt.Errorf("the disk or quota of the spool is full, nothing "+
			"was kept: %w", err))
	case is(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, context.Canceled,
		context.DeadlineExceeded):
		return sysexits.With(sysexits.TempFail, fmt.Errorf("can't put the message into the spool now: %w", err))
	case is(err, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ENOENT, syscall.ESTALE):
		return sysexits.With(sysexits.TempFail, fmt.Errorf("the spool can't be written now, nothing was kept: %w", err))
	case is(err, syscall.EIO):
		return sysexits.With(sysexits.IOErr, fmt.Errorf("the disk of the spool failed, nothing was kept: %w", err))
	}
	return sysexits.With(sysexits.CantCreat, fmt.Errorf("can't write to the spool, nothing was kept: %w", err))
}

func is(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
