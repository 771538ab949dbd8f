package quota

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"o365-sendmail/internal/durable"
)

// Slot takes one of n slots that all processes with this directory share for account, such as
// Exchange's three connections for one mailbox, and waits for one as long as ctx
// allows, in the order of arrival; the error then wraps ctx.Err(). n below 1 counts as 1.
//
// The slot is free again with release, which may be called more than once, or with the end of the process. When
// the directory can't be used, Slot warns once and does not limit.
func (l *Ledger) Slot(ctx context.Context, account string, n int) (release func(), err error) {
	if release, ok := l.TrySlot(account, n); ok {
		return release, nil
	}
	release, err = l.dir.Ops.LockAny(ctx, l.slotPaths(account, n), durable.SharedFileMode)
	if err == nil {
		return release, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("all %d connection slots of this host are taken: %w", max(n, 1), ctx.Err())
	}
	l.dir.Failed(theSlots, err)
	return func() {}, nil
}

// TrySlot is Slot without waiting; ok is false when all n are taken.
func (l *Ledger) TrySlot(account string, n int) (release func(), ok bool) {
	if err := l.dir.Prepare(); err != nil {
		l.dir.Failed(theSlots, err)
		return func() {}, true
	}
	for _, path := range l.slotPaths(account, n) {
		unlock, ok, err := l.dir.Ops.TryLock(path, durable.SharedFileMode)
		if err != nil {
			l.dir.Failed(theSlots, err)
			return func() {}, true
		}
		if ok {
			return unlock, true
		}
	}
	return nil, false
}

// slotPaths are the lock files of an account's slots, from a random one on: that spreads the tries of many processes.
func (l *Ledger) slotPaths(account string, n int) []string {
	n = max(n, 1)
	paths := make([]string, n)
	for i, first := 0, rand.IntN(n); i < n; i++ {
		paths[i] = l.path("slot", account, strconv.Itoa((first+i)%n)+".lock")
	}
	return paths
}
