package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/spool"
)

// The spool is shared with other processes, which put messages in, hold, release and delete
// them. The index learns of that by looking through the spool from time to time, and
// when somebody says so.

const (
	sweepInterval = time.Hour
	// relook bounds how many waiting messages are read again in one look.
	relook = 5000
)

// scan fills the index, and keeps it up to date until ctx ends.
func (e *Engine) scan(ctx context.Context, sel *Selection) {
	e.load(ctx, sel)
	var swept time.Time
	for ctx.Err() == nil {
		if now := e.clock.Now(); swept.IsZero() || now.Sub(swept) >= sweepInterval || now.Before(swept) {
			swept = now
			e.sweep(ctx)
		}
		if !e.pauseScan(ctx) {
			return
		}
		e.look(ctx)
	}
}

// pauseScan waits for the next look.
func (e *Engine) pauseScan(ctx context.Context) bool {
	for {
		e.mu.Lock()
		wait := e.config.QueueInterval
		if e.rescan {
			wait = 0
		}
		e.rescan = false
		e.mu.Unlock()
		if wait == 0 {
			return ctx.Err() == nil
		}
		tick, stop := e.clock.After(wait)
		select {
		case <-tick:
			stop()
			return true
		case <-e.looker:
			stop()
		case <-ctx.Done():
			stop()
			return false
		}
	}
}

func (e *Engine) sweep(ctx context.Context) {
	if _, err := e.spool.Sweep(ctx); err != nil && ctx.Err() == nil {
		e.o.Warn(fmt.Errorf("the spool can't be swept: %w", err))
	}
}

// load reads the whole queue once.
func (e *Engine) load(ctx context.Context, sel *Selection) {
	err := e.spool.List(ctx, func(info spool.Info) bool {
		if !e.readable(&info) || !sel.match(&info) {
			return true
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		force := sel != nil && sel.Force && (sel.Ask || !spares(info.Status.Class))
		if force {
			info.Status.Next = time.Time{}
		}
		e.add(&info)
		if id, ok := spool.ParseKey(info.ID); ok && force {
			if en := e.index[id]; en != nil {
				en.forced = true
			}
		}
		return true
	})
	if err != nil && ctx.Err() == nil {
		e.o.Warn(fmt.Errorf("the spool can't be read: %w", err))
	}
}

// readable deals with messages whose file can't be read: damaged ones go aside.
func (e *Engine) readable(info *spool.Info) bool {
	if info.Err == nil {
		return true
	}
	if errors.Is(info.Err, spool.ErrDamaged) {
		it, err := e.spool.Claim(info.ID) // moves it to failed/
		if err == nil {
			it.Unlock()
			return false
		}
		e.mu.Lock()
		e.counters.Damaged++
		e.mu.Unlock()
		e.log.Log(maillog.Err, info.ID, "status", "failed", "", info.Err)
	}
	return false
}

// look finds what has come, and what others have changed.
func (e *Engine) look(ctx context.Context) {
	keys, err := e.spool.Keys()
	if err != nil {
		e.o.Warn(fmt.Errorf("the spool can't be read: %w", err))
		return
	}
	reads := 0
	for n, id := range keys {
		if n%1000 == 0 && ctx.Err() != nil {
			return
		}
		if !e.worthReading(id, n, &reads) {
			continue
		}
		info, err := e.spool.Get(id.String())
		if err != nil && info.Err == nil {
			continue // gone
		}
		if !e.readable(&info) {
			continue
		}
		e.mu.Lock()
		e.add(&info)
		e.mu.Unlock()
	}
	e.mu.Lock()
	e.scanned = e.clock.Now()
	e.lookFrom += relook
	if e.lookFrom >= len(keys) {
		e.lookFrom = 0
	}
	e.mu.Unlock()
	e.dropGone(keys)
}

// worthReading reports whether a message has to be read: it is new, or it is one of those that
// wait and whose turn it is to be read again.
func (e *Engine) worthReading(id spool.Key, n int, reads *int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	en := e.index[id]
	if en == nil {
		return true
	}
	if en.place != placeHeld && en.place != placeWaiting || n < e.lookFrom || *reads >= relook {
		return false
	}
	*reads++
	return true
}

// dropGone forgets messages that wait and are no longer there.
func (e *Engine) dropGone(keys []spool.Key) {
	e.mu.Lock()
	known := len(e.index)
	e.mu.Unlock()
	if known <= len(keys) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, en := range e.index {
		if en.place != placeHeld && en.place != placeWaiting {
			continue
		}
		if _, here := slices.BinarySearchFunc(keys, id, spool.Key.Compare); !here && id.Time().Before(e.scanned.Add(-time.Minute)) {
			e.drop(en)
		}
	}
}

// spares reports whether a message's pauses spare the account: the server counts what it met.
func spares(class string) bool {
	return class == classOwn || class == classSender || class == classOutside
}

// Flush tries the selected messages now, whatever their time, but nothing that is paused or held: that
// is Ask's. It returns when they are on their way, not when they are delivered.
func (e *Engine) Flush(ctx context.Context, sel Selection) (n int, err error) {
	err = e.spool.List(ctx, func(info spool.Info) bool {
		if !e.readable(&info) || !sel.match(&info) || info.Meta.HeldBack(&info.Status) ||
			!sel.Ask && spares(info.Status.Class) {
			return true
		}
		n++
		e.force(&info)
		return true
	})
	e.rouse()
	return n, err
}

// force makes a message due, whatever its status says.
func (e *Engine) force(info *spool.Info) {
	e.mu.Lock()
	defer e.mu.Unlock()
	info.Status.Next = time.Time{}
	e.add(info)
	id, ok := spool.ParseKey(info.ID)
	if en := e.index[id]; ok && en != nil && en.place == placeReady {
		en.forced = true
	}
}

// Rescan looks through the spool soon for what other processes have put there.
func (e *Engine) Rescan() {
	e.mu.Lock()
	e.rescan = true
	e.mu.Unlock()
	poke(e.looker)
}

// syncInterval is how long the removal of a delivered message may wait to be made durable.
const syncInterval = 300 * time.Millisecond

// unsyncedRemoval notes that a message was removed.
func (e *Engine) unsyncedRemoval() {
	if !e.unsynced.Swap(true) {
		poke(e.chore)
	}
}

func (e *Engine) syncSpool() {
	if !e.unsynced.Swap(false) {
		return
	}
	if err := e.spool.Sync(); err != nil {
		e.o.Warn(fmt.Errorf("the spool can't be synced; a power loss may bring delivered messages back: %w", err))
	}
}

// chores does what takes a disk's time, until ctx ends.
func (e *Engine) chores(ctx context.Context) {
	const saveInterval = time.Minute
	last := e.clock.Now()
	e.minutely(last)
	for ctx.Err() == nil {
		e.notifier.Look(e.conditions())
		wait := saveInterval
		if e.unsynced.Load() {
			wait = syncInterval
		}
		if !e.doze(ctx, wait) {
			return
		}
		e.syncSpool()
		if now := e.clock.Now(); now.Sub(last) >= saveInterval || now.Before(last) {
			last = now
			e.minutely(now)
		}
		e.saveState()
	}
}

// doze waits; what has to be synced waits the whole time, so that removals are synced together.
func (e *Engine) doze(ctx context.Context, wait time.Duration) bool {
	tick, stop := e.clock.After(wait)
	defer stop()
	chore := e.chore
	if wait == syncInterval {
		chore = nil
	}
	select {
	case <-tick:
	case <-chore:
	case <-ctx.Done():
		return false
	}
	return true
}

// forgetAfter is how long what has not shown since is remembered.
const forgetAfter = 24 * time.Hour

// minutely is what is done every minute.
func (e *Engine) minutely(now time.Time) {
	e.tidy()
	e.tidyOpen()
	e.mu.Lock()
	for _, b := range e.boxes {
		b.forgetPersons(now)
		for sender, g := range b.senders {
			if !g.shut && now.Sub(g.lastOK) > forgetAfter {
				delete(b.senders, sender)
			}
		}
		for author, g := range b.authors {
			if !g.shut || g.final && g.due(now) {
				delete(b.authors, author)
			}
		}
	}
	e.mu.Unlock()
	e.publishState()
}
