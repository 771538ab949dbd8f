package deliver

import (
	"context"
	"strings"
	"time"

	"o365-sendmail/internal/spool"
)

// Selection names messages of the queue. The zero value names all that are due. Texts
// match anywhere and whatever the case, as those of sendmail -qI, -qR and -qS do.
type Selection struct {
	ID, Recipient, Sender string
	// UID limits it to one local user's messages.
	UID *int
	// Force takes messages that are not due yet, too.
	Force bool
}

func (s *Selection) match(info *spool.Info) bool {
	if s == nil {
		return true
	}
	if s.UID != nil && *s.UID != info.Meta.UID {
		return false
	}
	env := &info.Envelope
	if !contains(info.ID, s.ID) || !contains(env.Sender, s.Sender) && !contains(env.Origin, s.Sender) {
		return false
	}
	if s.Recipient == "" {
		return true
	}
	for i := range env.Recipients {
		if contains(env.Recipients[i].Address, s.Recipient) || contains(env.Recipients[i].ORcpt, s.Recipient) {
			return true
		}
	}
	return false
}

func contains(text, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// Progress is how far RunOnce has come.
type Progress struct {
	Selected int // messages found so far
	Left     int // of them, those that still wait or are under way
	Counters Counters
}

// RunOnce tries each selected message of the queue once, and returns when nothing more can be
// done now: all are delivered, put off, or wait for something that stops everything. It is
// sendmail -q. Other processes may deliver from the same spool meanwhile.
// progress may be nil; it is called from time to time.
func (e *Engine) RunOnce(ctx context.Context, sel Selection, progress func(Progress)) (State, error) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := e.begin(hard, true); err != nil {
		return State{}, err
	}
	soft, stop := context.WithCancel(ctx)
	defer stop()
	timekeeper := make(chan struct{})
	go func() {
		defer close(timekeeper)
		e.keepTime(soft)
	}()
	e.load(soft, &sel)
	e.drain(ctx, progress)
	state := e.State()
	stop()
	<-timekeeper
	e.end(cancel)
	e.finish()
	state.Counters = e.State().Counters
	return state, ctx.Err()
}

// drain waits until nothing goes any more.
func (e *Engine) drain(ctx context.Context, progress func(Progress)) {
	selected := 0
	for {
		e.mu.Lock()
		selected = max(selected, len(e.index))
		left, done := e.left()
		p := Progress{Selected: selected, Left: left, Counters: e.counters}
		e.mu.Unlock()
		if progress != nil {
			progress(p)
		}
		if done || ctx.Err() != nil {
			return
		}
		tick, stop := e.clock.After(time.Second)
		select {
		case <-e.quiet:
		case <-tick:
		case <-ctx.Done():
		}
		stop()
	}
}

// left counts what is not done, and tells whether all of that has to wait for something
// that takes longer than the account's rates do. The mutex is held.
func (e *Engine) left() (n int, done bool) {
	done = true
	now := e.clock.Now()
	for _, b := range e.boxes {
		n += b.ready
		if b.couriers > len(b.idle) {
			done = false // it dials, or has something under way
		}
		if b.available(now) == 0 || e.app.shut || b.gate.shut {
			continue
		}
		if !e.paced(b, now) || b.paceEnd.Sub(now) <= rateLook {
			done = false
		}
	}
	for _, en := range e.index {
		if en.place == placeOut {
			n++
		}
	}
	return n, done
}
