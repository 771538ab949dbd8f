package agent

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/smtpd"
	"o365-sendmail/internal/spool"
)

// relay is what other hosts are let in by: one reading of the agent's certificate files.
type relay struct {
	config  *tls.Config
	clients *clients // nil where certificates are not asked for
}

// relayFiles are the files of a relay that are set; none where the configuration has no TLS for other hosts.
func relayFiles(c *config.Config) []string {
	var all []string
	for _, path := range [...]string{c.Agent.TLSCertFile, c.Agent.TLSKeyFile, c.Agent.ClientCAFile, c.Agent.ClientCRLFile} {
		if path != "" && c.Agent.TLSCertFile != "" {
			all = append(all, path)
		}
	}
	return all
}

// newRelay reads the files.
func newRelay(c *config.Config) (*relay, error) {
	pair, err := assemble.KeyPair(c, "agent.tls_cert_file", c.Agent.TLSCertFile, "agent.tls_key_file")
	if err != nil {
		return nil, err
	}
	r := &relay{config: &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: assemble.MinVersion(c.TLS.MinVersion),
		SessionTicketsDisabled: true, // each connection shows its certificate
	}}
	if c.Agent.RemoteAuth == config.AuthNetwork {
		return r, nil
	}
	// Package tls would answer a certificate that it refuses with an alert, which says little. Here any passes that
	// its holder has the key of, and clients.name judges it.
	r.config.ClientAuth = tls.RequestClientCert
	r.clients, err = newClients(c)
	return r, err
}

// readRelay reads the files; when they are broken, those that were read before stay in force, and fault says so.
func (a *Agent) readRelay(c *config.Config) (r *relay, fault error) {
	if len(relayFiles(c)) == 0 {
		return nil, nil
	}
	r, err := newRelay(c)
	if err == nil {
		return r, nil
	}
	if old := a.rules.Load(); old != nil && old.relay != nil {
		return old.relay, fmt.Errorf("%w; the certificates that were read before stay in force", err)
	}
	return nil, fmt.Errorf("%w; no other host can send mail until this is fixed", err)
}

// rereadRelay reads the files again.
func (a *Agent) rereadRelay() {
	a.aliases.Lock()
	defer a.aliases.Unlock()
	r := *a.rules.Load()
	var fault error
	if r.relay, fault = a.readRelay(r.config); fault != nil {
		a.log.Log(maillog.Err, "", "", fault)
		return
	}
	a.change(&r)
	a.log.Log(maillog.Info, "", "", "the certificates for other hosts were read again")
}

// encryption is how a connection is encrypted; nil for one of this host, and where there is no TLS.
func (a *Agent) encryption(l listener, h *handler, c *smtpd.Conn, from net.Addr) (*smtpd.TLS, error) {
	r := a.rules.Load()
	o := &r.config.Agent
	switch {
	case !l.remote(), o.TLSCertFile == "":
		return nil, nil
	case r.relay == nil:
		return nil, errors.New("this host's certificate can't be read, its administrator must act; try again later")
	}
	refused := func(err error) {
		a.logRefused(h.guest.who, "refused", err)
	}
	return &smtpd.TLS{
		Config: r.relay.config, Implicit: o.TLS == config.TLSImplicit, Required: o.RemoteAuth != config.AuthNetwork,
		Failed: refused,
		Peer: func(cs tls.ConnectionState) error {
			if r.relay.clients == nil {
				return nil
			}
			name, err := r.relay.clients.name(cs.PeerCertificates, a.o.Now())
			if err != nil {
				refused(err)
				return err
			}
			return a.introduce(h, name, c, from)
		},
		// A certificate may be revoked, or end, while its host keeps the connection.
		Still: func(cs tls.ConnectionState) error {
			r := a.rules.Load().relay
			if r == nil || r.clients == nil {
				return nil
			}
			_, err := r.clients.name(cs.PeerCertificates, a.o.Now())
			if err != nil {
				refused(err)
			}
			return err
		},
	}, nil
}

// introduce makes a connection that of the host with a certificate.
func (a *Agent) introduce(h *handler, name string, c *smtpd.Conn, from net.Addr) error {
	name = spool.Certificate + name
	known := a.guest(who{uid: -1, cert: name}, c)
	if err := a.limits.become(h.guest, known, a.rules.Load().config); err != nil {
		a.logRefused(known.who, "refused", err)
		return err
	}
	h.guest = known
	h.who = envelope.Caller{UID: -1, User: name, Via: spool.Peer + name + " " + from.String()}
	return nil
}

// clients judges client certificates.
type clients struct {
	roots *x509.CertPool
	lists []revocations // nil when none are looked at
}

func newClients(c *config.Config) (*clients, error) {
	roots, err := assemble.Roots(c.Agent.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("agent.client_ca_file: %w", err)
	}
	all := &clients{roots: roots}
	if c.Agent.ClientCRLFile != "" {
		all.lists, err = readLists(c.Agent.ClientCRLFile)
	}
	return all, err
}

// name is the name of a certificate that lets its host in; the error says why it does not.
func (c *clients) name(chain []*x509.Certificate, now time.Time) (string, error) {
	if len(chain) == 0 {
		return "", errors.New("no client certificate was sent, which this relay needs")
	}
	leaf, o := chain[0], x509.VerifyOptions{Roots: c.roots, Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, cert := range chain[1:] {
		o.Intermediates.AddCert(cert)
	}
	shown, broken := certificateName(leaf)
	refuse := func(why string) (string, error) {
		if broken != nil {
			shown = "number " + leaf.SerialNumber.Text(16)
		}
		return "", fmt.Errorf("the client certificate %.80s %s", shown, why)
	}
	chains, err := leaf.Verify(o)
	invalid := x509.CertificateInvalidError{}
	switch expired := errors.As(err, &invalid) && invalid.Reason == x509.Expired; {
	case expired && now.Before(leaf.NotBefore):
		return refuse("is valid from " + date(leaf.NotBefore) + " only")
	case expired:
		return refuse("expired on " + date(leaf.NotAfter) + ", or one of its authorities has expired")
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return refuse("is of no authority that this relay takes (agent.client_ca_file)")
	case err == nil && !forClients(leaf), errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return refuse("is not for clients (extended key usage clientAuth)")
	case err != nil:
		return refuse("is not valid: " + err.Error())
	case broken != nil:
		return refuse(broken.Error())
	}
	if why := c.revoked(chains, now); why != "" {
		return refuse(why)
	}
	return shown, nil
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func forClients(leaf *x509.Certificate) bool {
	for _, u := range leaf.ExtKeyUsage {
		if u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}
