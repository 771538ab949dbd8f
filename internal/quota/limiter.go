package quota

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limiter gives out what an account may use at once, in a minute and in a day. *Host does so for the processes of a
// host. One for several hosts asks over a network: so each call that may wait takes a context and may answer with an
// *UnknownError, and a slot that was had may be lost. It may be used by many goroutines. It must be called without
// a lock held.
type Limiter interface {
	// TrySlot takes one of n sessions of account; the error is ErrTaken when others have them all. Slot waits for
	// one as long as ctx allows; its error then wraps ctx.Err(). n below 1 counts as 1.
	TrySlot(ctx context.Context, account string, n int) (Slot, error)
	Slot(ctx context.Context, account string, n int) (Slot, error)
	// Reserve counts what r asks for if the limits allow it now. Else nothing is counted, and short says why.
	Reserve(ctx context.Context, r Request) (g Grant, short *Short, err error)
	// Unreserve takes back what was granted, for a message that the server never saw. Restamp counts it for now, when
	// the server counts it, if it was granted more than a moment ago.
	Unreserve(g Grant, now time.Time)
	Restamp(g Grant, now time.Time)
	// Usage returns the messages of the last 60 seconds and the recipients of the last 24 hours, as far as is known
	// without asking anybody.
	Usage(account string, now time.Time) (messages, recipients int)
}

// ErrTaken is the answer when others have all slots.
var ErrTaken = errors.New("all connection slots are taken")

// Slot is the right to one session.
type Slot struct {
	// Lost ends when the slot is lost: no message may begin then. Its Err is exact, its Done may come late in a process
	// that was stopped.
	Lost context.Context
	// Cut ends when what is then still under way has to be broken off, since the slot may be another's soon.
	Cut context.Context
	// Wanted ends when another host waits for it: a session that has nothing to do should end.
	Wanted context.Context
	// Release gives it back, and may be called more than once.
	Release func()
}

// Request asks for one message.
type Request struct {
	Account    string
	Recipients int
	// Limits are what the processes of this host may have used with it: the account's limits, or a part of them.
	Limits Limits
	// More is set when another message waits for the same account, so that it pays to ask for it ahead.
	More bool
	Now  time.Time
}

// Grant is what was counted for a request. The zero Grant is nothing.
type Grant struct {
	Account    string
	Recipients int
	At         time.Time
	// Mark is the limiter's own.
	Mark any
}

// Short is why there is no room for a request now.
type Short struct {
	Wait time.Duration // after which there may be
	Day  bool          // it is the day's recipients that leave no room
	Used int           // of them
}

// UnknownError is the answer of a limiter that can't tell now.
type UnknownError struct {
	For   time.Duration // how long it has not been able to
	Hosts int           // how many share the limits, as far as was known last; at least 1
	// Over ends when it can tell again.
	Over context.Context
	Err  error
}

func (e *UnknownError) Error() string { return e.Err.Error() }
func (e *UnknownError) Unwrap() error { return e.Err }

// Host is the Limiter of this host alone: the ledger that its processes share. It answers at once, and what it has
// given is not lost before its process ends.
type Host struct{ *Ledger }

// TrySlot is Limiter's.
func (h Host) TrySlot(_ context.Context, account string, n int) (Slot, error) {
	release, ok := h.Ledger.TrySlot(account, n)
	if !ok {
		return Slot{}, ErrTaken
	}
	return kept(release), nil
}

// Slot is Limiter's.
func (h Host) Slot(ctx context.Context, account string, n int) (Slot, error) {
	release, err := h.Ledger.Slot(ctx, account, n)
	if err != nil {
		return Slot{}, err
	}
	return kept(release), nil
}

func kept(release func()) Slot {
	never := context.Background()
	return Slot{Lost: never, Cut: never, Wanted: never, Release: release}
}

// Reserve is Limiter's.
func (h Host) Reserve(_ context.Context, r Request) (Grant, *Short, error) {
	wait, err := h.Ledger.Reserve(r.Account, r.Recipients, r.Limits, r.Now)
	switch {
	case err != nil:
		return Grant{}, nil, err
	case wait > 0:
		_, day := h.Usage(r.Account, r.Now)
		most := r.Limits.RecipientsPerDay
		return Grant{}, &Short{Wait: wait, Day: most > 0 && day+r.Recipients > most, Used: day}, nil
	}
	return Grant{Account: r.Account, Recipients: r.Recipients, At: r.Now}, nil, nil
}

// Unreserve is Limiter's.
func (h Host) Unreserve(g Grant, now time.Time) {
	h.Ledger.Unreserve(g.Account, g.Recipients, g.At, now)
}

// Restamp is Limiter's.
func (h Host) Restamp(g Grant, now time.Time) {
	if now.Sub(g.At) >= time.Second {
		h.Move(g.Account, g.Recipients, g.At, now)
	}
}

// TooMany returns ErrTooManyRecipients for a message that can never be within the limits, with the numbers.
func (l Limits) TooMany(recipients int) error {
	if l.RecipientsPerDay > 0 && recipients > l.RecipientsPerDay {
		return fmt.Errorf("%w: %d, limit %d", ErrTooManyRecipients, recipients, l.RecipientsPerDay)
	}
	return nil
}
