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
)

// Slot takes one of n slots that all processes with this directory share for account, such as
// Exchange's three connections for one mailbox, and waits for one as long as ctx
// allows, in the order of arrival; the error then wraps ctx.Err(). n below 1 counts as 1.
//
// The slot is free again with release, which may be called more than once, or with the end of the process. When
// the directory can't be used, Slot warns once and does not limit.
func (c *Cache) Slot(ctx context.Context, account string, n int) (release func(), err error) {
	if release, ok := c.TrySlot(account, n); ok {
		return release, nil
	}
	release, err = c.ops.LockAny(ctx, c.slotPaths(account, n), fileMode)
	if err == nil {
		return release, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("all %d connection slots of this host are taken: %w", max(n, 1), ctx.Err())
	}
	c.warn(warnSlots, err)
	return func() {}, nil
}

// TrySlot is Slot without waiting; ok is false when all n are taken.
func (c *Cache) TrySlot(account string, n int) (release func(), ok bool) {
	if err := c.prepareDir(); err != nil {
		c.warn(warnSlots, err)
		return func() {}, true
	}
	for _, path := range c.slotPaths(account, n) {
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

// slotPaths are the lock files of an account's slots, from a random one on: that spreads the tries of many processes.
func (c *Cache) slotPaths(account string, n int) []string {
	n = max(n, 1)
	paths := make([]string, n)
	for i, first := 0, rand.IntN(n); i < n; i++ {
		paths[i] = c.accountPath("slot", account, strconv.Itoa((first+i)%n)+lockSuffix)
	}
	return paths
}

// accountPath is a file of what kind says for an account; mailbox names know no case.
func (c *Cache) accountPath(kind, account, suffix string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(account)))
	return filepath.Join(c.dir, kind+"-"+hex.EncodeToString(sum[:12])+"."+suffix)
}
