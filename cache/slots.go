package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A process that waits for a slot tries each one, and again after a pause. The first
// pauses are short, for a slot that is about to get free; then all who wait ask equally
// often, so that each has the same chance, however long it has waited.
const (
	slotPauseMin = 2 * time.Millisecond
	slotPauseMax = 32 * time.Millisecond // with jitter at most 48 ms
)

// Slot takes one of n slots that all processes with this directory share for account, such as
// Exchange's three connections for one mailbox, and waits for one as long as ctx
// allows; the error then wraps ctx.Err(). n below 1 counts as 1.
//
// The slot is free again with release, which may be called more than once, or with the end of the process. When
// the directory can't be used, Slot warns once and does not limit.
func (c *Cache) Slot(ctx context.Context, account string, n int) (release func(), err error) {
	for pause := slotPauseMin; ; pause = min(2*pause, slotPauseMax) {
		if release, ok := c.TrySlot(account, n); ok {
			return release, nil
		}
		if err := sleep(ctx, jitter(pause)); err != nil {
			return nil, fmt.Errorf("all %d connection slots of this host are taken: %w", max(n, 1), err)
		}
	}
}

// TrySlot is Slot without waiting; ok is false when all n are taken.
func (c *Cache) TrySlot(account string, n int) (release func(), ok bool) {
	if err := c.prepareDir(); err != nil {
		c.warn(warnSlots, err)
		return func() {}, true
	}
	n = max(n, 1)
	// A random first slot spreads the tries of many processes.
	for i, first := 0, rand.IntN(n); i < n; i++ {
		path := c.accountPath("slot", account, strconv.Itoa((first+i)%n)+lockSuffix)
		unlock, ok, err := c.ops.TryLock(path, fileMode)
		if err != nil {
			c.warn(warnSlots, err)
			return func() {}, true
		}
		if ok {
			return unlock, true
		}
	}
	return nil, false
}

// accountPath is a file of what kind says for an account; mailbox names know no case.
func (c *Cache) accountPath(kind, account, suffix string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(account)))
	return filepath.Join(c.dir, kind+"-"+hex.EncodeToString(sum[:12])+"."+suffix)
}
