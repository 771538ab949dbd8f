package notify

import (
	"maps"
	"time"

	"o365-sendmail/internal/maillog"
)

// Kind is what a condition is about.
type Kind string

// The kinds of conditions.
const (
	Held      Kind = "held"       // mail waits until an administrator acts
	Paused    Kind = "paused"     // mail waits for long, and goes on by itself
	SpoolFull Kind = "spool-full" // no mail is accepted
	QueueOld  Kind = "queue-old"  // a message waits for longer than the administrator wants
	Expiry    Kind = "expiry"     // a credential expires
)

// Condition is something that the administrator should know for as long as it lasts.
type Condition struct {
	// Name is what it is remembered by. Several with one name are one thing to fix.
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Key is the stable identifier of the fault, What the mail that waits or the credential.
	Key  string `json:"key,omitempty"`
	What string `json:"what,omitempty"`
	// Cause says why in words of this program, Reason in one line that may quote a server, Remedy what to do; any
	// may be "".
	Cause  string    `json:"-"`
	Reason string    `json:"-"`
	Remedy string    `json:"-"`
	Since  time.Time `json:"since,omitzero"`
	// Single is set when what waits is a message on its own, which may leave the queue in any way.
	Single bool `json:"single,omitempty"`
	// Ends is when the credential expires; Step, in the units of ExpiryWarning, falls as that comes near
	// and is 0 after it.
	Ends time.Time `json:"ends,omitzero"`
	Step int       `json:"step,omitempty"`
}

// Critical reports whether no mail gets through that the condition concerns.
func (c *Condition) Critical() bool { return c.Kind == Held || c.Kind == SpoolFull }

// Told remembers what was said about a condition, so that one that comes and goes is reported once a day and no
// more, and its end also after a restart.
type Told struct {
	Told time.Time `json:"told"`           // when the last alert was given
	Open bool      `json:"open,omitempty"` // and its end was not reported since
	Was  Condition `json:"was"`            // as it was last in force

	seen bool // in force in this run
}

// remindAfter is the time between two alerts of the same condition.
const remindAfter = 24 * time.Hour

// due reports whether an alert of the condition has to be given.
func (t *Told) due(c *Condition, now time.Time) bool {
	if c.Kind == Expiry {
		return t.Told.IsZero() || c.Step < t.Was.Step
	}
	return t.Told.IsZero() || t.Told.After(now) || now.Sub(t.Told) >= remindAfter
}

// memory is what one way was told, by the conditions' names.
type memory map[string]Told

// walk tells by one way what is new among the conditions in force, again what lasts, and the end of what is over, and
// returns what is told now. What tell returns false for is told in the next walk. Whether a condition of an earlier
// run is over is known when settled is set.
func (m memory) walk(in []Condition, settled bool, now time.Time, tell func(*news) bool) memory {
	if m = maps.Clone(m); m == nil {
		m = memory{}
	}
	inForce := map[string]bool{}
	for i := range in {
		c := new(Condition)
		*c = in[i]
		t := m[c.Name]
		inForce[c.Name] = true
		if t.Open && t.Was.Since.Before(c.Since) {
			c.Since = t.Was.Since // from before a restart
		}
		if !t.due(c, now) {
			t.seen, t.Was = true, *c
		} else if tell(&news{c, began(!t.Told.IsZero()), now}) {
			t = Told{Told: now, Open: true, Was: *c, seen: true}
		}
		if !t.Told.IsZero() {
			m[c.Name] = t
		}
	}
	for name, t := range m {
		switch {
		case inForce[name]:
		case t.Open && (t.seen || settled):
			state := over
			if t.seen && !t.Was.Single {
				state = fixed
			}
			if tell(&news{&t.Was, state, now}) {
				t.Open = false
				m[name] = t
			}
		case !t.Open && now.Sub(t.Told) > remindAfter:
			delete(m, name)
		}
	}
	return m
}

// Memory is what each way was told, and when a webhook that failed is due, for the next run.
type Memory struct {
	Mail    map[string]Told `json:"mail,omitempty"`
	Webhook map[string]Told `json:"webhook,omitempty"`
	Retry   Retry           `json:"webhook_retry,omitzero"`
}

// Memory returns what was told.
func (n *Notifier) Memory() Memory {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Memory{n.mail, n.webhook, n.hook} // no map is changed in place
}

// Remember takes what an earlier run has told.
func (n *Notifier) Remember(m Memory) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mail, n.webhook, n.hook = m.Mail, m.Webhook, m.Retry
	n.hook.Failures = max(n.hook.Failures, 0)
	if most := n.o.Now().Add(longestPause); n.hook.Next.After(most) {
		n.hook.Next = most // the clock was set back
	}
}

// Look reports the conditions in force by the ways that work at once, and leaves the rest to Run or Post.
// settled is set when all that was in force in an earlier run would have shown by now. One look at a time.
func (n *Notifier) Look(all []Condition, settled bool) {
	in, known := make([]Condition, 0, len(all)), map[string]bool{}
	for _, c := range all {
		if !known[c.Name] {
			known[c.Name] = true
			in = append(in, c)
		}
	}
	now := n.o.Now()
	n.mu.Lock()
	mail := n.mail
	n.in, n.settled, n.looked = in, settled, now
	n.mu.Unlock()
	mail = memory(mail).walk(in, settled, now, n.alert)
	n.mu.Lock()
	n.mail = mail
	n.mu.Unlock()
	n.showStatus(in)
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// alert queues a mail to the administrator, logs what the log does not have yet, and reports whether that is done with,
// for ever or because there is nobody to tell.
func (n *Notifier) alert(m *news) bool {
	c := n.config.Load()
	if to := c.resolve(c.AlertTo); len(to) > 0 {
		if c.From == "" { // there is no account yet
			return false
		}
		env, msg, err := notice(c, to, m.now, m.title(), m.body(c.ProbeInterval))
		if err == nil {
			err = n.o.Submit(OriginAlert, env, msg, "")
		}
		if err != nil {
			n.complain("mail", "an alert can't be queued, it is tried again", err)
			return false
		}
	}
	n.complain("mail", "", nil)
	p := maillog.Notice
	if m.state == raised || m.state == still {
		n.alerts.Add(1)
		p = maillog.Warning
	}
	if m.Kind != Held && m.Kind != Paused {
		n.o.Log.Log(p, "", "", m.line())
	}
	return true
}
