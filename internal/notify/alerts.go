package notify

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"o365-sendmail/internal/maillog"
)

// Condition is something that the administrator should know for as long as it lasts: mail that is held, or, if
// Ends is set, a credential that expires.
type Condition struct {
	// Name is what it is remembered by. Several with one name are one thing to fix.
	Name string
	// Key is the stable identifier of the fault, What the mail that waits or the credential, Reason one line
	// for people, Remedy what to do, "" if nothing.
	Key, What, Reason, Remedy string
	Since                     time.Time
	// Single is set when what waits is a message on its own, which may leave the queue in any way.
	Single bool
	// Ends is when the credential expires; Step, in the units of ExpiryWarning, falls as that comes near.
	Ends time.Time
	Step int
}

// Told remembers what was said about a condition, so that one that comes and goes is told of once a day and no
// more.
type Told struct {
	Told time.Time `json:"told"`           // when the last alert was given
	Open bool      `json:"open,omitempty"` // and no end was told of since
	Step int       `json:"step,omitempty"`

	last *Condition // as this process saw it; nil before
}

// RemindAfter is the time between two alerts of the same condition.
const RemindAfter = 24 * time.Hour

// due reports whether an alert of the condition has to be given.
func (t *Told) due(c *Condition, now time.Time) bool {
	if c.Step > 0 {
		return t.Step == 0 || c.Step < t.Step
	}
	return t.Told.IsZero() || t.Told.After(now) || now.Sub(t.Told) >= RemindAfter
}

// Memory returns what was told, by the conditions' names, for the next run.
func (n *Notifier) Memory() map[string]Told {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.memory)
}

// Remember takes what an earlier run has told.
func (n *Notifier) Remember(m map[string]Told) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.memory, m)
}

// Look alerts of what is new among the conditions in force, again of what lasts, and of the end of what is over. What
// can't be told is told in the next look. One look at a time.
func (n *Notifier) Look(in []Condition) {
	now, seen, memory := n.o.Now(), map[string]bool{}, n.Memory()
	for i := range in {
		if c := &in[i]; !seen[c.Name] {
			seen[c.Name] = true
			memory[c.Name] = n.raise(c, memory[c.Name], now)
		}
	}
	for name, t := range memory {
		switch {
		case seen[name]:
		case t.Open && t.last != nil && t.last.Step == 0:
			if n.alert(t.last.ended(now)) {
				memory[name] = Told{Told: t.Told}
			}
		case (!t.Open || t.Step > 0) && now.Sub(t.Told) > RemindAfter:
			delete(memory, name)
		}
	}
	n.mu.Lock()
	n.memory = memory
	n.mu.Unlock()
}

// raise alerts of a condition in force if that is due, and returns what was told.
func (n *Notifier) raise(c *Condition, t Told, now time.Time) Told {
	t.last = c
	if !t.due(c, now) || !n.alert(c.raised(!t.Told.IsZero(), n.config.Load().ProbeInterval, now)) {
		return t
	}
	if c.Step > 0 {
		n.o.Log.Log(maillog.Warning, "", "", c.expiry(now))
	} else {
		n.alerts.Add(1)
	}
	t.Told, t.Open, t.Step = now, true, c.Step
	return t
}

// alert queues a mail to the administrator and reports whether that is done with, for ever or because there is
// nobody to tell.
func (n *Notifier) alert(subject, body string) bool {
	c := n.config.Load()
	to := c.resolve(c.AlertTo)
	if len(to) == 0 {
		return true // the log has it
	}
	if c.From == "" { // there is no account yet
		return false
	}
	env, msg, err := notice(c, to, n.o.Now(), subject, body)
	if err == nil {
		err = n.o.Submit(OriginAlert, env, msg, "")
	}
	if err != nil {
		n.o.Warn(fmt.Errorf("a notice can't be kept, it is tried again: %w", err))
	}
	return err == nil
}

// raised returns the subject and the text of an alert.
func (c *Condition) raised(again bool, probe time.Duration, now time.Time) (subject, body string) {
	if c.Step > 0 {
		return capital(c.What) + " expires " + c.within(now), capital(c.expiry(now)) +
			".\nAfter that no mail can be sent.\n\n" +
			"What to do: for a certificate, run sudo o365-sendmail credential new-certificate; for a secret, create\n" +
			"a new one in Entra (App registrations, Certificates & secrets) and run sudo o365-sendmail credential\n" +
			"set-secret. The new one is tested before anything changes.\n"
	}
	subject, body = "Mail is held: ", "Mail can't be delivered, and an administrator has to act."
	if again {
		subject, body = "Mail is still held: ", "Mail still can't be delivered, and an administrator has to act."
	}
	body += "\n\nNothing is lost: the mail is kept, one message is tried every " + probe.String() +
		",\nand delivery resumes by itself when the fault is fixed.\n\n" +
		"What waits:  " + c.What + "\nSince:       " + c.Since.UTC().Format(time.RFC1123) +
		"\nWhy:         " + c.Reason + "\n"
	if c.Remedy != "" {
		body += "What to do:  " + c.Remedy + "\n"
	}
	return subject + c.Key, body + "\nTo look at it: o365-sendmail doctor, o365-sendmail queue list\n"
}

// ended returns the subject and the text of the news that mail is no longer held.
func (c *Condition) ended(now time.Time) (subject, body string) {
	if c.Single {
		return "Mail is no longer held: " + c.Key, "The message is no longer in the queue: " + c.What +
			"\n\nIt was held for " + Roughly(now.Sub(c.Since)) + " because:\n" + c.Reason + "\n"
	}
	return "Mail is delivered again: " + c.Key, "The fault is fixed, and " + c.What +
		" is delivered again.\n\nIt was held for " + Roughly(now.Sub(c.Since)) + " because:\n" + c.Reason + "\n"
}

func (c *Condition) expiry(now time.Time) string {
	return fmt.Sprintf("%s expires on %s, %s", c.What, c.Ends.UTC().Format("2006-01-02 15:04 MST"), c.within(now))
}

func (c *Condition) within(now time.Time) string {
	if left := c.Ends.Sub(now); left < 48*time.Hour {
		return "in " + Roughly(left)
	}
	return fmt.Sprintf("in %d days", DaysLeft(c.Ends, now))
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Roughly shows a time in its largest unit.
func Roughly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d minutes", max(d/time.Minute, 1))
}
