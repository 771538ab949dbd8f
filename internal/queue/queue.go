package queue

import (
	"strings"
	"sync"
	"time"
)

// ID is a message's queue id. Of two, the older one is less.
type ID [2]uint64

func (id ID) less(o ID) bool { return id[0] < o[0] || id[0] == o[0] && id[1] < o[1] }

// Rules are what the configuration says about who goes next.
type Rules struct {
	// Open is set when there is an account; else nothing goes.
	Open bool
	// Mailbox signs in for messages that name none.
	Mailbox string
	// Pool are mailboxes that share its work (Locked.member).
	Pool []string
	// Connections is how many couriers a mailbox has at most.
	Connections int
	// PerDay is the account's rate of recipients, 0 for no limit. Shares divide it, and the messages a minute
	// (Job.Allow).
	PerDay int
	Shares Shares
	// Chosen reports whether the administrator chose a sender, Named whether by its whole address. Nil is for all.
	Chosen, Named func(sender string) bool
	// ProbeInterval lies between two probes of a fault of the configuration.
	ProbeInterval time.Duration
}

// Hooks are called with the lock held, so they must neither wait nor use the queue.
type Hooks struct {
	// Start starts a courier.
	Start func(*Locked, *Courier)
	// Return hands a submission back that no courier will take: the gate of cause has shut, or, if that is nil, the
	// queue is being closed.
	Return func(l *Locked, j *Job, cause *Fault)
	// Tell hears of gates that shut and open; may be nil.
	Tell func(Notice)
	// Timer is called when the time that Locked.Tick returned last is too late; may be nil.
	Timer func()
	// Now is the clock.
	Now func() time.Time
	// Jitter gives random numbers in [0,1).
	Jitter func() float64
}

// Queue is a queue and its lock.
type Queue struct {
	mu     sync.Mutex
	locked Locked
}

// Locked is a queue while its lock is held. It must not outlive the function that Queue.Do hands it to.
type Locked struct {
	now        time.Time // when it was locked
	hooks      Hooks
	rules      Rules
	generation int // of rules
	open       bool
	since      time.Time // when it was opened
	closing    bool
	single     bool // nothing is tried twice
	mailboxes  map[string]*Mailbox
	index      map[ID]*Entry
	waiting    waitHeap
	poolTurn   int // where the search of the pool begins
	all        Gate
	paused     time.Duration // for which a gate was shut, of those that are open again

	asked       time.Time   // when somebody last asked for probes
	senderTries []time.Time // of the last hour
	restored    []Stop      // of the last run, not in force again yet
}

// New makes an empty queue, which is closed.
func New(h Hooks) *Queue {
	if h.Tell == nil {
		h.Tell = func(Notice) {}
	}
	if h.Timer == nil {
		h.Timer = func() {}
	}
	q := &Queue{locked: Locked{hooks: h}}
	q.locked.clear()
	return q
}

// Do calls f while nobody else uses the queue.
func (q *Queue) Do(f func(*Locked)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.locked.now = q.locked.hooks.Now()
	f(&q.locked)
}

func (l *Locked) clear() {
	l.mailboxes, l.index, l.waiting = map[string]*Mailbox{}, map[ID]*Entry{}, nil
	l.all = Gate{scope: ScopeAll}
}

// Open empties the queue and lets couriers start. In a single run no message is tried twice. It returns false if the
// queue is open already.
func (l *Locked) Open(single bool) bool {
	if l.open {
		return false
	}
	l.clear()
	l.open, l.since, l.closing, l.single = true, l.now, false, single
	return true
}

// StopAll begins the end: couriers get nothing more, and submissions are handed back.
func (l *Locked) StopAll() {
	l.closing = true
	for _, m := range l.mailboxes {
		m.wakeIdle()
		l.returnSubmissions(&m.gate)
	}
}

// Close says that the last courier is gone.
func (l *Locked) Close() { l.open = false }

// SetRules takes new rules. Couriers of the old ones get no more messages.
func (l *Locked) SetRules(r Rules) {
	l.rules = r
	l.generation++
}

// Renew has everything that is paused or held tried at once, by new couriers.
func (l *Locked) Renew() {
	l.restore()
	l.probeSoon()
	for _, m := range l.mailboxes {
		m.wakeIdle()
	}
	l.dispatchAll()
	l.hooks.Timer()
}

// mailbox returns a mailbox that signs in; "" is the configured one, whichever that is.
func (l *Locked) mailbox(name string) *Mailbox {
	if l.rules.Open && strings.EqualFold(name, l.rules.Mailbox) {
		name = ""
	}
	k := strings.ToLower(name)
	m := l.mailboxes[k]
	if m == nil {
		m = newMailbox(l, name)
		l.mailboxes[k] = m
	}
	return m
}

// maxSleep bounds the time after which a clock that was set is noticed.
const maxSleep = time.Minute

// Tick does what is due and returns how long nothing else is.
func (l *Locked) Tick() time.Duration {
	if !l.single {
		l.promote()
	}
	for _, m := range l.mailboxes {
		m.endPauses()
	}
	l.dispatchAll()
	return l.untilNext()
}

func (l *Locked) untilNext() time.Duration {
	wait := maxSleep
	at := func(t time.Time) {
		if d := t.Sub(l.now); d > 0 {
			wait = min(wait, d)
		}
	}
	if l.waiting.Len() > 0 {
		at(time.Unix(l.waiting[0].next, 0))
	}
	for g := range l.gates {
		if g.shut && !g.probing {
			at(g.next)
		}
	}
	for _, m := range l.mailboxes {
		for _, p := range m.pace {
			at(p.until)
		}
		for _, p := range m.persons {
			at(p.pace)
		}
		at(m.noSlot)
		for _, r := range m.rows {
			at(r.until)
		}
	}
	return max(wait, time.Millisecond)
}

// Forget drops what is known of people and senders who have not been seen for long.
func (l *Locked) Forget() {
	for _, m := range l.mailboxes {
		m.forgetPersons()
		for sender, g := range m.senders {
			if !g.shut && l.now.Sub(g.lastOK) > memory {
				delete(m.senders, sender)
			}
		}
		for author, g := range m.authors {
			if !g.shut || g.final && g.due(l.now) {
				delete(m.authors, author)
			}
		}
	}
}

// memory is for how long what a sender or a user has met is remembered.
const memory = 24 * time.Hour

// after is t.After(now), but no time of a clock that was set back holds things up.
func after(t, now time.Time) bool { return t.After(now) && !t.After(now.Add(maxStop)) }
