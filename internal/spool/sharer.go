package spool

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"strings"
)

// Peer begins the origin of a message that came by TCP from a user who is not known; the peer's address and
// port follow, behind the name of its certificate if it had one.
const Peer = "smtp "

// Certificate begins the name of a host that is known by its certificate.
const Certificate = "cert:"

// Host is the name by which another host is known that has a certificate: Certificate and the certificate's name; "" for
// one without, and for a user of this host.
func (m Meta) Host() string {
	text, ok := strings.CutPrefix(strings.TrimPrefix(m.Origin, Unprocessed), Peer)
	name, _, both := strings.Cut(text, " ")
	if !ok || !both || m.UID >= 0 || !strings.HasPrefix(name, Certificate) || name == Certificate {
		return ""
	}
	return name
}

// Sharer is whose share the message counts to: its user, or a number below -1024 that stands for another host's
// certificate or address, of IPv6 for the network of 64 bits; -1 when nobody knows.
func (m Meta) Sharer() int {
	if m.UID >= 0 {
		return m.UID
	}
	name := m.Host()
	if from, ok := m.peer(); name == "" && !ok {
		return m.UID
	} else if name == "" {
		name = from.String()
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, name)
	const known, bits = 1024, 1<<30 - 1
	return -known - 1 - int(h.Sum32()&bits)
}

// peer is the network that a message came from.
func (m Meta) peer() (netip.Prefix, bool) {
	text, ok := strings.CutPrefix(strings.TrimPrefix(m.Origin, Unprocessed), Peer)
	ap, err := netip.ParseAddrPort(text)
	if !ok || err != nil {
		return netip.Prefix{}, false
	}
	const host6 = 64 // what one customer or host has at least of IPv6 addresses
	addr := ap.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = host6
	}
	from, err := addr.Prefix(bits)
	return from, err == nil
}

// sender is the same for people.
func (m Meta) sender() string {
	from, ok := m.peer()
	switch name := m.Host(); {
	case name != "":
		return name
	case m.UID >= 0 || !ok:
		return fmt.Sprintf("uid %d", m.UID)
	case from.IsSingleIP():
		return from.Addr().String()
	}
	return from.String()
}

// sharer is Meta.Sharer with a user's subordinate ids counted as that user.
func (s *Spool) sharer(m Meta) int {
	if m.UID >= 0 && s.o.Owner != nil {
		return s.o.Owner(m.UID)
	}
	return m.Sharer()
}
