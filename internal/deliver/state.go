package deliver

import (
	"slices"
	"time"

	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

// Counters count since the engine's start.
type Counters struct {
	Queued   int // messages that came into the queue
	Sent     int // recipients
	Deferred int // tries of a recipient that failed for now
	Bounced  int // recipients that were refused for good, of messages in the queue
	Refused  int // recipients of which the caller was told, while it waited, that nothing is kept
	Expired  int // recipients that were given up
	Bounces  int // reports written
	Failed   int // messages moved to failed/
	Damaged  int // files that were no whole message
	Faults   int // faults of this program
	Alerts   int // given for faults
	// Delays and Sizes are of what the server took.
	Delays Delays
	Sizes  Sizes
	// Paused is the time for which anything was paused or held, of stops that are over.
	Paused time.Duration
}

// State is a snapshot of an engine.
type State struct {
	Now time.Time
	queue.Report
	// Oldest is when the oldest message of the queue came; zero when it is empty.
	Oldest   time.Time
	Spool    spool.Stats
	Counters Counters
	// PerDay is how many recipients a day a mailbox may send to; 0 for no bound.
	PerDay int
	// TokenObtained and TokenExpires are of the cached token; zero when there is none.
	TokenObtained, TokenExpires time.Time
	Expiries                    []Expiry
	// Conditions are what the administrator gets alerts about.
	Conditions []notify.Condition
	// Asked is what RunOnce did about stops, with Selection.Ask.
	Asked []string
}

// State returns what the engine is about.
func (e *Engine) State() State {
	c, now := e.config(), e.clock.Now()
	s := State{Now: now, Counters: e.counters.read(), Expiries: slices.Clone(c.Expiries)}
	var shut []queue.Notice
	e.queue.Do(func(l *queue.Locked) { s.Report, shut = l.Report(), l.Shut() })
	if s.First != (queue.ID{}) {
		s.Oldest = spool.Key(s.First).Time()
	}
	s.Counters.Paused = s.Paused
	s.Counters.Alerts, s.Counters.Bounces = e.notifier.Counts()
	s.Spool, _ = e.spool.Stats()
	if a := c.Account; a != nil {
		s.PerDay = a.Limits.RecipientsPerDay
		for i := range s.Mailboxes {
			m := &s.Mailboxes[i]
			m.LastMinute, m.LastDay = a.limiter().Usage(m.Name, now)
		}
		if t, _, ok := a.Cache.Peek(a.Key); ok {
			s.TokenObtained, s.TokenExpires = t.Obtained, t.Expiry
		}
	}
	s.Conditions = append(mailConditions(&s, shut), hostConditions(&s, e.spool.Full(s.Spool), c.QueueAge)...)
	return s
}

func (e *Engine) publishState() {
	if e.o.Publish != nil {
		e.o.Publish(e.State())
	}
}
