package deliver

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/bounce"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/schedule"
)

// notice is something to tell the administrator.
type notice struct {
	subject, body string
}

// alertState remembers what was said about a fault, so that one that comes and goes is
// told of once a day and no more.
type alertState struct {
	Told time.Time `json:"told"`           // when the last alert was given
	Open bool      `json:"open,omitempty"` // and no recovery was told of since
	Key  string    `json:"key"`
}

// remindAfter is the time between two alerts of the same fault.
const remindAfter = 24 * time.Hour

// subjectOf says what a fault stops, in words.
func (e *Engine) subjectOf(sc scope, b *box, sender string) string {
	switch sc {
	case scopeApp:
		return "all mail"
	case scopeBox:
		return "mail of " + e.mailbox(b)
	}
	if sc == scopeOutside {
		return "mail of " + e.mailbox(b) + " to recipients outside the organization"
	}
	return fmt.Sprintf("mail from <%s>, signed in as %s", sender, e.mailbox(b))
}

// alertName is what an alert is remembered by. Senders share theirs: a thousand of them
// with the same fault are one thing to mend.
func alertName(sc scope, b *box, key string) string {
	name := fmt.Sprint(sc)
	if b != nil {
		name += "|" + strings.ToLower(b.name)
	}
	return name + "|" + key
}

// noteShut tells of a fault: in the log when it is new, by mail when an administrator has to act.
func (e *Engine) noteShut(g *gate, changed bool, now time.Time) {
	what := e.subjectOf(g.scope, g.box, g.sender)
	if changed {
		status, p := "paused", maillog.Warning
		if g.cause.hold {
			status, p = "held", maillog.Alert
		}
		e.log.Log(p, "", "status", status, "what", what, "next", g.next.UTC().Format(time.RFC3339), "", g.cause.reason)
	}
	if g.cause.hold {
		e.alert(alertName(g.scope, g.box, g.cause.key), what, &g.cause, g.since, now)
	}
}

// noteOwn tells of a configuration fault that stops one message only.
func (e *Engine) noteOwn(j *job, s *stop, now time.Time) {
	if !s.hold {
		return
	}
	what := e.subjectOf(scopeMessage, j.box, j.env.Sender)
	e.alert(alertName(scopeSender, j.box, s.key), what, s, now, now)
}

// alert queues a mail about a fault, once, and again a day later.
func (e *Engine) alert(name, what string, s *stop, since, now time.Time) {
	a := e.alerts[name]
	if a == nil {
		a = &alertState{Key: s.key}
		e.alerts[name] = a
	}
	if !a.Told.IsZero() && now.Sub(a.Told) < remindAfter && !a.Told.After(now) {
		return
	}
	subject, intro := "Mail is held: "+s.key, "Mail can't be delivered, and an administrator has to act."
	if !a.Told.IsZero() {
		subject, intro = "Mail is still held: "+s.key, "Mail still can't be delivered, and an administrator has to act."
	}
	a.Told, a.Open = now, true
	e.counters.Alerts++
	body := intro + "\n\nNothing is lost: the mail is kept, one message is tried every " + e.config.ProbeInterval.String() +
		",\nand delivery resumes by itself when the fault is fixed.\n\n" +
		"What waits:  " + what + "\nSince:       " + since.UTC().Format(time.RFC1123) + "\nWhy:         " + s.reason + "\n"
	if s.remedy != "" {
		body += "What to do:  " + s.remedy + "\n"
	}
	body += "\nTo look at it: o365-sendmail doctor, o365-sendmail queue list\n"
	e.notices = append(e.notices, notice{subject, body})
	poke(e.chore)
}

// noteOpen tells that a fault is over, by mail if there was one about it.
func (e *Engine) noteOpen(g *gate, now time.Time) {
	what := e.subjectOf(g.scope, g.box, g.sender)
	e.log.Log(maillog.Notice, "", "status", "resumed", "what", what, "after", now.Sub(g.since), "", "it was: "+g.cause.key)
	e.counters.Paused += now.Sub(g.since)
	if !g.cause.hold {
		return
	}
	a := e.alerts[alertName(g.scope, g.box, g.cause.key)]
	if a == nil || !a.Open || g.scope == scopeSender && g.box.held(g) {
		return
	}
	a.Open = false
	e.notices = append(e.notices, notice{"Mail is delivered again: " + g.cause.key,
		"The fault is fixed, and " + what + " is delivered again.\n\nIt was held for " + roughly(now.Sub(g.since)) +
			" because:\n" + g.cause.reason + "\n"})
	poke(e.chore)
}

// held reports whether another sender is held by the same fault.
func (b *box) held(g *gate) bool {
	for _, o := range b.senders {
		if o != g && o.shut && o.cause.key == g.cause.key {
			return true
		}
	}
	return false
}

// remind repeats the alerts of faults that last.
func (e *Engine) remind(now time.Time) {
	e.gates(func(g *gate) {
		if g.shut && g.cause.hold {
			e.alert(alertName(g.scope, g.box, g.cause.key), e.subjectOf(g.scope, g.box, g.sender), &g.cause, g.since, now)
		}
	})
	for name, a := range e.alerts {
		if !a.Open && now.Sub(a.Told) > remindAfter {
			delete(e.alerts, name)
		}
	}
}

// warnExpiry tells of secrets and certificates that end soon.
func (e *Engine) warnExpiry(now time.Time) {
	for _, x := range e.config.Expiries {
		name := x.What + "|" + x.Ends.UTC().Format(time.RFC3339)
		days, due := schedule.ExpiryWarning(x.Begins, x.Ends, now, e.told[name])
		if !due {
			continue
		}
		e.told[name] = days
		within := fmt.Sprintf("in %d days", schedule.DaysLeft(x.Ends, now))
		if x.Ends.Sub(now) < 48*time.Hour {
			within = "in " + roughly(x.Ends.Sub(now))
		}
		text := fmt.Sprintf("%s expires on %s, %s", x.What, x.Ends.UTC().Format("2006-01-02 15:04 MST"), within)
		e.log.Log(maillog.Warning, "", "", text)
		e.notices = append(e.notices, notice{capital(x.What) + " expires " + within,
			capital(text) + ".\nAfter that no mail can be sent.\n\n" +
				"What to do: create a new one in Entra (App registrations, Certificates & secrets), put it into\n" +
				"the configuration beside the old one, and run: systemctl reload o365-sendmail\n"})
		poke(e.chore)
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// maxNotices bounds what waits while it can't be written.
const maxNotices = 20

// sendNotices puts the notices into the queue.
func (e *Engine) sendNotices() {
	e.mu.Lock()
	notices := e.notices
	e.notices = nil
	r := e.config.Reports
	from := ""
	if e.config.Account != nil {
		from = e.config.Account.Mailbox
	}
	e.mu.Unlock()
	if len(notices) == 0 {
		return
	}
	to := r.resolve(r.AlertTo)
	if len(to) == 0 {
		return // the log has it
	}
	if from == "" { // there is no account yet
		e.putBack(notices)
		return
	}
	for i, n := range notices {
		env, msg, err := (&bounce.Notice{From: from, To: to, Host: r.Host, Now: e.clock.Now(),
			Subject: n.subject + " (" + r.Host + ")", Body: n.body}).Write()
		if err == nil {
			err = e.putOwn(originNotice, env, msg, "")
		}
		if err != nil {
			e.o.Warn(fmt.Errorf("a notice can't be kept, it is tried again: %w", err))
			e.putBack(notices[i:])
			return
		}
	}
}

func (e *Engine) putBack(notices []notice) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notices = append(slices.Clone(notices), e.notices...)
	if len(e.notices) > maxNotices {
		e.notices = e.notices[len(e.notices)-maxNotices:]
	}
}
