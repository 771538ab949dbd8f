package submit

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// unwritable is a connection whose writes fail from some moment on, while it can be read: a
// kernel without memory for buffers is like that.
type unwritable struct {
	net.Conn
	broken *atomic.Bool
}

func (c unwritable) Write(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, syscall.ENOBUFS
	}
	return c.Conn.Write(p)
}

// TestFailedWrite: nobody waits for replies to what did not leave.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				defer p.end()
				p.lines = d.lines
				cfg := p.config()
				inner := cfg.DialContext
				var broken atomic.Bool
				cfg.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := inner(ctx, network, address)
					return unwritable{c, &broken}, err
				}
				s := dial(t, cfg)
				if _, err := s.Send(t.Context(), to("a@x.org"), hello); err != nil {
					t.Fatal(err)
				}
				broken.Store(true)
				start := time.Now()
				_, err := s.Send(t.Context(), to("a@x.org"), hello)
				var e *Error
				if took := time.Since(start); !errors.As(err, &e) || !errors.Is(err, syscall.ENOBUFS) || e.Uncertain ||
					took > lastWords || s.Usable() {
					t.Errorf("after %v: %v, usable: %v", took, err, s.Usable())
				}
			})
		})
	}
}
