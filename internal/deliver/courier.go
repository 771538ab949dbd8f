package deliver

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
)

// courier takes messages to the server on one session, and ends with it.
type courier struct {
	e          *Engine
	box        *box
	account    *Account
	mailbox    string
	generation int
	seek       context.Context // ends when the engine stops or has a new configuration
	hard       context.Context // ends what is under way
	probes     []*gate         // that its first message has to answer

	session *submit.Session
	depth   int         // the largest window
	window  int         // how many messages may be on their way at once
	flying  []*job      // sent, not answered; the oldest first
	idled   bool        // the session had nothing to do before the oldest of flying
	broken  bool        // the session is over
	faulty  atomic.Bool // this program has gone wrong with it
	taken   []record    // delivered, and not noted in the spool yet
	log     *maillog.Batch
}

// record is a delivery that only has to be noted in the spool.
type record struct {
	job     *job
	outcome *Outcome
	states  map[int]spool.RecipientStatus // what the outcome means for the recipients, once it is noted
}

// hire starts a courier. The engine's mutex is held.
func (e *Engine) hire(b *box, probes []*gate) {
	c := &courier{e: e, box: b, account: e.config.Account, mailbox: e.mailbox(b), generation: e.generation, seek: e.seek, hard: e.hard, probes: probes, depth: e.depth(), log: e.log.Batch()}
	c.window = c.account.window(c.depth)
	if b.losses > 0 {
		c.window = 1 // the message that ends sessions is to be found alone
	}
	b.couriers++
	b.starting++
	e.couriers.Go(c.run)
}

// depth is how many messages a session has on its way at most. Each is one that may arrive twice when
// the connection is lost, so there are only as many as the account's rates make use of.
func (e *Engine) depth() int {
	depth := e.o.Depth
	if perMinute := e.config.Account.Limits.MessagesPerMinute; perMinute > 0 {
		depth = min(depth, max(perMinute/30, 1))
	}
	return depth
}

func (c *courier) run() {
	ready := false
	defer func() { c.leave(ready) }()
	release, ok := c.slot()
	if !ok {
		return
	}
	defer release()
	if !c.dial() {
		return
	}
	ready = true
	c.arrived()
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
			c.taken[i] = record{}
		}
		c.taken = c.taken[:0]
	}
	if len(c.flying) == 0 {
		c.log.Flush()
	}
}

func (c *courier) note(r *record) {
	defer c.guard(r.job)
	r.states = c.e.note(r.job, r.outcome, c.sessionFacts(), c.log)
}

func (c *courier) conclude(r *record) {
	if r.states != nil { // else note has gone wrong
		defer c.guard(r.job)
		c.e.conclude(r.job, r.outcome, r.states, c.e.clock.Now(), c.log)
	}
}

func (c *courier) sessionFacts() session {
	return session{c.account.Submit.Host, c.session.Extensions().DSN}
}

// leave signs off, and has the work that is left done by others.
func (c *courier) leave(ready bool) {
	e := c.e
	e.mu.Lock()
	defer e.mu.Unlock()
	c.box.couriers--
	if !ready {
		c.box.starting--
	}
	for _, g := range c.probes {
		g.probing = false
	}
	e.kick(c.box)
	poke(e.quiet)
}

// slotPause is how long an additional courier stays away when the host has no free connection.
const slotPause = time.Second

// slot takes one of the mailbox's connections on this host. Only the first courier waits for one.
func (c *courier) slot() (release func(), ok bool) {
	n := max(c.account.Connections, 1)
	if release, ok := c.account.Quota.TrySlot(c.mailbox, n); ok {
		return release, true
	}
	e := c.e
	e.mu.Lock()
	others := c.box.couriers > 1
	if others {
		c.box.noSlot = e.clock.Now().Add(slotPause)
		e.rouse()
	}
	e.mu.Unlock()
	if others {
		return nil, false
	}
	release, err := c.account.Quota.Slot(c.seek, c.mailbox, n)
	return release, err == nil
}

func (c *courier) dial() bool {
	s, err := c.account.Dial(c.seek, c.mailbox)
	if err != nil {
		c.e.dialFailed(c, err)
		return false
	}
	c.session = s
	return true
}

// dialFailed closes the gate that the error names. No message is at fault.
func (e *Engine) dialFailed(c *courier, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.seek.Err() != nil {
		return
	}
	s := stopOf(err)
	if s == nil {
		s = &stop{scope: scopeApp, early: true, key: "dial", reason: err.Error()}
	}
	g := &e.app
	if s.scope != scopeApp {
		g = &c.box.gate
	}
	e.shutGate(g, s, slices.Contains(c.probes, g), e.clock.Now())
}

// arrived notes that there is a session: what stood in the way of one is gone.
func (c *courier) arrived() {
	e := c.e
	e.mu.Lock()
	defer e.mu.Unlock()
	c.box.starting--
	now := e.clock.Now()
	for _, g := range [...]*gate{&e.app, &c.box.gate} {
		if g.shut && g.cause.early && g.cause.key != "no-account" {
			e.openGate(g, now)
			c.probes = slices.DeleteFunc(c.probes, func(p *gate) bool { return p == g })
		}
	}
}

// serve sends messages until there is no more work for the session, or it ends.
func (c *courier) serve() {
	for {
		for len(c.flying) < c.window && c.fit() {
			j := c.e.take(c)
			if j == nil {
				break
			}
			c.send(j)
		}
		c.session.Flush()
		c.recordTaken()
		switch {
		case len(c.flying) > 0:
			c.landSome()
		case !c.fit() || !c.rest():
			return
		}
	}
}

// fit reports whether the session can take another message.
func (c *courier) fit() bool {
	if c.faulty.Load() {
		c.broken = true
	}
	if c.broken {
		return false
	}
	return len(c.flying) > 0 || c.session.Usable()
}

// send begins a message.
func (c *courier) send(j *job) {
	defer c.guard(j)
	if j.slow = j.msg.Size() > slowSize; j.slow {
		c.e.countSlow(c.box, 1)
	}
	env, msg, done := fitted(c.session, j.env, j.msg)
	wait := c.session.Gather(c.hard, env, msg)
	j.wait = func() (*submit.Result, error) {
		defer done()
		return wait()
	}
	c.flying = append(c.flying, j)
}

// slowSize is from where a message may keep a session busy for a while.
const slowSize = 256 << 10

// countSlow notes that a courier is busy, so that another one is found for the others.
func (e *Engine) countSlow(b *box, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b.slow += n; n > 0 {
		e.kick(b)
	}
}

// landSome makes room for half a window: what fills it leaves in one write, and the server
// has the other half to work on.
func (c *courier) landSome() {
	for c.land(); len(c.flying) > c.window/2; c.land() {
		if !c.session.Answered() {
			c.recordTaken() // the server takes its time, and a message that may come twice had better not wait
		}
	}
}

// land waits for the oldest message's outcome and records it.
func (c *courier) land() {
	j := c.flying[0]
	c.flying = slices.Delete(c.flying, 0, 1)
	defer c.guard(j)
	res, err := j.wait()
	if j.slow {
		c.e.countSlow(c.box, -1)
		j.slow = false
	}
	v := judge(res, err)
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
		c.excuse(j, v, err)
	}
	c.idled = false
	c.e.settle(c, j, v)
}

// excuse lets a message be tried again at once when the session broke off: a session that had
// idled may have been closed meanwhile, and any message gets one such second try.
func (c *courier) excuse(j *job, v *Outcome, err error) {
	if v.later == 0 || v.stop != nil || v.damaged || !ended(err) {
		return
	}
	switch {
	case c.hard.Err() != nil:
		v.lost = true
	case v.uncertain:
	case refusedChunks(err):
		v.lost = true // sessions that were open before may refuse it once more
	case c.idled:
		v.lost = true
	case !j.triedAgain():
		v.lost = true
	}
}

// triedAgain reports whether the message has had its immediate second try, and notes it.
func (j *job) triedAgain() bool {
	if j.entry != nil {
		was := j.entry.retried
		j.entry.retried = true
		return was
	}
	was := j.retried
	j.retried = true
	return was
}

// linger is how long a session without work is kept while another one idles, too.
const linger = time.Second

// rest waits for work. It returns false when the session is to end.
func (c *courier) rest() bool {
	e := c.e
	e.mu.Lock()
	keep := e.config.IdleTimeout
	if len(c.box.idle) > 0 {
		keep = min(keep, linger)
	}
	for _, g := range c.probes {
		g.probing = false
	}
	c.probes = nil
	e.mu.Unlock()
	if keep <= 0 || !c.wanted() {
		return false
	}
	bell := c.register()
	defer c.deregister(bell)
	c.idled = true
	if c.e.workFor(c.box) {
		return c.wanted()
	}
	tick, stop := e.clock.After(keep)
	defer stop()
	poke(e.quiet)
	select {
	case <-bell:
	case <-tick:
		return false
	}
	return c.wanted()
}

// wanted reports whether the courier still works for the current configuration.
func (c *courier) wanted() bool {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	return !c.e.stopping && c.generation == c.e.generation
}

// workFor reports whether there is something to take.
func (e *Engine) workFor(b *box) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	return e.available(b, now) > 0 && e.app.pass(now) != passNo && b.gate.pass(now) != passNo
}

func (c *courier) register() chan struct{} {
	bell := make(chan struct{}, 1)
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.box.idle = append(c.box.idle, bell)
	return bell
}

func (c *courier) deregister(bell chan struct{}) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.box.idle = slices.DeleteFunc(c.box.idle, func(b chan struct{}) bool { return b == bell })
}

// guard keeps a fault of this program that one message brings out from stopping the others: the
// message is held, and the session is not trusted any more.
func (c *courier) guard(j *job) {
	p := recover()
	if p == nil {
		return
	}
	c.faulty.Store(true)
	c.e.log.Log(maillog.Err, j.id, "status", "held", "", fmt.Sprintf("internal fault: %v\n%s", p, debug.Stack()))
	c.e.holdAfterPanic(j, fmt.Sprintf("internal fault: %v", p))
}
