package smtpd

import "context"

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
	mine  bool
}

func (t *turn) take() error {
	if t.turns == nil {
		return nil
	}
	err := t.turns.Wait(t.ctx)
	t.mine = err == nil
	return err
}

func (t *turn) give() {
	if t.mine {
		t.mine = false
		t.turns.Done()
	}
}
