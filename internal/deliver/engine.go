package deliver

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
)

// Config is what may change while an engine runs.
type Config struct {
	// Account is the way out. When it is nil everything is held, and Fault says why.
	Account *Account
	Fault   error

	// Mode is the delivery mode of messages that ask for none; "" is interactive.
	Mode string
	// Wait is how long a caller of an interactive submission waits; 0 means 10 s.
	Wait time.Duration

	IdleTimeout   time.Duration // how long a session without work is kept
	ProbeInterval time.Duration // between probes of a configuration fault; 0 means 5 min
	QueueInterval time.Duration // between looks at the spool; 0 means 1 min
	DrainTimeout  time.Duration // for what is under way at the end
	Lifetime      time.Duration // of a message; 0 means for ever
	DelayWarning  time.Duration // 0 means never

	// ServiceUID is the user whose mail shares root's reserve; 0 for none.
	ServiceUID int
	// Owner says to whom a uid belongs, for whom shares are counted, and whether it is an account of
	// this host: those that are none have one part of the small reserve together. nil means that
	// each is an account of its own.
	Owner func(uid int) (id int, known bool)
	// RetryFloor is the least time between two tries of a message that its owner asks for.
	RetryFloor time.Duration

	// Process makes ready what was accepted while the configuration could not be used. Without
	// it such messages stay.
	Process Process
	// Reports says who gets what this program writes itself; From, Relay and ProbeInterval are filled in.
	Reports notify.Config
	// Expiries are the ends of the account's secrets and certificates.
	Expiries []Expiry
}

// Expiry is the end of something that has to be renewed.
type Expiry struct {
	What         string    // as in "the client secret"
	Begins, Ends time.Time // Begins is zero where nobody knows it
}

// EngineOptions say what an engine works with.
type EngineOptions struct {
	Config
	Spool *spool.Spool // nil where nothing can be kept, which only goes with Alone
	Log   *maillog.Logger
	// StateFile keeps what was alerted about from one run to the next, and tells other
	// processes why mail waits; "" for none.
	StateFile string
	// Publish gets the state every minute and at the end; may be nil.
	Publish func(State)
	// Warn hears what is wrong but stops nothing; may be nil.
	Warn func(error)
	// Clock is nil for the system's.
	Clock Clock
	// Jitter gives random numbers in [0,1); nil means math/rand's.
	Jitter func() float64
	// Depth is how many messages are sent ahead of the replies; 0 means 8.
	Depth int
	// Alone is for a process without an agent, whose engine is not run; nil else.
	Alone *Alone
}

// Engine delivers what is in a spool. Within a process it is the only one that does; beside
// other processes it works by the spool's locks, the cache's slots and its counts.
type Engine struct {
	o     EngineOptions
	clock Clock
	spool *spool.Spool
	log   *maillog.Logger

	notifier *notify.Notifier

	mu         sync.Mutex
	config     Config
	generation int // of config
	running    bool
	stopping   bool
	once       bool // RunOnce: nothing is tried twice
	started    time.Time
	boxes      map[string]*box
	index      map[spool.Key]*entry
	waiting    waitHeap
	app        gate
	counters   Counters
	stuck      []stuckItem
	stuckOpen  []*job
	rescan     bool
	saved      []byte    // of the state file
	scanned    time.Time // the last look through the spool
	lookFrom   int       // which waiting messages are read again in the next

	asked       time.Time   // when somebody last asked for probes
	authorTries []time.Time // of the last hour
	restored    []Stop      // of the last run, not in force again yet

	rates     sync.Mutex      // held while the account's rates are charged
	hard      context.Context // ends what is under way
	seek      context.Context // ends the search for a session
	giveUp    context.CancelFunc
	couriers  sync.WaitGroup
	wake      chan struct{} // for Run
	chore     chan struct{} // for chores
	looker    chan struct{} // for scan
	quiet     chan struct{} // for RunOnce: something ended
	unsynced  atomic.Bool
	begun     chan struct{} // closed when it first runs
	beginOnce sync.Once
}

// The defaults.
const (
	defaultWait          = 10 * time.Second
	defaultProbeInterval = 5 * time.Minute
	defaultQueueInterval = time.Minute
	defaultDepth         = 8
)

// NewEngine makes an engine. It reads and opens nothing until Run.
func NewEngine(o EngineOptions) *Engine {
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
	e := &Engine{
		o: o, clock: o.Clock, spool: o.Spool, log: o.Log,
		wake: make(chan struct{}, 1), chore: make(chan struct{}, 1), looker: make(chan struct{}, 1), quiet: make(chan struct{}, 1),
		begun: make(chan struct{}),
	}
	e.boxes, e.index = map[string]*box{}, map[spool.Key]*entry{}
	e.app.scope = scopeApp
	e.notifier = notify.New(notify.Options{Submit: e.putOwn, Now: e.clock.Now, Log: e.log, Warn: o.Warn})
	e.setConfig(o.Config)
	return e
}

func (e *Engine) setConfig(c Config) {
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	if c.ProbeInterval <= 0 {
		c.ProbeInterval = defaultProbeInterval
	}
	if c.QueueInterval <= 0 {
		c.QueueInterval = defaultQueueInterval
	}
	e.config = c
	e.generation++
	r := c.Reports
	r.ProbeInterval = c.ProbeInterval
	if a := c.Account; a != nil {
		r.From, r.Relay = a.Mailbox, a.Submit.Host
	}
	e.notifier.Configure(r)
}

// Reconfigure takes a new configuration. Sessions of the old one end after what they
// have under way, and everything that was held or paused is tried again at once.
func (e *Engine) Reconfigure(c Config) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	e.setConfig(c)
	if e.running && !e.stopping {
		e.giveUp()
		e.seek, e.giveUp = context.WithCancel(e.hard)
	}
	e.holdWithoutAccount(now)
	e.restore(now)
	e.probeNow(now)
	e.rescan = true
	for _, b := range e.boxes {
		b.dismiss()
	}
	e.kickAll()
	poke(e.chore)
	poke(e.looker)
	e.rouse()
}

// RetryFloor is the configuration's.
func (e *Engine) RetryFloor() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config.RetryFloor
}

// holdWithoutAccount shuts everything when there is no account, and opens it when one
// has come.
func (e *Engine) holdWithoutAccount(now time.Time) {
	const key = "no-account"
	if e.config.Account == nil {
		reason, remedy := "the configuration can't be used", ""
		if e.config.Fault != nil {
			reason, remedy = e.config.Fault.Error(), adviceOf(e.config.Fault)
		}
		if remedy == "" {
			remedy = remedyConfig
		}
		e.shutGate(&e.app, &stop{scope: scopeApp, hold: true, early: true, key: key, reason: reason, remedy: remedy}, true, now)
		return
	}
	if e.app.shut && e.app.cause.key == key {
		e.openGate(&e.app, now)
	}
}

const remedyConfig = "correct the configuration file, then run systemctl reload o365-sendmail"

// pauseFor says how long a gate stays shut.
func (e *Engine) pauseFor(s *stop, failures int) time.Duration {
	probe := e.config.ProbeInterval
	if s.counted() {
		return schedule.ProbePause(failures, probe)
	}
	if s.hold {
		return max(probe, min(s.after, time.Hour))
	}
	pause := schedule.AccountPause(failures, s.after, e.o.Jitter())
	if s.after <= 0 {
		pause = min(pause, probe)
	}
	return pause
}

// Run delivers until ctx ends. Then it finishes what is under way within the configured
// time, breaks off the rest, and returns.
func (e *Engine) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if err := e.begin(hard, false); err != nil {
		return err
	}
	var helpers sync.WaitGroup
	soft, stop := context.WithCancel(ctx)
	helpers.Go(func() { e.scan(soft, nil) })
	helpers.Go(func() { e.chores(soft) })
	e.keepTime(soft)
	stop()
	e.end(cancel)
	helpers.Wait()
	e.finish()
	return nil
}

var errRunning = errors.New("the engine is running already")

func (e *Engine) begin(hard context.Context, once bool) error {
	e.loadState()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		return errRunning
	}
	e.running, e.stopping, e.once, e.hard, e.started = true, false, once, hard, e.clock.Now()
	e.seek, e.giveUp = context.WithCancel(hard)
	e.boxes, e.index, e.waiting = map[string]*box{}, map[spool.Key]*entry{}, nil
	e.app = gate{scope: scopeApp}
	e.holdWithoutAccount(e.started)
	e.restore(e.started)
	e.beginOnce.Do(func() { close(e.begun) })
	return nil
}

// Begun is closed when the engine runs: before, a message whose caller waits only goes to the queue.
func (e *Engine) Begun() <-chan struct{} { return e.begun }

// keepTime does what is due by the clock, until ctx ends.
func (e *Engine) keepTime(ctx context.Context) {
	for {
		e.mu.Lock()
		now := e.clock.Now()
		if !e.once {
			e.promote(now)
		}
		for _, b := range e.boxes {
			b.hurry(now)
		}
		e.kickAll()
		wait := e.untilNext(now)
		e.mu.Unlock()
		tick, stop := e.clock.After(wait)
		select {
		case <-tick:
		case <-e.wake:
		case <-ctx.Done():
		}
		stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// maxSleep bounds the time after which a clock that was set is noticed.
const maxSleep = time.Minute

// untilNext says when something becomes due.
func (e *Engine) untilNext(now time.Time) time.Duration {
	wait := maxSleep
	at := func(t time.Time) {
		if d := t.Sub(now); d > 0 {
			wait = min(wait, d)
		}
	}
	if e.waiting.Len() > 0 {
		at(time.Unix(e.waiting[0].next, 0))
	}
	e.gates(func(g *gate) {
		if g.shut && !g.probing {
			at(g.next)
		}
	})
	for _, b := range e.boxes {
		for _, p := range b.pace {
			at(p.until)
		}
		for _, p := range b.persons {
			at(p.pace)
		}
		at(b.noSlot)
		for _, r := range b.rows {
			at(r.until)
		}
	}
	return max(wait, time.Millisecond)
}

// poke wakes a goroutine that waits at c.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// rouse lets Run look at the clock anew.
func (e *Engine) rouse() { poke(e.wake) }

// end stops giving out work, waits for what is under way, and breaks off what takes too long.
func (e *Engine) end(cancel context.CancelFunc) {
	e.mu.Lock()
	e.stopping = true
	e.giveUp()
	for _, b := range e.boxes {
		b.dismiss()
		e.flushExpress(&b.gate)
	}
	drain := e.config.DrainTimeout
	e.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		e.couriers.Wait()
		close(gone)
	}()
	tick, stop := e.clock.After(drain)
	defer stop()
	select {
	case <-gone:
	case <-tick:
		cancel()
		<-gone
	}
	cancel()
}

// finish leaves the spool and the state file in order.
func (e *Engine) finish() {
	e.tidy()
	e.tidyOpen()
	e.notifier.Look(e.conditions())
	e.syncSpool()
	e.mu.Lock()
	e.running = false
	for _, s := range e.stuck {
		s.item.Unlock()
	}
	for _, j := range e.stuckOpen {
		j.item.Unlock()
	}
	e.stuck, e.stuckOpen = nil, nil
	e.mu.Unlock()
	e.saveState()
	e.publishState()
}

// Wake tells that the message is new in the spool.
func (e *Engine) Wake(id string) {
	info, err := e.spool.Get(id)
	if err != nil {
		return // it is gone already, or the next scan finds out what is wrong
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(&info)
}
