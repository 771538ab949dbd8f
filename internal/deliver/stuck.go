package deliver

import (
	"fmt"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/spool"
)

// What was delivered has to be written down. When the disk does not let us, the message stays
// locked by this process, so that nobody sends it again, and that is tried again later.

// stuckItem is a delivered message whose file can't be changed. It stays locked, so
// that this process does not send it again, until it can.
type stuckItem struct {
	item   *spool.Item
	entry  *entry
	states map[int]spool.RecipientStatus
}

func (e *Engine) strand(j *job, states map[int]spool.RecipientStatus, err error) {
	e.log.Log(maillog.Err, j.id, "", fmt.Errorf("delivered, but the spool can't be changed: %w", err))
	e.o.Warn(fmt.Errorf("message %s is delivered, but the spool can't be changed: %w", j.id, err))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stuck = append(e.stuck, stuckItem{j.item, j.entry, states})
	poke(e.quiet)
}

// tidy tries again to record what could not be recorded.
func (e *Engine) tidy() {
	e.mu.Lock()
	stuck := e.stuck
	e.stuck = nil
	e.mu.Unlock()
	for _, s := range stuck {
		err := s.item.Delete()
		if err != nil && s.item.Mark(s.states) == nil {
			s.item.Unlock()
			err = nil
		}
		e.mu.Lock()
		switch {
		case err != nil:
			e.stuck = append(e.stuck, s)
		case s.entry != nil:
			e.drop(s.entry)
		}
		e.mu.Unlock()
	}
}

// strandOpen keeps a message locked whose recipients are done in part, while that can't be written.
func (e *Engine) strandOpen(j *job, err error) {
	e.o.Warn(err)
	e.log.Log(maillog.Err, j.id, "", err)
	// The states hold in the item, so it must not be let go before they are written.
	for range 3 {
		if err = j.item.Mark(nil); err == nil {
			break
		}
	}
	if err == nil {
		j.item.Unlock()
		e.requeue(j, j.item, func(en *entry) { e.wait(en, e.clock.Now().Add(troublePause)) })
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stuckOpen = append(e.stuckOpen, j)
	poke(e.quiet)
}

// tidyOpen tries again to write the states of strandOpen.
func (e *Engine) tidyOpen() {
	e.mu.Lock()
	open := e.stuckOpen
	e.stuckOpen = nil
	e.mu.Unlock()
	for _, j := range open {
		if err := j.item.Mark(nil); err != nil {
			e.mu.Lock()
			e.stuckOpen = append(e.stuckOpen, j)
			e.mu.Unlock()
			continue
		}
		j.item.Unlock()
		e.requeue(j, j.item, func(en *entry) { e.wait(en, e.clock.Now().Add(time.Minute)) })
	}
}
