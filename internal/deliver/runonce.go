package deliver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// Selection names messages of the queue. The zero value names all that are due. Texts
// match anywhere and whatever the case, as those of sendmail -qI, -qR and -qS do.
type Selection struct {
	ID, Recipient, Sender string
	// UID limits it to one local user's messages.
	UID *int
	// Unprocessed limits it to what was kept while no configuration could judge it.
	Unprocessed bool
	// Force takes messages that are not due yet, too, but for those whose pauses spare the account.
	Force bool
	// Ask takes these as well, and probes what is paused or held: a person wants it.
	Ask bool
}

func (s *Selection) match(info *spool.Info) bool {
	if s == nil {
		return true
	}
	if s.UID != nil && *s.UID != info.Meta.UID {
		return false
	}
	if s.Unprocessed && !info.Meta.Unprocessed() {
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
	sysexits.Go(func() {
		defer close(timekeeper)
		e.keepTime(soft)
	})
	if _, err := e.spool.SweepLeftovers(); err != nil {
		e.o.Warn(fmt.Errorf("the spool can't be swept: %w", err))
	}
	var notes []string
	if sel.Ask {
		notes = e.Ask()
	}
	e.scanner.load(soft, &sel)
	e.drain(ctx, progress)
	state := e.State()
	state.Asked = notes
	stop()
	<-timekeeper
	e.end(cancel)
	e.finish(true)
	e.notifier.Post(ctx)
	state.Counters = e.State().Counters
	return state, ctx.Err()
}

// Ask probes what is paused or held, for a person who asks for it, and says in lines for people what is probed
// now and what is not and why.
func (e *Engine) Ask() (notes []string) {
	e.queue.Do(func(l *queue.Locked) { notes = l.Ask() })
	return notes
}

// drain waits until nothing goes any more.
func (e *Engine) drain(ctx context.Context, progress func(Progress)) {
	if progress == nil {
		progress = func(Progress) {}
	}
	selected := 0
	var told time.Time
	for done := false; !done; {
		var p Progress
		now, tell := e.clock.Now(), false
		e.queue.Do(func(l *queue.Locked) {
			selected = max(selected, l.Len())
			done = l.Drained()
			// To count goes through the whole queue, which each message that leaves can't afford.
			if tell = done || now.Sub(told) >= progressEvery; tell {
				p = Progress{Selected: selected, Left: l.Left()}
			}
		})
		if tell {
			told, p.Counters = now, e.counters.read()
			progress(p)
		}
		done = done || ctx.Err() != nil || !e.wait(ctx, progressEvery, e.quiet)
	}
}

// progressEvery is how often a run says how far it has come.
const progressEvery = 200 * time.Millisecond
