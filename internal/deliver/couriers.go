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

	hard        context.Context // ends what is under way
	seek        context.Context // ends the search for a session
	stopSeeking context.CancelFunc
}

// begin lets couriers work until hard ends.
func (cs *couriers) begin(_ *queue.Locked, hard context.Context) {
	cs.hard = hard
	cs.seek, cs.stopSeeking = context.WithCancel(hard)
}

// renew ends the search of all who work by a former configuration.
func (cs *couriers) renew(*queue.Locked) {
	if cs.hard != nil && cs.seek.Err() == nil {
		cs.stopSeeking()
		cs.seek, cs.stopSeeking = context.WithCancel(cs.hard)
	}
}

// start starts a courier.
func (cs *couriers) start(_ *queue.Locked, place *queue.Courier) {
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
func (cs *couriers) giveBack(_ *queue.Locked, qj *queue.Job, cause *queue.Fault) {
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
