package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/maillog"
)

// unserved says why a TCP address is not listened on; nil for one that is.
func unserved(c *config.Config, addr net.Addr) error {
	switch {
	case loopback(addr):
		return nil
	case !c.Agent.AllowRemote:
		return fmt.Errorf("%s is open to other hosts: it is not served unless agent.allow_remote and "+
			"agent.allow_from are set", addr)
	case len(c.Agent.AllowFrom) == 0:
		return fmt.Errorf("%s is open to other hosts: it is not served unless agent.allow_from names those that "+
			"may connect", addr)
	}
	return nil
}

// allowed reports whether a TCP peer is in one of the networks.
func allowed(from []netip.Prefix, peer net.Addr) bool {
	t, ok := peer.(*net.TCPAddr)
	if !ok {
		return false
	}
	a := t.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(from, func(n netip.Prefix) bool { return n.Contains(a) })
}

// strangers counts the hosts that were turned away, so that the log has a line a minute of them.
type strangers struct {
	mu   sync.Mutex
	told time.Time
	more int
}

// turnAway refuses a connection from a host that agent.allow_from does not name (RFC 5321 3.1).
func (a *Agent) turnAway(c net.Conn) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprint(c, "554 5.7.1 this host may not send mail here; agent.allow_from names those that may\r\n")
	_ = c.Close()
	s := &a.strangers
	s.mu.Lock()
	defer s.mu.Unlock()
	now := a.o.Now()
	if gone := now.Sub(s.told); !s.told.IsZero() && gone >= 0 && gone < time.Minute {
		s.more++
		return
	}
	text := "agent.allow_from does not name this host"
	if s.more > 0 {
		text += fmt.Sprintf(" (nor %d more connections' since the last line)", s.more)
	}
	a.log.Log(maillog.Warning, "", "client", c.RemoteAddr(), "status", "refused", "", errors.New(text))
	s.told, s.more = now, 0
}
