package deliver

import (
	"context"
	"errors"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
)

// Process makes of an unprocessed message one that may be sent, by the rules in force, and returns
// it in its place, locked. It returns nil when nothing of the message is left in the queue. After
// an error the message stays as it was, locked.
type Process func(ctx context.Context, it *spool.Item) (*spool.Item, error)

var errNoProcess = errors.New("this process has no rules to judge it by")

// process has an unprocessed message processed and puts what it has become into the index, where it
// may be another sender's and another mailbox's. Nothing else happens to such a message here:
// whoever released it or asked for a try, it is never sent as it came.
func (e *Engine) process(c *courier, j *job, it *spool.Item) {
	j.item = it // for guard
	e.mu.Lock()
	process := e.config.Process
	e.mu.Unlock()
	var n *spool.Item
	err := errNoProcess
	if process != nil {
		n, err = process(c.hard, it)
	}
	if err != nil {
		e.stayUnprocessed(j, it, err)
		return
	}
	it.Unlock() // by now there is nothing under its name
	j.item = nil
	forced := j.entry.forced
	if n == nil {
		e.log.Log(maillog.Err, j.id, "status", "failed", "", "it can't be processed and lies in failed/: "+
			it.Status().Reason)
		e.countFailed()
	} else {
		e.log.Log(maillog.Info, j.id, "status", "processed", "", "by the rules that hold now")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(j.entry)
	if n == nil {
		poke(e.quiet)
		return
	}
	info := spool.Info{ID: n.ID(), Meta: n.Meta(), Envelope: *n.Envelope(), Status: n.Status()}
	n.Unlock()
	e.add(&info)
	if en := e.index[j.entry.id]; en != nil {
		en.forced = forced
	}
	poke(e.quiet)
}

// stayUnprocessed puts off a message that can't be processed now.
func (e *Engine) stayUnprocessed(j *job, it *spool.Item, err error) {
	e.log.Log(maillog.Err, j.id, "status", "deferred", "", err)
	next := schedule.NextAttempt(it.Status().Attempts+1, e.clock.Now(), 0, e.o.Jitter())
	if err := it.Defer(next, classTemporary, spool.NotProcessed+": "+err.Error()); err != nil {
		e.o.Warn(err) // it only means a try too early
	}
	it.Unlock()
	e.requeue(j, it, func(en *entry) { e.wait(en, next) })
	j.item = nil
}
