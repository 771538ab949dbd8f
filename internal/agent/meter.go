package agent

import (
	"io"
	"syscall"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/quota"
)

// meter watches a message come in: until it is in the spool nothing else bounds what it
// takes of memory and disk. It is the message's rfc822.Budget.
type meter struct {
	r      io.Reader
	l      *limits
	g      *guest
	c      *config.Config
	n      int64
	looked int64 // n when the disk was last looked at
}

// lookEvery is after how many bytes the disk is looked at again, and a connection counts as one that
// makes progress.
const lookEvery = 8 << 20

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	if bound := m.l.grow(m.g, int64(n), m.c); bound != nil {
		return 0, bound
	}
	if m.n-m.looked >= lookEvery {
		m.looked = m.n
		m.l.progress(m.g)
		if full := enoughDisk(m.c); full != nil {
			return 0, full
		}
	}
	return n, err
}

// Header is in rfc822.Budget.
func (m *meter) Header(n int64) error {
	return m.l.locked(func() error { return m.l.addHeader(m.g, n, m.c) })
}

func (l *limits) addHeader(g *guest, n int64, c *config.Config) error {
	u, a := l.user(g.who), &c.Agent
	switch {
	case g.gone:
		return errEvicted
	case a.MaxHeaderMemoryPerUser > 0 && u.header+n > a.MaxHeaderMemoryPerUser:
		return busy("%s sends larger headers at once than agent.max_header_memory_per_user allows (%d bytes); "+
			"try again", g.who, a.MaxHeaderMemoryPerUser)
	case !l.makeRoom(headerKind, l.headerPool(c), g, n):
		return busy("larger headers come in at once than agent.max_header_memory allows (%d bytes); try again",
			a.MaxHeaderMemory)
	}
	l.takeHeader(g, n)
	return nil
}

// Body is in rfc822.Budget. Nobody is evicted for what a message can go without.
func (m *meter) Body(n int64) bool {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	ok := !m.g.gone && m.l.headerPool(m.c)().Gives(m.l.user(m.g.who).header, n, m.g.trusted)
	if ok {
		m.l.takeHeader(m.g, n)
	}
	return ok
}

func (l *limits) headerPool(c *config.Config) func() quota.Pool {
	return func() quota.Pool {
		return quota.Pool{Size: c.Agent.MaxHeaderMemory, Used: l.header, Reserve: c.Agent.ReservePercent}
	}
}

func (l *limits) takeHeader(g *guest, n int64) {
	u := l.user(g.who)
	l.header, u.header, g.header = l.header+n, u.header+n, g.header+n
}

var errEvicted = busy("the connection was given up for others; try again")

// grow counts bytes that came in.
func (l *limits) grow(g *guest, n int64, c *config.Config) error {
	return l.locked(func() error { return l.addBytes(g, n, c) })
}

func (l *limits) addBytes(g *guest, n int64, c *config.Config) error {
	u, s := l.user(g.who), &c.Spool
	disk := func() quota.Pool {
		return quota.Pool{Size: s.MaxBytes, Used: l.bytes, Reserve: c.Agent.ReservePercent}
	}
	switch {
	case g.gone:
		return errEvicted
	case n <= 0:
		return nil
	case s.MaxBytesPerUser > 0 && u.bytes+n > s.MaxBytesPerUser:
		return busy("%s hands in more at once than spool.max_bytes_per_user allows (%d bytes); try again", g.who,
			s.MaxBytesPerUser)
	case !l.makeRoom(bytesKind, disk, g, n):
		return busy("more mail comes in at once than spool.max_bytes allows (%d bytes); try again", s.MaxBytes)
	}
	l.bytes, u.bytes, g.bytes = l.bytes+n, u.bytes+n, g.bytes+n
	return nil
}

func (l *limits) progress(g *guest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g.since = l.now()
}

// done gives back what the message took.
func (m *meter) done() {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	if !m.g.gone {
		m.l.giveBack(m.g)
	}
}

func enoughDisk(c *config.Config) error {
	var st syscall.Statfs_t
	if c.Spool.KeepFree <= 0 || syscall.Statfs(c.Spool.Dir, &st) != nil {
		return nil
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < c.Spool.KeepFree {
		return busy("the spool's disk has too little room (spool.keep_free = %d bytes); try again later",
			c.Spool.KeepFree)
	}
	return nil
}
