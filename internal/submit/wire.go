package submit

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// wire is the connection below TLS. It puts a deadline on every write, and gathers
// writes into as few system calls as it may.
type wire struct {
	net.Conn
	timeout time.Duration // within which a write has to end or, with a limit, to make way
	// lazy holds writes back until the next read, which is when the peer's turn comes. Only
	// for the set-up, where reads and writes alternate: TLS Finished and EHLO leave together.
	lazy bool

	limit atomic.Pointer[time.Time] // no write goes on past it; nil means none

	mu      sync.Mutex
	holding bool // hold writes back until flush: 16 KiB records leave by the dozen
	held    []byte
}

func (w *wire) Read(p []byte) (int, error) {
	if w.lazy {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	return w.Conn.Read(p)
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lazy || w.holding {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	return w.write(p)
}

// write does a write. With a limit set, each timeout that has seen some bytes leave starts
// another, so that a slow peer is not taken for a stalled one.
func (w *wire) write(p []byte) (int, error) {
	sent := 0
	for {
		deadline, limit := time.Now().Add(w.timeout), w.limit.Load()
		if limit != nil && limit.Before(deadline) {
			deadline = *limit
		}
		if err := w.SetWriteDeadline(deadline); err != nil {
			return sent, err
		}
		n, err := w.Conn.Write(p[sent:])
		sent += n
		if n == 0 || limit == nil || !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(*limit) {
			return sent, err
		}
	}
}

// hold holds writes back until flush.
func (w *wire) hold() {
	w.mu.Lock()
	w.holding = true
	w.mu.Unlock()
}

// flush sends what is held back and, but for a lazy wire, holds back no more. Both happen
// at once, so that TLS can't send a record of its own in between.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = false
	if len(w.held) == 0 {
		return nil
	}
	_, err := w.write(w.held)
	w.held = w.held[:0]
	return err
}

// limitWrites lets no write go on past t, one under way included; zero lifts that.
func (w *wire) limitWrites(t time.Time) {
	if t.IsZero() {
		w.limit.Store(nil)
		return
	}
	w.limit.Store(&t)
	_ = w.SetWriteDeadline(t)
}
