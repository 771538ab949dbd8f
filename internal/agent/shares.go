package agent

import (
	"net/netip"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/quota"
)

// Resources are shared as package share says. Where something can be taken back, as a connection can, the
// user who holds most gives way to one who holds less.

// who is whose share something counts to: a local user, another host by its certificate, or its address.
type who struct {
	uid  int // -1 when nobody knows
	from netip.Prefix
	cert string // as spool.Meta.Host has it
}

// guest is a connection and what it holds.
type guest struct {
	who     who
	trusted bool
	evict   func()    // ends the connection; does not wait
	since   time.Time // of the last progress: its begin, a finished message, much of a message
	busy    bool      // a handler has its message, whose end the client must hear of
	gone    bool      // it was evicted and holds nothing
	header  int64     // bytes of memory for a header
	// Of the envelope: bytes that its recipients take, and those of them that are not free.
	named, envelope int64
	bytes           int64 // of a message that comes in
}

// use is what one user holds.
type use struct {
	guests map[*guest]struct{}
	header int64
	bytes  int64
	// messages is how many may still come in this minute; it fills up with time.
	messages bucket
	lines    bucket // of the log
	left     int    // lines that were left out
}

// kind is one of the resources that can be taken back.
type kind struct {
	of  func(*guest) int64
	own func(*use) int64
	// even is set when a user who holds nothing gets the place of one who holds as much as is asked for.
	even bool
}

var (
	connectionKind = kind{func(*guest) int64 { return 1 }, func(u *use) int64 { return int64(len(u.guests)) }, true}
	headerKind     = kind{func(g *guest) int64 { return g.header + g.envelope },
		func(u *use) int64 { return u.header }, false}
	bytesKind = kind{func(g *guest) int64 { return g.bytes }, func(u *use) int64 { return u.bytes }, false}
)

// settled is how old a connection must be to give way to a user who holds nothing when all hold as
// little. Messages of programs of this host come in less, and a flood of new connections does not
// get one through the queue of connections sooner.
const settled = 50 * time.Millisecond

// makeRoom evicts connections until g gets n more of a kind, and reports whether it did.
func (l *limits) makeRoom(k kind, p func() quota.Pool, g *guest, n int64) bool {
	for !p().Gives(k.own(l.user(g.who)), n, g.trusted) {
		victim := l.victim(k, g, n)
		if victim == nil {
			return false
		}
		l.drop(victim)
		l.out = append(l.out, victim)
	}
	return true
}

// victim is the connection that made no progress for longest of the user who holds most.
func (l *limits) victim(k kind, g *guest, n int64) *guest {
	own, now := k.own(l.user(g.who)), l.now()
	var worst *guest
	var most int64
	for name, u := range l.users {
		held := k.own(u)
		if name == g.who || held < most || held < own+n || held == own+n && (own > 0 || !k.even) {
			continue
		}
		for other := range u.guests {
			switch {
			case other == g, other.busy, other.trusted, k.of(other) == 0:
			case held == own+n && now.Sub(other.since) < settled:
			case worst == nil || held > most || other.since.Before(worst.since):
				worst, most = other, held
			}
		}
	}
	return worst
}

// bucket fills up with time to a number for each minute.
type bucket struct {
	n  float64
	at time.Time
}

// take reports whether one was there, of most for each minute.
func (b *bucket) take(most int, now time.Time) bool {
	gone := now.Sub(b.at)
	if b.at.IsZero() || gone < 0 || gone > time.Minute {
		gone = time.Minute
	}
	b.n, b.at = min(float64(most), b.n+float64(most)*gone.Minutes()), now
	if b.n < 1 {
		return false
	}
	b.n--
	return true
}

func connectionPool(l *limits, c *config.Config) func() quota.Pool {
	return func() quota.Pool {
		return quota.Pool{Size: int64(c.Agent.MaxConnections), Used: int64(l.total), Reserve: c.Agent.ReservePercent}
	}
}
