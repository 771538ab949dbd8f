package queue

// member returns the mailbox of the pool that a message without a mailbox of its own goes by: of those that can send
// now the one with least to do, in turns.
func (l *Locked) member(signIn string) *Mailbox {
	own := l.mailbox(signIn)
	pool := l.rules.Pool
	if own != l.mailbox("") || len(pool) == 0 || !l.rules.Open {
		return own
	}
	best := own
	for i := range len(pool) + 1 {
		m := own
		if k := (l.poolTurn + i) % (len(pool) + 1); k > 0 {
			m = l.mailbox(pool[k-1])
		}
		if i == 0 || m.lessToDo(best) {
			best = m
		}
	}
	l.poolTurn++
	return best
}

// lessToDo reports whether a message gets out by m sooner than by o.
func (m *Mailbox) lessToDo(o *Mailbox) bool {
	if stops, others := m.stopped(), o.stopped(); stops != others {
		return others
	}
	return m.ready+len(m.submissions) < o.ready+len(o.submissions)
}

// stopped reports whether the mailbox is paused or has used up its messages of the minute.
func (m *Mailbox) stopped() bool { return m.gate.shut || after(m.pace[RankUser].until, m.l.now) }

// anyMember calls f for each mailbox that a message may go by, until it returns true.
func (l *Locked) anyMember(signIn string, f func(*Mailbox) bool) bool {
	own := l.mailbox(signIn)
	if f(own) {
		return true
	}
	if own != l.mailbox("") {
		return false
	}
	for _, name := range l.rules.Pool {
		if f(l.mailbox(name)) {
			return true
		}
	}
	return false
}
