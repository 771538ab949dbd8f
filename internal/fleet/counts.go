package fleet

import (
	"sort"
	"sync"
	"time"

	"o365-sendmail/internal/quota"
)

// counts is quota.Counts, in use.
type counts struct {
	mu sync.Mutex
	n  quota.Counts
}

// waited counts a slot that was asked for then, if there was one.
func (c *counts) waited(begun time.Duration, err error) {
	if err != nil {
		return
	}
	d := (boottime() - begun).Seconds()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n.Waits[sort.SearchFloat64s(quota.WaitBounds[:], d)]++
	c.n.Waited += d
}

func (c *counts) refused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n.Refused++
}

// Counts is quota.Member's.
func (f *Fleet) Counts() quota.Counts {
	f.seen.mu.Lock()
	defer f.seen.mu.Unlock()
	return f.seen.n
}
