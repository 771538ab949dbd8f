package agent

import "o365-sendmail/internal/config"

// recipients bounds the memory for the recipients that a connection names: until there is a message, nothing else
// does. It is an smtpd.EnvelopeBudget.
type recipients struct {
	a *Agent
	h *handler
}

// freeEnvelope is up to how many bytes recipients do not count: some fifty of them.
const freeEnvelope = 8 << 10

// Take is in smtpd.EnvelopeBudget.
func (r *recipients) Take(n int64) error {
	l, c := &r.a.limits, r.a.rules.Load().config
	return l.locked(func() error { return l.addEnvelope(r.h.guest, n, c) })
}

// Drop is in smtpd.EnvelopeBudget.
func (r *recipients) Drop() {
	l := &r.a.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetEnvelope(r.h.guest)
}

func (l *limits) addEnvelope(g *guest, n int64, c *config.Config) error {
	more := max(g.named+n-freeEnvelope, 0) - g.envelope
	u, a := l.user(g.who), &c.Agent
	switch {
	case g.gone:
		return errEvicted
	case more <= 0:
	case a.MaxHeaderMemoryPerUser > 0 && u.header+more > a.MaxHeaderMemoryPerUser:
		return busy("%s names more recipients at once than agent.max_header_memory_per_user has room for (%d bytes); "+
			"try again", g.who, a.MaxHeaderMemoryPerUser)
	case !l.makeRoom(headerKind, l.headerPool(c), g, more):
		return busy("more recipients are named at once than agent.max_header_memory has room for (%d bytes); try again",
			a.MaxHeaderMemory)
	default:
		l.header, u.header, g.envelope = l.header+more, u.header+more, g.envelope+more
	}
	g.named += n
	return nil
}

func (l *limits) forgetEnvelope(g *guest) {
	u := l.user(g.who)
	l.header, u.header = l.header-g.envelope, u.header-g.envelope
	g.named, g.envelope = 0, 0
}
