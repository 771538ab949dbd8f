package smtpd

import (
	"context"
	"sync"
)

// Turns let connections work a few at a time. Wait returns when one may, or with the error of its context;
// each nil is followed by a Done.
type Turns interface {
	Wait(ctx context.Context) error
	Done()
}

// turn is whether a connection may work. It is given back before the connection waits for its client.
type turn struct {
	ctx   context.Context
	turns Turns // nil for no bound

	mu   sync.Mutex
	mine bool
}

func (t *turn) take() error {
	if t.turns == nil {
		return nil
	}
	if err := t.turns.Wait(t.ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mine = true
	return nil
}

func (t *turn) give() {
	t.mu.Lock()
	mine := t.mine
	t.mine = false
	t.mu.Unlock()
	if mine {
		t.turns.Done()
	}
}

// input is what a connection reads from: who gets something to do waits for his turn.
type input struct{ c *Conn }

func (r input) Read(p []byte) (int, error) {
	r.c.turn.give()
	n, err := r.c.Conn.Read(p)
	if n > 0 {
		if late := r.c.turn.take(); late != nil {
			return 0, late
		}
	}
	return n, err
}
