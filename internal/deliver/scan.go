package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// The spool is shared with other processes, which put messages in, hold, release and delete
// them. The queue learns of that by looking through the spool from time to time, and
// when somebody says so.

const (
	sweepInterval = time.Hour
	// relook bounds how many waiting messages are read again in one look.
	relook = 5000
)

// scanner fills the queue from the spool.
type scanner struct {
	*core
	wake     chan struct{} // for scan: something has changed
	scanned  atomic.Int64  // Unix time of the last look through the spool
	lookFrom int           // which waiting messages are read again in the next
}

// scan fills the queue, and keeps it up to date until ctx ends.
func (s *scanner) scan(ctx context.Context) {
	s.load(ctx, nil)
	var swept time.Time
	for ctx.Err() == nil {
		if now := s.clock.Now(); swept.IsZero() || now.Sub(swept) >= sweepInterval || now.Before(swept) {
			swept = now
			s.sweep(ctx)
		}
		if s.wait(ctx, s.config().QueueInterval, s.wake) {
			s.look(ctx)
		}
	}
}

func (s *scanner) sweep(ctx context.Context) {
	if _, err := s.spool.Sweep(ctx); err != nil && ctx.Err() == nil {
		s.o.Warn(fmt.Errorf("the spool can't be swept: %w", err))
	}
}

// load reads the whole queue once.
func (s *scanner) load(ctx context.Context, sel *Selection) {
	err := s.spool.List(ctx, func(info spool.Info) bool {
		if s.readable(&info) && sel.match(&info) {
			s.add(&info, sel != nil && sel.Force && (sel.Ask || !queue.Spares(info.Status.Class)))
		}
		return true
	})
	if err != nil && ctx.Err() == nil {
		s.o.Warn(fmt.Errorf("the spool can't be read: %w", err))
	}
}

// readable deals with messages whose file can't be read: damaged ones go aside.
func (s *scanner) readable(info *spool.Info) bool {
	if info.Err == nil {
		return true
	}
	if errors.Is(info.Err, spool.ErrDamaged) {
		it, err := s.spool.Claim(info.ID) // moves it to failed/
		if err == nil {
			it.Unlock()
			return false
		}
		s.counters.add(func(c *Counters) { c.Damaged++ })
		s.log.Log(maillog.Err, info.ID, "status", "failed", "", info.Err)
	}
	return false
}

// look finds what has come, and what others have changed.
func (s *scanner) look(ctx context.Context) {
	keys, err := s.spool.Keys()
	if err != nil {
		s.o.Warn(fmt.Errorf("the spool can't be read: %w", err))
		return
	}
	reads := 0
	for n, id := range keys {
		if n%1000 == 0 && ctx.Err() != nil {
			return
		}
		if !s.worthReading(id, n, &reads) {
			continue
		}
		info, err := s.spool.Get(id.String())
		if err != nil && info.Err == nil {
			continue // gone
		}
		if s.readable(&info) {
			s.add(&info, false)
		}
	}
	s.scanned.Store(s.clock.Now().Unix())
	s.lookFrom += relook
	if s.lookFrom >= len(keys) {
		s.lookFrom = 0
	}
	s.dropGone(keys)
}

// worthReading reports whether a message has to be read: it is new, or it is one of those that
// wait and whose turn it is to be read again.
func (s *scanner) worthReading(id spool.Key, n int, reads *int) bool {
	var place queue.Place
	var ok bool
	s.queue.Do(func(l *queue.Locked) { place, ok = l.Find(queue.ID(id)) })
	if !ok {
		return true
	}
	if place != queue.Held && place != queue.Waiting || n < s.lookFrom || *reads >= relook {
		return false
	}
	*reads++
	return true
}

// dropGone forgets messages that wait and are no longer there.
func (s *scanner) dropGone(keys []spool.Key) {
	before := time.Unix(s.scanned.Load(), 0).Add(-time.Minute)
	s.queue.Do(func(l *queue.Locked) {
		if l.Len() <= len(keys) {
			return
		}
		l.DropIf(func(id queue.ID) bool {
			k := spool.Key(id)
			_, here := slices.BinarySearchFunc(keys, k, spool.Key.Compare)
			return !here && k.Time().Before(before)
		})
	})
}

// Flush tries the selected messages now, whatever their time, but nothing that is paused or held: that
// is Ask's. It returns when they are on their way, not when they are delivered.
func (e *Engine) Flush(ctx context.Context, sel Selection) (n int, err error) {
	err = e.spool.List(ctx, func(info spool.Info) bool {
		if !e.scanner.readable(&info) || !sel.match(&info) || info.Meta.HeldBack(&info.Status) ||
			!sel.Ask && queue.Spares(info.Status.Class) {
			return true
		}
		n++
		e.add(&info, true)
		return true
	})
	signal(e.timer)
	return n, err
}

// Rescan looks through the spool soon for what other processes have put there.
func (e *Engine) Rescan() { signal(e.scanner.wake) }
