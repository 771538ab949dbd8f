package agent

import (
	"sync"
	"time"

	"o365-sendmail/internal/host"
)

// owners keeps to whom user ids belong for a while, so that no file is read for each message.
type owners struct {
	now func() time.Time

	mu    sync.Mutex
	until time.Time
	known map[int]ownership
}

type ownership struct {
	id    int
	known bool
}

// of is host.Owner.
func (o *owners) of(uid int) (id int, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.now(); now.After(o.until) || o.until.Sub(now) > nameLife {
		o.until, o.known = now.Add(nameLife), map[int]ownership{}
	}
	w, ok := o.known[uid]
	if !ok {
		w.id, w.known = host.Owner(uid)
		o.known[uid] = w
	}
	return w.id, w.known
}
