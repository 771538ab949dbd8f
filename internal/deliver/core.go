package deliver

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// core is what all parts of an engine work with.
type core struct {
	o        EngineOptions
	clock    Clock
	spool    *spool.Spool
	log      journal
	queue    *queue.Queue
	notifier *notify.Notifier
	current  atomic.Pointer[Config] // never changed in place
	counters counters

	news  atomic.Bool   // a gate was shut or opened
	timer chan struct{} // for keepTime
	chore chan struct{} // for chores
	quiet chan struct{} // for RunOnce: something ended
}

func newCore(o EngineOptions) *core {
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.Depth <= 0 {
		o.Depth = defaultDepth
	}
	return &core{o: o, clock: o.Clock, spool: o.Spool, log: journal{o.Log, o.History},
		timer: make(chan struct{}, 1), chore: make(chan struct{}, 1), quiet: make(chan struct{}, 1)}
}

// config is the configuration in force.
func (e *core) config() *Config { return e.current.Load() }

// configure takes a configuration, and has the queue go by it.
func (e *core) configure(l *queue.Locked, c Config) {
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.ProbeInterval <= 0 {
		c.ProbeInterval = defaultProbeInterval
	}
	if c.QueueInterval <= 0 {
		c.QueueInterval = defaultQueueInterval
	}
	e.current.Store(&c)
	rules, r := queue.Rules{ProbeInterval: c.ProbeInterval}, c.Reports
	r.ProbeInterval = c.ProbeInterval
	if a := c.Account; a != nil {
		rules = queue.Rules{
			Open: true, Mailbox: a.Mailbox, Pool: a.Pool, Connections: a.Connections,
			PerDay: a.Limits.RecipientsPerDay, Shares: a.Shares, Chosen: a.Senders.Chosen, Named: a.Senders.Named,
			ProbeInterval: c.ProbeInterval,
		}
		r.From, r.Relay = a.Mailbox, a.Submit.Host
	}
	l.SetRules(rules)
	e.notifier.Configure(r)
}

// counters are Counters that several may add to.
type counters struct {
	mu sync.Mutex
	c  Counters
}

func (c *counters) add(change func(*Counters)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.c)
}

func (c *counters) read() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c
}

// signal wakes who waits at c, now or when it comes there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait waits, and returns before the time when something comes from early. It returns false when ctx ends.
func (e *core) wait(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	tick, stop := e.clock.After(d)
	defer stop()
	select {
	case <-tick:
	case <-early:
	case <-ctx.Done():
		return false
	}
	return true
}

// add puts a message of the spool into the queue, or updates it there.
func (e *core) add(info *spool.Info, forced bool) {
	id, ok := spool.ParseKey(info.ID)
	if !ok {
		return
	}
	m, st := e.message(queue.ID(id), info.Meta, &info.Envelope), statusOf(info.Meta, info.Status)
	e.queue.Do(func(l *queue.Locked) { l.Add(m, st, forced) })
}

// message is what the queue has to know of a message.
func (e *core) message(id queue.ID, m spool.Meta, env *envelope.Envelope) queue.Message {
	return queue.Message{ID: id, SignIn: env.SignIn, Sender: env.Sender, By: e.user(m)}
}

func statusOf(m spool.Meta, st spool.Status) queue.Status {
	return queue.Status{Held: m.HeldBack(&st), Class: st.Class, Next: st.Next}
}

// user is who is charged for a message.
func (e *core) user(m spool.Meta) queue.User {
	c := e.config()
	switch {
	case m.UID == 0, m.UID > 0 && m.UID == c.ServiceUID, m.UID < 0 && m.Origin == notify.OriginAlert:
		return queue.User{ID: queue.Root}
	case m.UID < 0 && m.Origin == notify.OriginReport:
		return queue.User{ID: queue.ReportWriter}
	case c.Owner == nil:
		return queue.User{ID: m.Sharer()}
	case m.UID < 0:
		return queue.User{ID: m.Sharer(), Stranger: m.Host() == ""}
	}
	id, known := c.Owner(m.UID)
	return queue.User{ID: id, Stranger: !known}
}

// metaOf describes a message for the spool.
func metaOf(env *envelope.Envelope) spool.Meta {
	return spool.Meta{UID: env.Caller.UID, Origin: env.Caller.Via}
}

// relay is the server's name in the log.
func (e *core) relay() string {
	if a := e.config().Account; a != nil {
		return a.Submit.Host
	}
	return "none"
}
