package notify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/submit"
)

// targets returns who gets a report on a message; none for a message with a null origin.
func (c *Config) targets(origin string) []string {
	if origin == "" {
		return nil
	}
	for _, addr := range [...]string{origin, c.BounceTo, c.RootTo} {
		if to := c.resolve(addr); len(to) > 0 {
			return to
		}
	}
	return nil
}

func (c *Config) resolve(addr string) []string {
	if addr == "" {
		return nil
	}
	to := []string{addr}
	if c.Resolve != nil {
		var err error
		if to, err = c.Resolve(addr); err != nil {
			return nil
		}
	}
	if slices.ContainsFunc(to, func(a string) bool { return !routable(a) }) {
		return nil
	}
	return to
}

// routable reports whether an address can get mail from elsewhere, by its look.
func routable(addr string) bool {
	at := strings.LastIndexByte(addr, '@')
	if at <= 0 {
		return false
	}
	domain := strings.ToLower(strings.TrimSuffix(addr[at+1:], "."))
	dot := strings.LastIndexByte(domain, '.')
	if dot <= 0 {
		return strings.HasPrefix(domain, "[") && len(domain) > 2
	}
	switch domain[dot+1:] {
	case "local", "localdomain", "localhost", "lan", "internal", "invalid", "home", "":
		return false
	}
	return true
}

// Reaches reports whether anybody can be told about the fate of a message with that origin.
func (n *Notifier) Reaches(origin string) bool {
	return len(n.config.Load().targets(origin)) > 0
}

// Fate is what became of one recipient: the error, or, if it is nil, the reply and its enhanced status code.
type Fate struct {
	To            envelope.Recipient
	Err           error
	Status, Reply string
}

// wanted are what a recipient's NOTIFY has to name for each action (RFC 3461 4.1).
func wanted() map[Action]envelope.Notify {
	return map[Action]envelope.Notify{
		Failed: envelope.NotifyFailure, Delayed: envelope.NotifyDelay, Relayed: envelope.NotifySuccess,
	}
}

// tells reports whether a report of the action is wanted: of failures and delays also where nothing is said.
func (f *Fate) tells(a Action) bool {
	return f.To.Notify&wanted()[a] != 0 || f.To.Notify == 0 && a != Relayed
}

// Report queues a report on the fates of a message's recipients, if anybody wants it and can be told. It fills in
// r.Recipients and who sends and gets it; the caller says the rest. An error means that no report is kept.
func (n *Notifier) Report(r *Report, fates []Fate) error {
	for i := range fates {
		if f := &fates[i]; f.tells(r.Action) {
			r.Recipients = append(r.Recipients, f.Explain())
		}
	}
	c := n.config.Load()
	r.From, r.Relay, r.Host, r.To = c.From, c.Relay, c.Host, c.targets(r.Envelope.Origin)
	if len(r.Recipients) == 0 || len(r.To) == 0 {
		return nil
	}
	env, msg, err := Build(r)
	if err == nil {
		err = n.o.Submit(OriginReport, env, msg, r.QueueID)
	}
	if err != nil {
		return fmt.Errorf("the report on message %s can't be kept: %w", r.QueueID, err)
	}
	if r.Action == Failed {
		n.bounces.Add(1)
	}
	return nil
}

// ExpiredError says that a message was given up.
type ExpiredError struct {
	Age time.Duration
	Err error
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("given up after %s: %v", roughly(e.Age), e.Err)
}

func (e *ExpiredError) Unwrap() error { return e.Err }

// Explain says in a report what became of a recipient, and why.
func (f *Fate) Explain() Recipient {
	told := Recipient{Address: f.To.Address, ORcpt: f.To.ORcpt}
	var e *submit.Error
	switch {
	case f.Err == nil:
		told.Status, told.Reply = f.Status, f.Reply
		return told
	case !errors.As(f.Err, &e):
		told.Reason = f.Err.Error()
		return told
	}
	told.Status, told.Reason, told.Remedy = e.Enhanced, e.Diagnosis.Cause, e.Advice()
	if e.Code != 0 {
		told.Reply = strings.TrimSpace(fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text))
	} else if told.Reason == "" {
		told.Reason = e.Error()
	}
	var old *ExpiredError
	if errors.As(f.Err, &old) {
		told.Reason = strings.TrimSuffix(fmt.Sprintf("it was tried for %s; %s", roughly(old.Age), told.Reason), "; ")
		told.Status = ""
		if told.Reply == "" {
			told.Status = "5.4.7"
		}
	}
	return told
}
