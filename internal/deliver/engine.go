package deliver

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"o365-sendmail/internal/history"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
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
	// each is an account of its own. It must be safe for concurrent use.
	Owner func(uid int) (id int, known bool)
	// RetryFloor is the least time between two tries of a message that its owner asks for.
	RetryFloor time.Duration

	// Process makes ready what was accepted while the configuration could not be used. Without
	// it such messages stay.
	Process Process
	// Reports says who gets what this program writes itself; From, Relay and ProbeInterval are filled in.
	Reports notify.Config
	// QueueAge is how old a message of the queue may be before the administrator is told; 0 means any age.
	QueueAge time.Duration
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
	// History keeps what becomes of recipients; nil for nothing.
	History *history.Writer
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
	*core
	couriers  couriers
	recorder  recorder
	scanner   scanner
	stateFile stateFile

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
	e := &Engine{core: newCore(o), begun: make(chan struct{})}
	e.recorder.core, e.stateFile.core = e.core, e.core
	e.scanner = scanner{core: e.core, wake: make(chan struct{}, 1)}
	e.couriers = couriers{core: e.core, recorder: &e.recorder}
	e.queue = queue.New(queue.Hooks{
		Start: e.couriers.start, Return: e.couriers.giveBack, Tell: e.tellGate,
		Timer: func() { signal(e.timer) }, Now: e.clock.Now, Jitter: e.o.Jitter,
	})
	e.notifier = notify.New(notify.Options{Submit: e.putOwn, Now: e.clock.Now, After: e.clock.After, Log: o.Log,
		Warn: e.o.Warn})
	e.queue.Do(func(l *queue.Locked) { e.configure(l, o.Config) })
	return e
}

// Reconfigure takes a new configuration. Sessions of the old one end after what they
// have under way, and everything that was held or paused is tried again at once.
func (e *Engine) Reconfigure(c Config) {
	e.queue.Do(func(l *queue.Locked) {
		e.configure(l, c)
		e.couriers.renew(l)
		e.holdWithoutAccount(l)
		l.Renew()
	})
	signal(e.chore)
	signal(e.scanner.wake)
}

// RetryFloor is the configuration's.
func (e *Engine) RetryFloor() time.Duration { return e.config().RetryFloor }

// holdWithoutAccount shuts everything when there is no account, and opens it when one
// has come.
func (e *Engine) holdWithoutAccount(l *queue.Locked) {
	c := e.config()
	if a := c.Account; a != nil {
		if s := a.noted(a.Mailbox); s.Next.After(e.clock.Now()) {
			l.Restore([]queue.Stop{s}, time.Time{}) // it is in force, and another may be over
		}
		l.HoldAll(nil)
		return
	}
	f := queue.Fault{Scope: queue.ScopeAll, Hold: true, Early: true, Key: queue.KeyNoAccount,
		Reason: "the configuration can't be used"}
	if c.Fault != nil {
		f.Reason, f.Remedy = c.Fault.Error(), adviceOf(c.Fault)
	}
	f.Remedy = cmp.Or(f.Remedy, "correct the configuration file, then run systemctl reload o365-sendmail")
	l.HoldAll(&f)
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
	helpers.Go(func() { e.scanner.scan(soft) })
	helpers.Go(func() { e.chores(soft) })
	helpers.Go(func() { e.notifier.Run(soft) })
	e.keepTime(soft)
	stop()
	e.end(cancel)
	helpers.Wait()
	e.finish(false)
	return nil
}

var errRunning = errors.New("the engine is running already")

func (e *Engine) begin(hard context.Context, single bool) (err error) {
	s := e.stateFile.read()
	e.queue.Do(func(l *queue.Locked) {
		if !l.Open(single) {
			err = errRunning
			return
		}
		e.notifier.Remember(s.Alerts)
		l.Restore(s.Stops, s.Asked)
		e.couriers.begin(l, hard)
		e.holdWithoutAccount(l)
		e.beginOnce.Do(func() { close(e.begun) })
	})
	return err
}

// Begun is closed when the engine runs: before, a message whose caller waits only goes to the queue.
func (e *Engine) Begun() <-chan struct{} { return e.begun }

// keepTime does what is due by the clock, until ctx ends.
func (e *Engine) keepTime(ctx context.Context) {
	for ctx.Err() == nil {
		var wait time.Duration
		e.queue.Do(func(l *queue.Locked) { wait = l.Tick() })
		e.wait(ctx, wait, e.timer)
	}
}

// end stops giving out work, waits for what is under way, and breaks off what takes too long.
func (e *Engine) end(cancel context.CancelFunc) {
	e.queue.Do(func(l *queue.Locked) {
		e.couriers.stopSeeking()
		l.StopAll()
	})
	gone := make(chan struct{})
	go func() {
		e.couriers.running.Wait()
		close(gone)
	}()
	tick, stop := e.clock.After(e.config().DrainTimeout)
	defer stop()
	select {
	case <-gone:
	case <-tick:
		cancel()
		<-gone
	}
	cancel()
}

// finish leaves the spool and the state file in order. all is set when each message was tried that could be.
func (e *Engine) finish(all bool) {
	e.recorder.catchUp()
	e.notifier.Look(e.State().Conditions, all)
	e.recorder.sync()
	e.queue.Do((*queue.Locked).Close)
	e.recorder.unlockAll()
	e.stateFile.save()
	e.o.History.Close()
	e.publishState()
}

// Wake says that the message is new in the spool.
func (e *Engine) Wake(id string) {
	if info, err := e.spool.Get(id); err == nil { // else it is gone already, or the next scan finds out what is wrong
		e.add(&info, false)
	}
}

// syncInterval is how long the removal of a delivered message may wait to be made durable.
const syncInterval = 300 * time.Millisecond

// chores does what takes a disk's time, until ctx ends.
func (e *Engine) chores(ctx context.Context) {
	const saveInterval = time.Minute
	last := e.clock.Now()
	e.minutely()
	for ctx.Err() == nil {
		if e.news.Swap(false) {
			e.look()
		}
		wait, early := saveInterval, e.chore
		if e.recorder.unsynced.Load() {
			wait, early = syncInterval, nil // the whole time, so that removals are synced together
		}
		if !e.wait(ctx, wait, early) {
			return
		}
		e.recorder.sync()
		if now := e.clock.Now(); now.Sub(last) >= saveInterval || now.Before(last) {
			last = now
			e.minutely()
		}
		e.stateFile.save()
	}
}

// minutely is what is done every minute.
func (e *Engine) minutely() {
	e.recorder.catchUp()
	e.queue.Do((*queue.Locked).Forget)
	e.o.History.Tick(e.clock.Now())
	e.look()
}
