package quota

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"o365-sendmail/internal/durable"
)

// countLockWait bounds the wait for the count's lock, which is held for microseconds.
const countLockWait = 2 * time.Second

// Limits are what an account may send. Zero means no limit.
type Limits struct {
	// MessagesPerMinute counts messages in any 60 seconds (Exchange Online: 30).
	MessagesPerMinute int
	// RecipientsPerDay counts recipients in any 24 hours (Exchange Online: 10000).
	RecipientsPerDay int
}

// ErrTooManyRecipients is returned for a message that can never be within Limits.RecipientsPerDay.
var ErrTooManyRecipients = errors.New("more recipients than the account may have in a day")

// Reserve counts one message with that many recipients for account, if the limits allow it now: wait
// is 0 then. Otherwise nothing is counted and wait says after what time to ask again.
// All processes with this directory share the count. It errs on the safe side by up to one second
// and one minute.
//
// When the directory can't be used, Reserve warns once and allows everything.
func (l *Ledger) Reserve(account string, recipients int, limits Limits, now time.Time) (wait time.Duration, err error) {
	recipients = max(recipients, 0)
	if err := limits.TooMany(recipients); err != nil {
		return 0, err
	}
	l.updateWindow(account, now, func(w *window) bool {
		if wait = w.wait(recipients, limits); wait > 0 {
			return false
		}
		w.add(1, recipients)
		return true
	})
	return wait, nil
}

// Unreserve takes back what Reserve counted at the time at, for a message that the server never saw.
func (l *Ledger) Unreserve(account string, recipients int, at, now time.Time) {
	l.updateWindow(account, now, func(w *window) bool {
		w.remove(1, max(recipients, 0), at)
		return true
	})
}

// Move counts for now what Reserve counted at the time at, whether or not there is room: the server counts a message
// when it ends.
func (l *Ledger) Move(account string, recipients int, at, now time.Time) {
	l.updateWindow(account, now, func(w *window) bool {
		w.remove(1, max(recipients, 0), at)
		w.add(1, max(recipients, 0))
		return true
	})
}

// Usage returns the messages of the last 60 seconds and the recipients of the last 24 hours.
func (l *Ledger) Usage(account string, now time.Time) (messages, recipients int) {
	w := new(window)
	if l.dir.Path != "" {
		w, _ = loadWindow(l.path("count", account, "window"), now)
	}
	return w.totals()
}

// updateWindow runs f on the account's window under its lock and writes it back when f returns true.
func (l *Ledger) updateWindow(account string, now time.Time, f func(*window) bool) {
	err := l.dir.Prepare()
	if err == nil {
		err = l.updateLocked(account, now, f)
	}
	if err != nil {
		l.dir.Failed(theCount, err)
	}
}

func (l *Ledger) updateLocked(account string, now time.Time, f func(*window) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), countLockWait)
	defer cancel()
	unlock, err := l.dir.Ops.Lock(ctx, l.path("count", account, "lock"), durable.SharedFileMode)
	if err != nil {
		return err
	}
	defer unlock()
	path := l.path("count", account, "window")
	w, whole := loadWindow(path, now)
	if !f(w) {
		return nil
	}
	if whole {
		return writeCopy(path, w)
	}
	return l.dir.Replace(path, append(w.encode(), make([]byte, windowSize)...))
}

// loadWindow reads the window as of now. A file that can't be read is an empty window; whole
// is true when the file can be written in place.
func loadWindow(path string, now time.Time) (w *window, whole bool) {
	w = new(window)
	data, err := durable.ReadPrivate(path, 2*windowSize, os.Geteuid())
	if err == nil && len(data) == 2*windowSize {
		whole = true
		w = newest(data)
	}
	w.advance(now)
	return w, whole
}

// writeCopy writes w over the older of the file's two copies: a process that is killed
// meanwhile leaves the newer one. In place, because a rename over a file
// makes ext4 write it out at once, with every message.
func writeCopy(path string, w *window) error {
	fd, size, err := durable.OpenPrivate(path, syscall.O_WRONLY, os.Geteuid())
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if size != int64(2*windowSize) {
		return errWindow
	}
	w.sequence++
	at := int64(w.sequence%2) * int64(windowSize)
	n, err := syscall.Pwrite(fd, w.encode(), at)
	if err == nil && n != windowSize {
		err = errWindow
	}
	return err
}
