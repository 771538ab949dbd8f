package queue

import (
	"slices"
	"time"
)

// Job is one try of one message: of an entry of the queue, or of a submission, whose caller waits.
type Job struct {
	ID     ID
	Sender string
	// Author is a sender address in the message that its caller chose, in lower case; read only when it matters.
	Author string
	// Charged is when the rates were charged; zero when they were not.
	Charged time.Time
	// Of is whatever a submission comes from.
	Of any

	mailbox *Mailbox
	by      *person
	entry   *Entry // nil for a submission
	probes  []*Gate
	retried bool // of a submission
}

// Queued reports whether the job is of an entry of the queue.
func (j *Job) Queued() bool { return j.entry != nil }

// User is who is charged for the job.
func (j *Job) User() int { return j.by.id }

// Forced reports whether somebody wants the message tried now, whatever its time.
func (j *Job) Forced() bool { return j.entry != nil && j.entry.forced }

// Release leaves the gates that the job was to probe to others.
func (j *Job) Release(*Locked) {
	endProbes(j.probes)
	j.probes = nil
}

// SecondTry reports whether the message may go at once again after a lost session. Each may once.
func (j *Job) SecondTry(l *Locked) bool {
	retried := &j.retried
	if j.entry != nil {
		retried = &j.entry.retried
	}
	may := !*retried
	*retried = true
	return may
}

// maxSubmissions is how many submissions may wait for a courier; more than that is a backlog, which the spool is for.
const maxSubmissions = 32

// crowded reports whether a person has as many submissions waiting as allowed: one is always allowed, and more than a
// quarter only while nobody else has any.
func (m *Mailbox) crowded(p *person) bool {
	n := len(m.submissions)
	return p.waiting > 0 && (n >= maxSubmissions || p.waiting >= maxSubmissions/4 && p.waiting < n)
}

// Admit lets a submission go ahead of the queue, unless it is known that it would only wait. inside is set when all
// its recipients are in the organization.
func (j *Job) Admit(l *Locked, signIn string, by User, inside bool) bool {
	if !l.open || l.closing || !l.rules.Open {
		return false
	}
	m := l.member(signIn)
	j.mailbox, j.by = m, m.personOf(by)
	sender, author := m.senders[j.Sender], m.authors[j.Author]
	if author != nil && author.shut || m.outside.shut && !inside || m.slowed(j.by.id) {
		return false
	}
	if l.all.shut || m.gate.shut || sender != nil && sender.shut || m.pacedOut(j.by) || m.crowded(j.by) {
		return false
	}
	j.by.waiting++
	m.submissions = append(m.submissions, j)
	m.dispatch()
	return true
}

// Withdraw takes a submission back, and returns false if a courier has taken it.
func (j *Job) Withdraw(*Locked) bool {
	m := j.mailbox
	i := slices.Index(m.submissions, j)
	if i < 0 {
		return false
	}
	m.submissions = slices.Delete(m.submissions, i, i+1)
	j.by.waiting--
	return true
}

// Retry lets a submission go again before the others, unless the queue is being closed.
func (j *Job) Retry(l *Locked) bool {
	if l.closing {
		return false
	}
	m := j.mailbox
	m.submissions = slices.Insert(m.submissions, 0, j)
	j.by.waiting++
	m.dispatch()
	return true
}

// returnSubmissions hands back the submissions that a shut gate keeps from going, or all of them at the end.
func (l *Locked) returnSubmissions(g *Gate) {
	for _, m := range l.mailboxes {
		if !l.closing && g.mailbox != nil && g.mailbox != m {
			continue
		}
		for _, j := range slices.Clone(m.submissions) {
			if l.closing || g.scope != ScopeSender || j.Sender == g.sender {
				j.Withdraw(l)
				l.hooks.Return(l, j, g.why())
			}
		}
	}
}

// Next chooses the next message for a courier; nil when there is none now.
func (c *Courier) Next(l *Locked) *Job {
	m := c.mailbox
	if !c.Wanted(l) {
		return nil
	}
	probes, ok := m.claimProbes(c.probes)
	if !ok {
		return nil
	}
	j := m.pick(probes)
	if j == nil {
		return nil
	}
	m.turns++
	j.by.turn = m.turns
	c.probes = nil
	j.probes = append(j.probes, probes...)
	beginProbes(j.probes)
	if len(j.probes) == 0 {
		m.dispatch() // there may be work for another one, too
	}
	return j
}

// maxInARow is how many submissions go in a row while others wait in the queue.
const maxInARow = 8

// pick takes a message out: what tries a shut gate, else a message of whoever's last turn lies back furthest,
// submissions first.
func (m *Mailbox) pick(probes []*Gate) *Job {
	if len(probes) > 0 {
		return m.pickProbe(probes)
	}
	if len(m.submissions) == 0 || m.turns%maxInARow == 0 {
		if j := m.pickSenderProbe(); j != nil {
			return j
		}
	}
	j := m.nextSubmission()
	u, at := m.nextUser()
	switch {
	case j == nil && u == nil:
		return nil
	case u == nil, j != nil && j.by.turn < u.by.turn, j != nil && j.by == u.by && m.inARow < maxInARow:
		m.inARow++
		m.turn.at = at // it was not the user's turn
		j.Withdraw(m.l)
		return j
	}
	m.inARow = 0
	e := m.popTurn(u, at)
	m.oneByOne(u.by.id)
	return e.job()
}

func (e *Entry) job() *Job {
	return &Job{ID: e.id, Sender: e.lane.sender, entry: e, mailbox: e.lane.user.mailbox, by: e.lane.user.by}
}

// nextUser finds whose turn it is: every user's in turn whom the rates allow something.
func (m *Mailbox) nextUser() (u *user, at int) {
	for range m.turn.len() {
		if u, at = m.turn.next(); !m.pacedOut(u.by) {
			return u, at
		}
	}
	return nil, m.turn.at
}

// nextSubmission finds the submission to take, and leaves it where it is.
func (m *Mailbox) nextSubmission() (next *Job) {
	for _, j := range m.submissions {
		if (next == nil || j.by.turn < next.by.turn) && !m.pacedOut(j.by) {
			next = j
		}
	}
	return next
}

// Place gives the entry of a job that was not tried its place by the message's status.
func (j *Job) Place(l *Locked, st Status) { l.place(j.entry, st) }

// Due reports whether a job's message is to be tried now, by its status.
func (j *Job) Due(l *Locked, st Status) bool {
	return !st.Held && (j.Forced() || accountWide(st.Class) || Due(st.Next, l.now))
}

// Drop forgets the message of a job.
func (j *Job) Drop(l *Locked) {
	if j.entry != nil {
		l.drop(j.entry)
	}
}

// Hold keeps the message of a job in the queue until an administrator releases it.
func (j *Job) Hold(*Locked) { j.entry.place = Held }

// Wait puts the message of a job that was not tried off.
func (j *Job) Wait(l *Locked, d time.Duration) { l.wait(j.entry, l.now.Add(d)) }

// After says when a message is tried again after a try that failed.
type After struct {
	Now   bool      // before all others
	Fault *Fault    // when its gate says; one of the message's own leaves it to Next
	Next  time.Time // else then
}

// Return gives a message that stays in the queue its place after a try. A submission's comes into it.
func (j *Job) Return(l *Locked, msg Message, a After) {
	if j.entry == nil {
		if l.index[msg.ID] != nil {
			return
		}
		e := l.enter(msg)
		e.retried = j.retried
		j.entry, j.mailbox, j.by = e, e.lane.user.mailbox, e.lane.user.by
	}
	e := j.entry
	e.forced = false
	m := e.lane.user.mailbox
	switch {
	case l.closing:
		e.place = Ready // nobody takes it any more
		return
	case a.Now:
		e.lane.push(e, true)
	case a.Fault == nil:
		e.retried = false
		l.wait(e, a.Next)
	case a.Fault.Scope == ScopeMessage:
		l.wait(e, a.Next)
	case a.Fault.Scope == ScopeAuthor:
		m.authorGate(j.Author).park(l, e)
	case a.Fault.Scope == ScopeOutside:
		m.outside.park(l, e)
	default:
		e.lane.push(e, false) // its gate says when
	}
	m.dispatch()
}

// GateNext is when a message that met a fault is tried again at the earliest.
func (j *Job) GateNext(l *Locked, f *Fault) time.Time {
	var g *Gate
	switch f.Scope {
	case ScopeAuthor:
		return j.mailbox.authorGate(j.Author).parkedUntil(l.now)
	case ScopeOutside:
		return j.mailbox.outside.parkedUntil(l.now)
	default:
		g = l.gateOf(j, f.Scope)
	}
	switch {
	case f.Key == KeyPace, f.Key == KeyShare:
		return l.now.Add(f.After)
	case g != nil && g.shut:
		return g.next
	}
	return l.now.Add(ProbePause(j.mailbox.met[j.ID].times, l.rules.ProbeInterval))
}
