package deliver

import (
	"context"
	"errors"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// Process makes of an unprocessed message one that may be sent, by the rules in force, and returns
// it in its place, locked. It returns nil when nothing of the message is left in the queue. After
// an error the message stays as it was, locked.
type Process func(ctx context.Context, it *spool.Item) (*spool.Item, error)

var errNoProcess = errors.New("this process has no rules to judge it by")

// process has an unprocessed message processed and puts what it has become into the queue, where it
// may be another sender's and another mailbox's. Nothing else happens to such a message here:
// whoever released it or asked for a try, it is never sent as it came.
func (c *courier) process(j *job, it *spool.Item) {
	j.item = it // for guard
	var n *spool.Item
	err := errNoProcess
	if process := c.config().Process; process != nil {
		n, err = process(c.hard, it)
	}
	if err != nil {
		c.stayUnprocessed(j, it, err)
		return
	}
	it.Unlock() // by now there is nothing under its name
	j.item = nil
	log := c.couriers.log
	if n == nil {
		log.Log(maillog.Err, j.id, "status", "failed", "", "it can't be processed and lies in failed/: "+
			it.Status().Reason)
		c.counters.add(func(n *Counters) { n.Failed++ })
	} else {
		log.Log(maillog.Info, j.id, "status", "processed", "", "by the rules that hold now")
	}
	forced := false
	c.queue.Do(func(l *queue.Locked) {
		forced = j.Forced()
		j.Drop(l)
	})
	if n != nil {
		info := spool.Info{ID: n.ID(), Meta: n.Meta(), Envelope: *n.Envelope(), Status: n.Status()}
		n.Unlock()
		c.add(&info, forced)
	}
	signal(c.quiet)
}

// stayUnprocessed puts off a message that can't be processed now.
func (c *courier) stayUnprocessed(j *job, it *spool.Item, err error) {
	c.couriers.log.Log(maillog.Err, j.id, "status", "deferred", "", err)
	next := queue.NextAttempt(it.Status().Attempts+1, c.clock.Now(), 0, c.o.Jitter())
	if err := it.Defer(next, queue.ClassTemporary, spool.NotProcessed+": "+err.Error()); err != nil {
		c.o.Warn(err) // it only means a try too early
	}
	it.Unlock()
	c.recorder.requeue(j, queue.After{Next: next})
	j.item = nil
}
