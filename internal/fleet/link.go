package fleet

import (
	"context"
	"sync"
	"time"

	"o365-sendmail/internal/quota"
)

// link is whether the servers answer. Between trip and mend nobody who asks waits for them.
type link struct {
	mu    sync.Mutex
	known bool
	since time.Duration // by boottime, when they answered last
	why   error
	over  context.Context // ends with mend
	end   context.CancelFunc
	wake  chan struct{} // gets a value with trip
}

func newLink(why error) *link {
	l := &link{since: boottime(), why: why, wake: make(chan struct{}, 1)}
	l.over, l.end = context.WithCancel(context.Background())
	return l
}

// unknown is nil while the servers answer.
func (l *link) unknown(hosts int) *quota.UnknownError {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known {
		return nil
	}
	return &quota.UnknownError{For: boottime() - l.since, Hosts: hosts, Over: l.over, Err: l.why}
}

// trip notes that a call was not answered. The first of several reasons in a row stays, unless a try finds another.
func (l *link) trip(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known {
		l.known, l.since = false, boottime()
		l.over, l.end = context.WithCancel(context.Background())
	}
	l.why = why
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// mend notes that they answer again.
func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = true
	l.end()
}
