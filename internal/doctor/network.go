package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"o365-sendmail/internal/assemble"
)

// reach checks a host's name and its port by IPv4 and IPv6, as the checks prefix-dns,
// prefix-ipv4 and prefix-ipv6. It returns their names.
func (r *runner) reach(ctx context.Context, prefix, host string, port int, needs []string) []string {
	dns, four, six := prefix+"-dns", prefix+"-ipv4", prefix+"-ipv6"
	r.check(dns, needs, func(c *Check) { r.resolve(ctx, c, prefix, host) })
	r.holdBack = true
	r.check(four, []string{dns}, func(c *Check) { r.connect(ctx, c, prefix, host, port, false) })
	if r.cfg == nil || !r.cfg.SMTP.IPv4Only || prefix != "smtp" {
		r.check(six, []string{dns}, func(c *Check) { r.connect(ctx, c, prefix, host, port, true) })
	}
	r.judgeFamilies(prefix, host, port)
	r.holdBack = false
	r.tell()
	return []string{dns, four, six}
}

func (r *runner) resolve(ctx context.Context, c *Check, prefix, host string) {
	if ip, err := netip.ParseAddr(host); err == nil {
		r.addrs[prefix] = []netip.Addr{ip}
		c.ok(host + " is an address")
		return
	}
	ctx, cancel := r.limit(ctx)
	defer cancel()
	began := time.Now()
	list, err := r.o.LookupNetIP(ctx, "ip", host)
	if err != nil || len(list) == 0 {
		why := host + " has no address"
		if err != nil {
			why = err.Error()
		}
		if prefix == "smtp" && r.failed("login-dns") {
			c.skip("fails as login-dns does: " + why)
			return
		}
		c.fail(Unavailable, "dns", why, "getent ahosts "+host+" must list addresses: correct the name in the configuration, or /etc/resolv.conf")
		return
	}
	for i, a := range list {
		list[i] = a.Unmap()
	}
	r.addrs[prefix] = list
	c.ok(fmt.Sprintf("%s is %s (%d ms)", host, listed(list), time.Since(began).Milliseconds()))
}

// listed names the first addresses.
func listed(list []netip.Addr) string {
	const most = 3
	var names []string
	for _, a := range list[:min(len(list), most)] {
		names = append(names, a.String())
	}
	if n := len(list) - most; n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(names, ", ")
}

func (r *runner) failed(name string) bool {
	c := r.rep.Find(name, "")
	return c != nil && c.Status == Failed
}

// connect tries the first two addresses of a family.
func (r *runner) connect(ctx context.Context, c *Check, prefix, host string, port int, six bool) {
	tried, last := 0, error(nil)
	for _, a := range r.addrs[prefix] {
		if a.Is6() != six || tried == 2 {
			continue
		}
		tried++
		address := net.JoinHostPort(a.String(), strconv.Itoa(port))
		began := time.Now()
		step, cancel := r.limit(ctx)
		conn, err := r.o.DialContext(step, "tcp", address)
		cancel()
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			last = err
			continue
		}
		// A reset comes from a peer that was reached: the next step tells about it.
		if err == nil {
			conn.Close()
		}
		if r.alive[prefix] == "" {
			r.alive[prefix] = address
		}
		c.ok(fmt.Sprintf("%s takes connections (%d ms)", address, time.Since(began).Milliseconds()))
		return
	}
	if tried == 0 {
		c.ok(host + " has no such address")
		return
	}
	if six && noIPv6(last) {
		c.ok("this machine has no IPv6: " + last.Error())
		return
	}
	c.warn("connect", last.Error(), fmt.Sprintf("open outbound %d/tcp to %s in the firewall or at the hosting provider", port, host))
}

// noIPv6 reports whether the machine itself refused to dial: it has no address or no route of the family, which costs a
// connection no time (RFC 6724, 8305).
func noIPv6(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// judgeFamilies turns the warning of a family into an error when the other one does not
// help, and says how to do without IPv6 when IPv4 does.
func (r *runner) judgeFamilies(prefix, host string, port int) {
	v4, v6 := r.rep.Find(prefix+"-ipv4", ""), r.rep.Find(prefix+"-ipv6", "")
	if r.alive[prefix] != "" {
		if v6 != nil && v6.Status == Warning && prefix == "smtp" {
			v6.Hint = "set smtp.ipv4_only = true in " + cmp.Or(r.path, "the configuration") +
				", or fix this machine's IPv6"
		}
		return
	}
	for _, c := range []*Check{v4, v6} {
		if c == nil || c.Status != Warning {
			continue
		}
		c.fail(Unavailable, "connect", c.Seen, c.Hint)
		if other := v6; c == v4 && other != nil && other.Status == Warning {
			// One cause, one error: no connection leaves this machine.
			other.Status, other.Key, other.Hint = Skipped, "", ""
			other.Seen = "fails too: " + other.Seen
		}
		return
	}
}

// dial opens a connection to where one was taken before.
func (r *runner) dial(ctx context.Context, prefix string) (net.Conn, error) {
	ctx, cancel := r.limit(ctx)
	defer cancel()
	return r.o.DialContext(ctx, "tcp", r.alive[prefix])
}

// tlsConfig verifies as delivery does.
func (r *runner) tlsConfig(host string) (*tls.Config, error) {
	file, least := "", uint16(tls.VersionTLS12)
	if r.cfg != nil {
		file = r.cfg.TLS.CAFile
		if r.cfg.TLS.MinVersion == "1.3" {
			least = tls.VersionTLS13
		}
	}
	pool, err := assemble.Roots(file)
	if err != nil {
		return nil, err
	}
	tc := &tls.Config{ServerName: host, RootCAs: pool, MinVersion: least}
	if r.relayed() && r.account != nil {
		tc.ServerName = cmp.Or(r.account.Submit.ServerName, host)
		tc.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return r.account.Submit.Certificate, nil
		}
	}
	return tc, nil
}

// tlsSeen describes a connection that stands.
func tlsSeen(s tls.ConnectionState) string {
	seen := tls.VersionName(s.Version)
	if len(s.PeerCertificates) > 0 {
		cert := s.PeerCertificates[0]
		seen += ", certificate by " + issuer(cert) + " until " + cert.NotAfter.Format(time.DateOnly)
	}
	return seen
}

func issuer(c *x509.Certificate) string {
	if len(c.Issuer.Organization) > 0 {
		return c.Issuer.Organization[0]
	}
	return cmp.Or(c.Issuer.CommonName, "an unnamed authority")
}

// judgeTLS puts a failed handshake in words. what is the configuration key of the host.
func (r *runner) judgeTLS(c *Check, err error, what string) {
	var bad *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	seen := err.Error()
	if errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0 {
		seen += "; the certificate is " + strconv.Quote(bad.UnverifiedCertificates[0].Subject.CommonName) + " by " + strconv.Quote(issuer(bad.UnverifiedCertificates[0]))
	}
	switch {
	case errors.As(err, &unknown):
		c.fail(Configuration, "certificate-authority", seen, "a device on the way opens TLS, or the authority is private: put its certificate into a PEM file with the system's and name that in tls.ca_file")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c.fail(Configuration, "certificate-expired", seen, "date -u must show the right time (sudo timedatectl set-ntp true); else a device on the way answers with a certificate of its own")
	case errors.As(err, &name):
		c.fail(Configuration, "certificate-name", seen, "correct "+what+", or look for a device on the way that answers in the server's place")
	case errors.As(err, &bad):
		c.fail(Configuration, "certificate", seen, "look for a device on the way that opens TLS")
	case strings.Contains(err.Error(), "protocol version"):
		c.fail(Configuration, "tls-version", seen, "check tls.min_version, and look for a proxy on the way that speaks an older TLS")
	case errors.As(err, new(tls.RecordHeaderError)) && r.relayed():
		c.fail(Configuration, "tls-begin", seen, "set smtp.tls and smtp.port as the relay's agent.tls and agent.listen are, "+
			"or look for a firewall on the way that breaks TLS")
	default:
		c.fail(Unavailable, "tls", seen, "look for a firewall or proxy on the way that breaks TLS")
	}
}
