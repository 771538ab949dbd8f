package deliver

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"o365-sendmail/internal/queue"
)

// couriers are all that work for an engine.
type couriers struct {
	*core
	recorder *recorder
	running  sync.WaitGroup
	rates    sync.Mutex // held while the account's rates are charged

	mu     sync.Mutex
	hard   context.Context // ends what is under way
	seek   context.Context // ends the search for a session
	giveUp context.CancelFunc
}

// begin lets couriers work until hard ends.
func (cs *couriers) begin(hard context.Context) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.hard = hard
	cs.seek, cs.giveUp = context.WithCancel(hard)
}

// stop ends the search for sessions.
func (cs *couriers) stop() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.giveUp()
}

// renew ends the search of all who work by a former configuration.
func (cs *couriers) renew() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.hard != nil && cs.seek.Err() == nil {
		cs.giveUp()
		cs.seek, cs.giveUp = context.WithCancel(cs.hard)
	}
}

// start starts a courier.
func (cs *couriers) start(place *queue.Courier) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	a := cs.config().Account
	c := &courier{couriers: cs, place: place, account: a, seek: cs.seek, hard: cs.hard, depth: cs.depth(a),
		log: cs.log.Batch()}
	c.window = a.window(c.depth)
	if place.Careful {
		c.window = 1
	}
	cs.running.Go(c.run)
}

// depth is how many messages a session has on its way at most. Each is one that may arrive twice when
// the connection is lost, so there are only as many as the account's rates make use of.
func (cs *couriers) depth(a *Account) int {
	depth := cs.o.Depth
	if perMinute := a.Limits.MessagesPerMinute; perMinute > 0 {
		depth = min(depth, max(perMinute/30, 1))
	}
	return depth
}

// giveBack answers a submission that no courier takes.
func (cs *couriers) giveBack(qj *queue.Job, cause *queue.Fault) {
	j := qj.Of.(*job)
	err := errors.New("the agent is being stopped")
	if cause != nil {
		err = cmp.Or(cause.Err, errors.New(cause.Reason))
	}
	v := untried(len(j.env.Recipients), err)
	v.stop, v.lost = cause, cause == nil
	if !j.end(v) {
		cs.running.Go(func() { cs.recorder.record(j, v, session{dsn: true}) })
	}
}
