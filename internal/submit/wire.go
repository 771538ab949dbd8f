package submit

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// wire is the connection below TLS. It puts a deadline on every write, and gathers
// writes into as few system calls as it may.
type wire struct {
	net.Conn
	// timeout bounds each write, which below TLS is 16 KiB at most, so that a slow peer that
	// makes way is not taken for a stalled one.
	timeout time.Duration
	// lazy holds writes back until the next read, which is when the peer's turn comes. Only
	// for the set-up, where reads and writes alternate: TLS Finished and EHLO leave together.
	lazy bool

	limit atomic.Pointer[time.Time] // no write goes on past it; nil means none

	mu   sync.Mutex
	cork bool // hold writes back until flush
	held []byte
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
	if w.lazy || w.cork {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	return w.write(p)
}

// write bounds and does a write.
func (w *wire) write(p []byte) (int, error) {
	deadline := time.Now().Add(w.timeout)
	if limit := w.limit.Load(); limit != nil && limit.Before(deadline) {
		deadline = *limit
	}
	if err := w.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// flush sends what is held back.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
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

// setCork holds writes back until flush, or lets them go again.
func (w *wire) setCork(on bool) {
	w.mu.Lock()
	w.cork = on
	w.mu.Unlock()
}
