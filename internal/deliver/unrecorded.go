package deliver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// What was delivered has to be written down. When the disk does not let us, the message stays
// locked by this process, so that nobody sends it again, and that is tried again later.

// unrecorded is a message whose file can't be changed.
type unrecorded struct {
	job *job
	// states are what is to be written. A message of which nothing is to do is removed instead, unless all that has to
	// be done is to write what its item knows already.
	states map[int]spool.RecipientStatus
	done   bool
}

// deliveredButKept notes that a delivered message can't be removed.
func (r *recorder) deliveredButKept(j *job, states map[int]spool.RecipientStatus, err error) {
	r.log.Log(maillog.Err, j.id, "", fmt.Errorf("delivered, but the spool can't be changed: %w", err))
	r.o.Warn(fmt.Errorf("message %s is delivered, but the spool can't be changed: %w", j.id, err))
	r.putOff(unrecorded{j, states, true})
}

// keepLocked keeps a message locked whose recipients are done in part, while that can't be written.
func (r *recorder) keepLocked(j *job, err error) {
	r.o.Warn(err)
	r.log.Log(maillog.Err, j.id, "", err)
	// The states hold in the item, so it must not be let go before they are written.
	for range 3 {
		if err = j.item.Mark(nil); err == nil {
			j.item.Unlock()
			r.requeue(j, queue.After{Next: r.clock.Now().Add(troublePause)})
			return
		}
	}
	r.putOff(unrecorded{job: j})
}

func (r *recorder) putOff(u unrecorded) {
	r.mu.Lock()
	r.open = append(r.open, u)
	r.mu.Unlock()
	signal(r.quiet)
}

// catchUp tries again to record what could not be recorded.
func (r *recorder) catchUp() {
	r.mu.Lock()
	open := r.open
	r.open = nil
	r.mu.Unlock()
	open = slices.DeleteFunc(open, r.tryAgain)
	r.mu.Lock()
	r.open = append(r.open, open...)
	r.mu.Unlock()
}

// tryAgain reports whether a message is recorded now.
func (r *recorder) tryAgain(u unrecorded) bool {
	j := u.job
	if !u.done || j.item.Delete() != nil {
		if j.item.Mark(u.states) != nil {
			return false
		}
		j.item.Unlock()
	}
	if !u.done {
		r.requeue(j, queue.After{Next: r.clock.Now().Add(time.Minute)})
		return true
	}
	r.queue.Do(j.Drop)
	return true
}

// unlockAll lets go of what can't be recorded, at the end.
func (r *recorder) unlockAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.open {
		u.job.item.Unlock()
	}
	r.open = nil
}

// removed notes that a message was removed.
func (r *recorder) removed() {
	if !r.unsynced.Swap(true) {
		signal(r.chore)
	}
}

// sync makes the removals durable.
func (r *recorder) sync() {
	if !r.unsynced.Swap(false) {
		return
	}
	if err := r.spool.Sync(); err != nil {
		r.o.Warn(fmt.Errorf("the spool can't be synced; a power loss may bring delivered messages back: %w", err))
	}
}

// holdAfterPanic puts a message on hold that has brought out a fault of this program.
func (r *recorder) holdAfterPanic(j *job, reason string) {
	r.counters.add(func(c *Counters) { c.Faults++ })
	r.queue.Do(j.Release)
	queued := j.Queued()
	if !queued && j.end(untried(len(j.env.Recipients), errors.New(reason))) {
		return
	}
	if j.item != nil {
		if err := j.item.Hold(reason); err != nil {
			r.o.Warn(fmt.Errorf("message %s can't be held: %w", j.id, err))
		}
		j.item.Unlock()
	}
	if queued {
		r.queue.Do(j.Hold)
	}
}
