package deliver

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
)

// courier takes messages to the server on one session, and ends with it.
type courier struct {
	*couriers
	place   *queue.Courier
	account *Account
	seek    context.Context // ends when the engine stops or has a new configuration
	hard    context.Context // ends what is under way
	lost    context.Context // ends when the slot is another's: no further message begins
	wanted  context.Context // ends when another host waits for the slot

	session  *submit.Session
	until    time.Time   // no message begins on the session after it; zero for no such time
	depth    int         // the largest window
	window   int         // how many messages may be on their way at once
	inFlight []*job      // sent, not answered; the oldest first
	idled    bool        // the session had nothing to do before the oldest of inFlight
	broken   bool        // the session is over
	faulty   atomic.Bool // this program has gone wrong with it
	taken    []delivery
	log      *batch
}

// delivery is one that only has to be noted in the spool.
type delivery struct {
	job     *job
	outcome *Outcome
	states  map[int]spool.RecipientStatus // what the outcome means for the recipients, once it is noted
}

func (c *courier) run() {
	defer signal(c.quiet)
	defer c.queue.Do(c.place.Gone)
	slot, ok := c.slot()
	if !ok {
		return
	}
	defer slot.Release()
	c.lost, c.wanted = slot.Lost, slot.Wanted
	hard, cancel := context.WithCancel(c.hard)
	defer cancel()
	c.hard = hard
	defer context.AfterFunc(slot.Cut, cancel)() // the server counts the session, not the slot
	if !c.dial() {
		return
	}
	c.serve()
	_ = c.session.Close()
}

// recordTaken notes in the spool what the server has taken. That is done for half a window at once,
// while the server has the next messages to work on: the lines go into the log in one
// write, and the lines of their removal with the next ones, unless there are none soon.
func (c *courier) recordTaken() {
	if len(c.taken) > 0 {
		for i := range c.taken {
			c.note(&c.taken[i])
		}
		c.log.Flush() // before the messages go: nothing is to vanish without a trace
		for i := range c.taken {
			c.conclude(&c.taken[i])
			c.taken[i] = delivery{}
		}
		c.taken = c.taken[:0]
	}
	if len(c.inFlight) == 0 {
		c.log.Flush()
	}
}

func (c *courier) note(d *delivery) {
	defer c.guard(d.job)
	d.states = c.recorder.note(d.job, d.outcome, c.sessionFacts(), c.log)
}

func (c *courier) conclude(d *delivery) {
	if d.states != nil { // else note has gone wrong
		defer c.guard(d.job)
		c.recorder.conclude(d.job, d.outcome, d.states, c.clock.Now(), c.log)
	}
}

// session is what a record needs to know of the session.
type session struct {
	server string
	dsn    bool // it reports successes itself
}

func (c *courier) sessionFacts() session {
	return session{c.account.Submit.Host, c.session.Extensions().DSN}
}

func (c *courier) dial() bool {
	s, until, err := c.account.Dial(c.seek, c.place.Mailbox)
	if err == nil {
		c.session, c.until = s, until
		c.queue.Do(c.place.Arrived)
		return true
	}
	f := cmp.Or(stopOf(err), &queue.Fault{Scope: queue.ScopeAll, Early: true, Key: "dial", Reason: err.Error()})
	c.queue.Do(func(l *queue.Locked) {
		if c.seek.Err() == nil {
			c.place.NoSession(l, f)
		}
	})
	return false
}

// serve sends messages until there is no more work for the session, or it ends.
func (c *courier) serve() {
	for {
		for len(c.inFlight) < c.window && c.fit() {
			j := c.next()
			if j == nil {
				break
			}
			c.send(j)
		}
		c.session.Flush()
		c.recordTaken()
		switch {
		case len(c.inFlight) > 0:
			c.receiveSome()
		case !c.fit() || !c.idle():
			return
		}
	}
}

// fit reports whether the session can take another message.
func (c *courier) fit() bool {
	if c.faulty.Load() {
		c.broken = true
	}
	if c.broken || c.lost.Err() != nil || !c.until.IsZero() && c.clock.Now().After(c.until) {
		return false
	}
	return len(c.inFlight) > 0 || c.session.Usable()
}

// send begins a message.
func (c *courier) send(j *job) {
	defer c.guard(j)
	if j.slow = j.msg.Size() > slowSize; j.slow {
		c.queue.Do(c.place.Slow)
	}
	env, msg, done := fitted(c.session, j.env, j.msg)
	wait := c.session.Gather(c.hard, env, msg)
	j.wait = func() (*submit.Result, error) {
		defer done()
		return wait()
	}
	c.inFlight = append(c.inFlight, j)
}

// slowSize is from where a message may keep a session busy for a while.
const slowSize = 256 << 10

// receiveSome makes room for half a window: what fills it leaves in one write, and the server
// has the other half to work on.
func (c *courier) receiveSome() {
	for c.receive(); len(c.inFlight) > c.window/2; c.receive() {
		if !c.session.Answered() {
			c.recordTaken() // the server takes its time, and what is not noted would arrive twice after a crash
		}
	}
}

// receive waits for the oldest message's outcome and records it.
func (c *courier) receive() {
	j := c.inFlight[0]
	c.inFlight = slices.Delete(c.inFlight, 0, 1)
	defer c.guard(j)
	res, err := j.wait()
	if j.slow {
		c.queue.Do(c.place.Fast)
		j.slow = false
	}
	v := judge(len(j.env.Recipients), res, err)
	c.account.learn(err)
	switch {
	case err == nil:
		c.window = min(2*c.window, c.depth)
	case c.broken:
		// The session ended with an earlier message: this one has no part in it.
		*v = Outcome{fate: make([]fate, len(v.fate)), errs: v.errs, later: len(v.fate), lost: true, bystander: true,
			err: err, uncertain: v.uncertain}
	default:
		c.broken = !c.session.Usable()
		v.lost = c.mayRepeat(j, v, err)
	}
	c.idled = false
	c.done(j, v)
}

// mayRepeat reports whether a message is tried again at once, since the session broke off: a session that had
// idled may have been closed meanwhile, and any message gets one such second try.
func (c *courier) mayRepeat(j *job, v *Outcome, err error) bool {
	switch {
	case v.later == 0 || v.stop != nil || v.damaged || !ended(err):
		return false
	case c.hard.Err() != nil:
		return true
	case v.uncertain:
		return false
	case refusedChunks(err), c.idled: // sessions that were open before may refuse BDAT once more
		return true
	}
	may := false
	c.queue.Do(func(l *queue.Locked) { may = j.SecondTry(l) })
	return may
}

// shortIdle is how long a session without work is kept while another one idles, too.
const shortIdle = time.Second

// idle waits for work. It returns false when the session is to end.
func (c *courier) idle() bool {
	keep := c.config().IdleTimeout
	if keep <= 0 {
		return false
	}
	var stays, waits, alone bool
	wanted := c.wanted.Done()
	c.queue.Do(func(l *queue.Locked) {
		if stays, waits, alone = c.place.Idle(l); c.place.Backlog(l) {
			wanted = nil // it only waits for the rate
		}
	})
	c.idled = true
	if !waits {
		return stays
	}
	defer c.queue.Do(c.place.Busy)
	if !alone {
		keep = min(keep, shortIdle)
	}
	tick, stop := c.clock.After(keep)
	defer stop()
	signal(c.quiet)
	select {
	case <-c.place.Wake:
		c.queue.Do(func(l *queue.Locked) { stays = c.place.Wanted(l) })
		return stays
	case <-tick:
	case <-c.lost.Done():
	case <-wanted:
	}
	return false
}

// guard keeps a fault of this program that one message brings out from stopping the others: the
// message is held, and the session is not trusted any more.
func (c *courier) guard(j *job) {
	p := recover()
	if p == nil {
		return
	}
	c.faulty.Store(true)
	c.couriers.log.Log(maillog.Err, j.id, "status", "held", "", fmt.Sprintf("internal fault: %v\n%s", p, debug.Stack()))
	c.recorder.holdAfterPanic(j, fmt.Sprintf("internal fault: %v", p))
}
