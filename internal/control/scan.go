package control

import (
	"context"
	"errors"
	"sync"

	"o365-sendmail/internal/sysexits"
)

// scan is leave to read the whole queue, which costs time that other users need too. Those who may do
// everything need none.
type scan struct {
	s      *Server
	ctx    context.Context // of the request
	viewer Viewer
	held   bool
}

// take waits for leave. One user's requests wait for each other before they wait among those of others.
func (c *scan) take() error {
	if c.viewer.All {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, readWait)
	defer cancel()
	if err := c.s.own.lock(ctx, c.viewer.UID); err == nil {
		select {
		case c.s.scans <- struct{}{}:
			c.held = true
			return nil
		case <-ctx.Done():
			c.s.own.unlock(c.viewer.UID)
		}
	}
	return sysexits.With(sysexits.TempFail, errors.New("the agent is busy with other lists; try again"))
}

// give ends it, if there is one.
func (c *scan) give() {
	if c.held {
		c.held = false
		<-c.s.scans
		c.s.own.unlock(c.viewer.UID)
	}
}

// keyed is a lock for each user.
type keyed struct {
	mu   sync.Mutex
	held map[int]chan struct{} // closed when the lock is given back
}

// lock waits for a user's lock until ctx ends.
func (k *keyed) lock(ctx context.Context, uid int) error {
	for {
		k.mu.Lock()
		free, taken := k.held[uid]
		if !taken {
			if k.held == nil {
				k.held = map[int]chan struct{}{}
			}
			k.held[uid] = make(chan struct{})
			k.mu.Unlock()
			return nil
		}
		k.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (k *keyed) unlock(uid int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.held[uid])
	delete(k.held, uid)
}
