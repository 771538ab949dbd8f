package agent

import (
	"fmt"
	"sync"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/sysexits"
)

// limits count what each user has under way. What waits in the spool, the spool bounds.
type limits struct {
	now func() time.Time

	mu     sync.Mutex
	total  int // connections
	header int64
	bytes  int64
	users  map[who]*use
	lines  bucket   // log lines of all users
	out    []*guest // evicted by the call that holds the mutex
}

// locked calls fn with the mutex held, and then ends the connections that were evicted.
func (l *limits) locked(fn func() error) error {
	l.mu.Lock()
	err := fn()
	out := l.out
	l.out = nil
	l.mu.Unlock()
	for _, g := range out {
		g.evict()
	}
	return err
}

// busy is a bound that was met. Trying again helps.
func busy(format string, args ...any) error {
	return sysexits.With(sysexits.TempFail, fmt.Errorf(format, args...))
}

// enter counts a connection, if the bounds allow it.
func (l *limits) enter(g *guest, c *config.Config) error {
	return l.locked(func() error { return l.tryEnter(g, c) })
}

func (l *limits) tryEnter(g *guest, c *config.Config) error {
	most, u := c.Agent.MaxConnectionsPerUser, l.user(g.who)
	if most > 0 && len(u.guests) >= most {
		return busy("too many connections of %s (agent.max_connections_per_user = %d); try again", g.who, most)
	}
	if !l.makeRoom(connectionKind, connectionPool(l, c), g, 1) {
		return busy("too many connections (agent.max_connections = %d, of which %s has %d); try again",
			c.Agent.MaxConnections, g.who, len(u.guests))
	}
	g.since = l.now()
	l.total++
	u.guests[g] = struct{}{}
	return nil
}

// become counts a connection, that of g, as another guest's, who is known better.
func (l *limits) become(g, known *guest, c *config.Config) error {
	return l.locked(func() error {
		known.gone = true
		if g.gone {
			return errEvicted
		}
		l.drop(g)
		if err := l.tryEnter(known, c); err != nil {
			return err
		}
		known.gone = false
		return nil
	})
}

func (l *limits) leave(g *guest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(g)
	l.forget()
}

// drop gives back what a connection holds.
func (l *limits) drop(g *guest) {
	if g.gone {
		return
	}
	g.gone = true
	l.giveBack(g)
	l.forgetEnvelope(g)
	l.total--
	delete(l.user(g.who).guests, g)
}

// giveBack gives back what a message holds.
func (l *limits) giveBack(g *guest) {
	u := l.user(g.who)
	l.header, u.header = l.header-g.header, u.header-g.header
	l.bytes, u.bytes = l.bytes-g.bytes, u.bytes-g.bytes
	g.header, g.bytes = 0, 0
}

// message counts a message, if the bound on messages a minute allows it.
func (l *limits) message(g *guest, c *config.Config) error {
	most := c.Agent.MessagesPerMinutePerUser
	if most <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.user(g.who).messages.take(most, l.now()) {
		return busy("%s hands in more messages than agent.messages_per_minute_per_user allows (%d); "+
			"try again in a minute", g.who, most)
	}
	return nil
}

// begin marks a message as being handled, from when on its connection is not evicted, and reports
// whether there is time to wait for Exchange's answer.
func (l *limits) begin(g *guest, c *config.Config) (patient bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g.gone {
		return false, busy("the connection was given up for others; try again")
	}
	g.busy = true
	return !connectionPool(l, c)().Crowded(), nil
}

// end is its opposite.
func (l *limits) end(g *guest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g.busy, g.since = false, l.now()
}

func (l *limits) user(name who) *use {
	if l.users == nil {
		l.users = map[who]*use{}
	}
	u := l.users[name]
	if u == nil {
		u = &use{guests: map[*guest]struct{}{}}
		l.users[name] = u
	}
	return u
}

// manyUsers is from when on users without anything under way are forgotten.
const manyUsers = 1000

func (l *limits) forget() {
	if len(l.users) < manyUsers {
		return
	}
	now := l.now()
	idle := func(b bucket) bool { gone := now.Sub(b.at); return gone > time.Minute || gone < 0 }
	for name, u := range l.users {
		if len(u.guests) == 0 && idle(u.messages) && idle(u.lines) {
			delete(l.users, name)
		}
	}
}

// mayLog reports whether another line of the log may speak of what a user was refused; left is how many
// were left out since the last one.
func (l *limits) mayLog(name who, c *config.Config) (ok bool, left int) {
	most := c.Agent.RefusalsPerMinute
	if most <= 0 {
		return true, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u, now := l.user(name), l.now()
	if !u.lines.take(most, now) || !l.lines.take(quota.Greed*most, now) {
		u.left++
		return false, 0
	}
	left, u.left = u.left, 0
	return true, left
}

func (w who) String() string {
	if w.uid >= 0 {
		return fmt.Sprintf("uid %d", w.uid)
	}
	if w.cert != "" {
		return w.cert
	}
	if w.from.IsSingleIP() {
		return w.from.Addr().String()
	}
	return w.from.String()
}
