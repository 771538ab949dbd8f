package queue

import "time"

// Exchange counts refused recipients and senders, and throttles the whole mailbox for too many in a row. So
// a user whose messages meet one after the other waits between them, and nobody else does.

// row counts a user's messages in a row that met a refused recipient or sender.
type row struct {
	refused int
	since   time.Time // of the first
	until   time.Time // no message of the user's before
	slow    bool      // the user has no turns until then
	reason  string
}

// countRefusal notes what a try says about its user: refused is the refusal that the server counts, nil if
// there was none.
func (m *Mailbox) countRefusal(id int, refused error, taken bool) {
	r := m.rows[id]
	switch {
	case !m.l.rules.Open:
	case refused == nil && r != nil:
		r.until = m.l.now
		m.endPauses()
		if taken {
			delete(m.rows, id)
		}
	case refused == nil, id == ReportWriter: // a bad address to report to is not the reporter's fault
	default:
		if r == nil {
			r = &row{since: m.l.now}
			m.rows[id] = r
		}
		r.refused++
		r.reason = refused.Error()
		if pause := UserPause(r.refused); pause > 0 {
			m.slowDown(id, r, m.l.now.Add(pause))
			m.l.hooks.Timer()
		}
	}
}

// slowDown takes a user's turns away for a while.
func (m *Mailbox) slowDown(id int, r *row, until time.Time) {
	r.until, r.slow = until, true
	if u := m.users[id]; u != nil {
		u.unlink()
	}
}

// Untried takes back that a job was on its way: it was not. Its probes are free.
func (j *Job) Untried(l *Locked) {
	j.Release(l)
	if r := j.mailbox.rows[j.by.id]; r != nil && j.entry != nil {
		r.until = l.now
		j.mailbox.endPauses()
	}
}

// oneByOne lets a user whose messages meet refusals have only one on its way.
func (m *Mailbox) oneByOne(id int) {
	if r := m.rows[id]; r != nil {
		if pause := UserPause(r.refused + 1); pause > 0 {
			m.slowDown(id, r, m.l.now.Add(pause))
		}
	}
}

// slowed reports whether a user waits between messages.
func (m *Mailbox) slowed(id int) bool { return m.rows[id] != nil && m.rows[id].slow }

// endPauses lets the users go on whose wait is over, and forgets rows of long ago.
func (m *Mailbox) endPauses() {
	now := m.l.now
	for id, r := range m.rows {
		if r.slow && !after(r.until, now) {
			r.slow = false
			if u := m.users[id]; u != nil {
				u.link()
			}
		}
		if !r.slow && now.Sub(r.until) > memory && !r.until.IsZero() {
			delete(m.rows, id)
		}
	}
}
