package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/schedule"
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
	Alerts   int // faults told of
	// Paused is the time for which anything was paused or held, of stops that are over.
	Paused time.Duration
}

// Stop is something that keeps mail from going.
type Stop struct {
	// Mailbox is the one that signs in, "" for all of them; Sender narrows it.
	Mailbox string `json:"mailbox,omitempty"`
	Sender  string `json:"sender,omitempty"`
	// Author narrows it to messages with that From address, which their caller chose; Outside to the
	// recipients outside the organization; UID to one local user.
	Author  string `json:"author,omitempty"`
	Outside bool   `json:"outside,omitempty"`
	UID     *int   `json:"uid,omitempty"`
	// Held is set when an administrator has to act; else it is a pause that ends by itself.
	Held bool `json:"held,omitempty"`
	// Key is a stable identifier, Reason one line for people, Remedy what to do, if anything.
	Key    string    `json:"key"`
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy,omitempty"`
	Since  time.Time `json:"since"`
	// Next is when the next message tries.
	Next     time.Time `json:"next"`
	Failures int       `json:"failures"`
}

// Covers reports whether the stop concerns a message with that sign-in mailbox (not "") and sender.
func (s *Stop) Covers(mailbox, sender string) bool {
	if s.Outside || s.Author != "" || s.UID != nil {
		return false // it is told with each message
	}
	return (s.Mailbox == "" || strings.EqualFold(s.Mailbox, mailbox)) && (s.Sender == "" || s.Sender == sender)
}

// Mailbox is the state of a mailbox that signs in.
type Mailbox struct {
	Name     string
	Sessions int
	Ready    int // messages that wait for their turn
	// LastMinute are messages, LastDay recipients that were sent, of all processes.
	LastMinute, LastDay int
	// PacedUntil is when the messages a minute are expected to allow users more; zero when they do now.
	PacedUntil time.Time
}

// State is a snapshot of an engine.
type State struct {
	Now, Started time.Time
	Running      bool
	// Ready, Waiting, Held and InFlight are messages of the queue.
	Ready, Waiting, Held, InFlight int
	// Interactive is how many submissions wait for a courier.
	Interactive int
	// Oldest is when the oldest message of the queue came; zero when it is empty.
	Oldest    time.Time
	Spool     spool.Stats
	Stops     []Stop
	Mailboxes []Mailbox
	Counters  Counters
	// TokenObtained and TokenExpires are of the cached token; zero when there is none.
	TokenObtained, TokenExpires time.Time
	Expiries                    []Expiry
	// Asked is what RunOnce did about stops, with Selection.Ask.
	Asked []string
}

// State returns what the engine is about.
func (e *Engine) State() State {
	e.mu.Lock()
	now := e.clock.Now()
	s := State{Now: now, Started: e.started, Running: e.running, Counters: e.counters, Expiries: slices.Clone(e.config.Expiries), Stops: e.stops()}
	var oldest spool.Key
	for id, en := range e.index {
		switch en.place {
		case placeReady:
			s.Ready++
		case placeWaiting:
			s.Waiting++
		case placeHeld:
			s.Held++
		case placeOut:
			s.InFlight++
		}
		if oldest == (spool.Key{}) || id.Compare(oldest) < 0 {
			oldest = id
		}
	}
	if oldest != (spool.Key{}) {
		s.Oldest = oldest.Time()
	}
	a := e.config.Account
	for _, b := range e.boxes {
		s.Interactive += b.express.len()
		m := Mailbox{Name: e.mailbox(b), Sessions: b.couriers - b.starting, Ready: b.ready}
		if p := b.pace[rankUser]; after(p.until, now) {
			m.PacedUntil = p.end
		}
		s.Mailboxes = append(s.Mailboxes, m)
	}
	e.gates(func(g *gate) {
		if g.shut {
			s.Counters.Paused += now.Sub(g.since)
		}
	})
	e.mu.Unlock()
	s.Counters.Alerts, s.Counters.Bounces = e.notifier.Counts()
	slices.SortFunc(s.Mailboxes, func(a, b Mailbox) int { return strings.Compare(a.Name, b.Name) })
	s.Spool, _ = e.spool.Stats()
	if a != nil {
		for i := range s.Mailboxes {
			m := &s.Mailboxes[i]
			m.LastMinute, m.LastDay = a.Quota.Usage(m.Name, now)
		}
		if t, _, ok := a.Cache.Peek(a.Key); ok {
			s.TokenObtained, s.TokenExpires = t.Obtained, t.Expiry
		}
	}
	return s
}

// stops lists the shut gates. The mutex is held.
func (e *Engine) stops() []Stop {
	var all []Stop
	e.gates(func(g *gate) {
		if !g.shut {
			return
		}
		s := Stop{Held: g.cause.hold, Key: g.cause.key, Reason: g.cause.reason, Remedy: g.cause.remedy,
			Since: g.since, Next: g.next, Failures: g.failures, Sender: g.sender, Outside: g.scope == scopeOutside}
		if g.scope == scopeAuthor {
			s.Sender, s.Author = "", g.sender
		}
		if g.box != nil {
			s.Mailbox = e.mailbox(g.box)
		}
		all = append(all, s)
	})
	for _, b := range e.boxes {
		for uid, r := range b.rows {
			if uid := max(uid, -1); r.slow { // other hosts have numbers of their own, which say nothing to people
				all = append(all, Stop{
					Mailbox: e.mailbox(b), UID: &uid, Key: keySlow, Since: r.since, Next: r.until, Failures: r.refused,
					Reason: fmt.Sprintf("%d messages of user %d in a row met a refused recipient or sender, "+
						"the last: %s",
						r.refused, uid, r.reason),
				})
			}
		}
	}
	order := func(s *Stop) string { return s.Mailbox + "|" + s.Sender + "|" + s.Author + "|" + s.Reason }
	slices.SortFunc(all, func(a, b Stop) int { return strings.Compare(order(&a), order(&b)) })
	return all
}

func (e *Engine) publishState() {
	if e.o.Publish != nil {
		e.o.Publish(e.State())
	}
}

// StateFile is what the state file holds, for other processes and the next start.
type StateFile struct {
	Version int       `json:"version"`
	Written time.Time `json:"written"`
	PID     int       `json:"pid"`
	// Stops are the reasons why mail waits now.
	Stops []Stop `json:"stops,omitempty"`
	// Asked is when a person last asked for probes.
	Asked time.Time `json:"asked,omitzero"`
	// Alerts is what people were told, by the conditions' names.
	Alerts map[string]notify.Told `json:"alerts,omitempty"`
}

const stateVersion = 1

// ReadState reads the state file of a running or former engine. A file that is missing
// or damaged gives an empty state and the error.
func ReadState(path string) (StateFile, error) {
	var s StateFile
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	if err := dec.Decode(&s); err != nil {
		return StateFile{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.Version != stateVersion {
		return StateFile{}, fmt.Errorf("%s: unknown version %d", path, s.Version)
	}
	return s, nil
}

func (e *Engine) loadState() {
	if e.o.StateFile == "" {
		return
	}
	s, err := ReadState(e.o.StateFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			e.o.Warn(fmt.Errorf("what was alerted about is not known: %w", err))
		}
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notifier.Remember(s.Alerts)
	e.restored, e.asked = s.Stops, s.Asked
}

// restore puts the stops of the last run in force again whose probes the server counts: a program that is
// started often must not probe more often. The mutex is held.
func (e *Engine) restore(now time.Time) {
	if e.config.Account == nil {
		return
	}
	if noted := e.config.Account.noted(e.config.Account.Mailbox); noted.Next.After(now) {
		e.restored = append([]Stop{noted}, e.restored...) // it is in force, and the other may be over
	}
	for i := range e.restored {
		s := &e.restored[i]
		b := e.box(s.Mailbox)
		g := &b.gate
		switch {
		case s.Mailbox == "" || s.UID != nil:
			continue
		case s.Outside:
			g = &b.outside
		case s.Author != "":
			g = b.authorGate(s.Author)
		case s.Sender != "":
			g = b.senderGate(s.Sender)
		}
		cause := stop{scope: g.scope, hold: s.Held, key: s.Key, reason: s.Reason, remedy: s.Remedy}
		if !cause.counted() || g.shut || s.Next.After(now.Add(maxStop)) {
			continue
		}
		g.shut, g.cause, g.since, g.next, g.failures, g.several = true, cause, s.Since, s.Next, s.Failures, true
		_, more := schedule.AuthorPause(s.Failures)
		g.final = g.scope == scopeAuthor && !more
		if g.scope == scopeSender {
			e.shutLanes(g)
		}
	}
	e.restored = nil
}

// saveState writes the state file when it has changed. It is no loss if it is lost.
func (e *Engine) saveState() {
	if e.o.StateFile == "" {
		return
	}
	e.mu.Lock()
	s := StateFile{
		Version: stateVersion, PID: os.Getpid(), Stops: e.stops(), Asked: e.asked, Alerts: e.notifier.Memory(),
	}
	b, err := json.MarshalIndent(s, "", "\t")
	same := bytes.Equal(b, e.saved)
	e.mu.Unlock()
	if err != nil || same {
		return
	}
	saved := b
	s.Written = e.clock.Now().UTC()
	e.mu.Lock()
	b, err = json.MarshalIndent(s, "", "\t")
	e.mu.Unlock()
	if err == nil {
		err = durable.ReplaceNoSync(e.o.StateFile, append(b, '\n'), 0o600)
	}
	if err != nil {
		e.o.Warn(fmt.Errorf("the state file can't be written: %w", err))
	}
	e.mu.Lock()
	e.saved = saved
	e.mu.Unlock()
}
