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
	if loopback(addr) {
		return nil
	}
	if problem, hint := c.Agent.Closed(); problem != "" {
		return fmt.Errorf("%s %s; it is not served; %s", addr, problem, hint)
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

// admits reports whether a host may connect by its address.
func (a *Agent) admits(peer net.Addr) bool {
	c := &a.rules.Load().config.Agent
	return c.RemoteAuth == config.AuthCertificate || allowed(c.AllowFrom, peer)
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
