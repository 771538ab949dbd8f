package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/bounce"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/schedule"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/submit"
)

// Reports says who gets what this program writes itself.
type Reports struct {
	// Host is this host's name in the reports.
	Host string
	// AlertTo gets notices of faults; "" for nobody. BounceTo and then RootTo get the
	// reports whose sender can't get mail.
	AlertTo, BounceTo, RootTo string
	// Resolve returns the addresses that mail for addr goes to: a local name's by the
	// aliases, else addr itself. nil means addr itself.
	Resolve func(addr string) ([]string, error)
}

// targets returns who gets a report on a message; none for a message with a null origin.
func (r *Reports) targets(origin string) []string {
	if origin == "" {
		return nil
	}
	for _, addr := range [...]string{origin, r.BounceTo, r.RootTo} {
		if to := r.resolve(addr); len(to) > 0 {
			return to
		}
	}
	return nil
}

func (r *Reports) resolve(addr string) []string {
	if addr == "" {
		return nil
	}
	to := []string{addr}
	if r.Resolve != nil {
		var err error
		if to, err = r.Resolve(addr); err != nil {
			return nil
		}
	}
	for _, a := range to {
		if !routable(a) {
			return nil
		}
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

func (e *Engine) reports() Reports {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config.Reports
}

// reportable reports whether anybody can be told of the message's fate.
func (e *Engine) reportable(it *spool.Item) bool {
	r := e.reports()
	return len(r.targets(it.Envelope().Origin)) > 0
}

// reportFailures bounces the recipients that were refused. An error means that no report
// could be kept, and so the refusal must not be final yet.
func (e *Engine) reportFailures(j *job, failed []failure, now time.Time) error {
	var told []bounce.Recipient
	for _, f := range failed {
		if n := f.recipient.Notify; n == 0 || n&envelope.NotifyFailure != 0 {
			told = append(told, explain(f.recipient, f.err))
		}
	}
	return e.report(j, bounce.Failed, told, now, time.Time{})
}

// reportSuccess sends the reports that senders ask for when the relay sends none.
func (e *Engine) reportSuccess(j *job, v *Outcome, s session, now time.Time) {
	if s.dsn {
		return
	}
	var told []bounce.Recipient
	for k, f := range v.fate {
		if r := j.env.Recipients[k]; f == fateTaken && r.Notify&envelope.NotifySuccess != 0 {
			told = append(told, bounce.Recipient{Address: r.Address, ORcpt: r.ORcpt, Status: v.enhanced, Reply: v.reply})
		}
	}
	if err := e.report(j, bounce.Relayed, told, now, time.Time{}); err != nil {
		e.o.Warn(err)
	}
}

// warnDelay tells the sender once that the message is late.
func (e *Engine) warnDelay(j *job, v *Outcome, now time.Time) {
	e.mu.Lock()
	after, lifetime := e.config.DelayWarning, e.config.Lifetime
	e.mu.Unlock()
	st, arrived := j.item.Status(), j.item.Meta().Arrived
	if !schedule.DelayWarningDue(st.Attempts, arrived, now, after, st.Warned) {
		return
	}
	var told []bounce.Recipient
	for k, f := range v.fate {
		if r := j.env.Recipients[k]; f == fateLater && (r.Notify == 0 || r.Notify&envelope.NotifyDelay != 0) {
			told = append(told, explain(r, v.errs[k]))
		}
	}
	var until time.Time
	if lifetime > 0 {
		until = arrived.Add(lifetime)
	}
	err := e.report(j, bounce.Delayed, told, now, until)
	if err == nil {
		err = j.item.SetWarned()
	}
	if err != nil {
		e.o.Warn(err)
	}
}

// report puts a report into the queue, if there is anything to tell and anybody to be told.
func (e *Engine) report(j *job, action bounce.Action, told []bounce.Recipient, now, until time.Time) error {
	if len(told) == 0 {
		return nil
	}
	it := j.item
	r := e.reports()
	to := r.targets(it.Envelope().Origin)
	if len(to) == 0 {
		return nil
	}
	e.mu.Lock()
	from, relay := "", ""
	if a := e.config.Account; a != nil {
		from, relay = a.Mailbox, a.Submit.Host
	}
	e.mu.Unlock()
	env, msg, err := bounce.Build(&bounce.Report{
		Action: action, From: from, To: to, Host: r.Host, Relay: relay, QueueID: it.ID(),
		Arrived: it.Meta().Arrived, Now: now, Until: until, Recipients: told,
		Envelope: it.Envelope(), Message: it.Message(),
	})
	if err == nil {
		err = e.putOwn(originReport, env, msg, it.ID())
	}
	if err != nil {
		return fmt.Errorf("the report on message %s can't be kept: %w", it.ID(), err)
	}
	if action == bounce.Failed {
		e.mu.Lock()
		e.counters.Bounces++
		e.mu.Unlock()
	}
	return nil
}

// The origins of messages of this program.
const (
	originReport = "report"
	originNotice = "notice"
)

// putOwn puts a message of this program into the queue.
func (e *Engine) putOwn(origin string, env *envelope.Envelope, msg envelope.Message, about string) error {
	env.Caller = envelope.Caller{UID: -1, User: origin}
	id, err := e.spool.Put(context.Background(), spool.Meta{UID: -1, Origin: origin, Internal: true}, env, msg)
	if err != nil {
		return err
	}
	if about != "" {
		e.log.Log(maillog.Info, about, "", "sender notification: "+id)
	}
	env.ID = id
	logArrival(e.log, env, msg.Size(), len(env.Recipients))
	e.logQueued(e.log, id)
	e.Wake(id)
	return nil
}

// explain says in a report why a recipient did not get the message.
func explain(r envelope.Recipient, err error) bounce.Recipient {
	told := bounce.Recipient{Address: r.Address, ORcpt: r.ORcpt}
	var e *submit.Error
	if !errors.As(err, &e) {
		told.Reason = err.Error()
		return told
	}
	told.Status, told.Reason, told.Remedy = e.Enhanced, e.Diagnosis.Cause, e.Advice()
	if e.Code != 0 {
		told.Reply = strings.TrimSpace(fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text))
	} else if told.Reason == "" {
		told.Reason = e.Error()
	}
	var old *expiredError
	if errors.As(err, &old) {
		told.Reason = strings.TrimSuffix(fmt.Sprintf("it was tried for %s; %s", roughly(old.age), told.Reason), "; ")
		told.Status = ""
		if told.Reply == "" {
			told.Status = "5.4.7"
		}
	}
	return told
}
