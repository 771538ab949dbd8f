package agent

import (
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/sysexits"
)

// limits count what each user has under way. What waits in the spool, the spool bounds.
type limits struct {
	now func() time.Time

	mu    sync.Mutex
	total int
	bytes int64
	users map[int]*use
}

// use is what one user has under way.
type use struct {
	connections int
	// messages is how many may still come in this minute; it fills up with time.
	messages float64
	at       time.Time
	bytes    int64 // of messages that are coming in
}

// busy is a bound that was met. Trying again helps.
func busy(format string, args ...any) error {
	return sysexits.With(sysexits.TempFail, fmt.Errorf(format, args...))
}

// enter counts a connection, if the bounds allow it.
func (l *limits) enter(uid int, c *config.Config) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= c.Agent.MaxConnections {
		return busy("too many connections (agent.max_connections = %d); try again", c.Agent.MaxConnections)
	}
	u := l.user(uid)
	if u.connections >= c.Agent.MaxConnectionsPerUser {
		return busy("too many connections of uid %d (agent.max_connections_per_user = %d); try again", uid, c.Agent.MaxConnectionsPerUser)
	}
	l.total++
	u.connections++
	return nil
}

func (l *limits) leave(uid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	l.user(uid).connections--
	l.forget()
}

// message counts a message, if the bound on messages a minute allows it.
func (l *limits) message(uid int, c *config.Config) error {
	most := c.Agent.MessagesPerMinutePerUser
	if most <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u, now := l.user(uid), l.now()
	gone := now.Sub(u.at)
	if u.at.IsZero() || gone < 0 || gone > time.Minute {
		gone = time.Minute
	}
	u.messages = min(float64(most), u.messages+float64(most)*gone.Minutes())
	u.at = now
	if u.messages < 1 {
		return busy("uid %d hands in more messages than agent.messages_per_minute_per_user allows (%d); try again in a minute", uid, most)
	}
	u.messages--
	return nil
}

// meter watches a message come in: until it is in the spool nothing else bounds what it
// takes of the disk.
type meter struct {
	r      io.Reader
	l      *limits
	uid    int
	c      *config.Config
	n      int64
	looked int64 // n when the disk was last looked at
}

// lookEvery is after how many octets the disk is looked at again.
const lookEvery = 8 << 20

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	if bound := m.l.grow(m.uid, int64(n), m.c); bound != nil {
		return 0, bound
	}
	if m.n-m.looked >= lookEvery {
		m.looked = m.n
		if full := enoughDisk(m.c); full != nil {
			return 0, full
		}
	}
	return n, err
}

// grow counts octets that came in.
func (l *limits) grow(uid int, n int64, c *config.Config) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.user(uid)
	l.bytes += n
	u.bytes += n
	switch {
	case n <= 0:
	case c.Spool.MaxBytesPerUser > 0 && u.bytes > c.Spool.MaxBytesPerUser:
		return busy("uid %d hands in more at once than spool.max_bytes_per_user allows (%d octets); try again", uid, c.Spool.MaxBytesPerUser)
	case c.Spool.MaxBytes > 0 && l.bytes > c.Spool.MaxBytes:
		return busy("more mail comes in at once than spool.max_bytes allows (%d octets); try again", c.Spool.MaxBytes)
	}
	return nil
}

func (m *meter) done() { _ = m.l.grow(m.uid, -m.n, m.c) }

func enoughDisk(c *config.Config) error {
	var st syscall.Statfs_t
	if c.Spool.KeepFree <= 0 || syscall.Statfs(c.Spool.Dir, &st) != nil {
		return nil
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < c.Spool.KeepFree {
		return busy("the spool's disk has too little room (spool.keep_free = %d octets); try again later", c.Spool.KeepFree)
	}
	return nil
}

func (l *limits) user(uid int) *use {
	if l.users == nil {
		l.users = map[int]*use{}
	}
	u := l.users[uid]
	if u == nil {
		u = &use{}
		l.users[uid] = u
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
	for uid, u := range l.users {
		if gone := now.Sub(u.at); u.connections == 0 && (gone > time.Minute || gone < 0) {
			delete(l.users, uid)
		}
	}
}
