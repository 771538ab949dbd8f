package main

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"

	"o365-sendmail/internal/agent"
	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/fleet"
	"o365-sendmail/internal/quota"
)

// join makes a membership from a configuration. Its files are read here, while the process may.
func join(c *config.Config, o agent.FleetOptions) (quota.Member, error) {
	fo := fleet.Options{Servers: c.Fleet.Servers, Name: c.Fleet.Name, Host: cmp.Or(c.Fleet.Host, o.HostName),
		Version: o.Version, Local: o.Local, Backlog: o.Backlog, Answer: o.Answer, Warn: o.Warn,
		Connections: c.Delivery.Connections,
		Limits: quota.Limits{MessagesPerMinute: c.Delivery.MessagesPerMinute,
			RecipientsPerDay: c.Delivery.RecipientsPerDay}}
	var err error
	if fo.TLS, err = tlsOf(c); err != nil {
		return nil, err
	}
	if fo.NKeySeed, err = seedOf(c); err != nil {
		return nil, err
	}
	f, err := fleet.Open(fo)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return f, nil
}

// seedOf is the seed of the host's NKey; nil for none. What nk prints below it does not count.
func seedOf(c *config.Config) ([]byte, error) {
	data, err := c.SecretFile("fleet.nkey_file")
	if data == nil || err != nil {
		return nil, err
	}
	seed := bytes.Fields(data)[0]
	if pair, err := nkeys.FromSeed(seed); err == nil {
		if public, err := pair.PublicKey(); err == nil && nkeys.IsValidPublicUserKey(public) {
			return seed, nil
		}
	}
	return nil, fmt.Errorf("fleet.nkey_file: %s does not begin with the seed of a user, which begins with SU: "+
		"nk -gen user makes one", c.Fleet.NKeyFile)
}

// tlsOf is how the servers are verified and what they are shown; nil if none is to be spoken to by TLS.
func tlsOf(c *config.Config) (*tls.Config, error) {
	all := strings.Join(c.Fleet.Servers, " ")
	if !strings.Contains(all, "tls://") && c.Fleet.TLSCertFile == "" && c.Fleet.TLSCAFile == "" {
		return nil, nil
	}
	roots, err := assemble.Roots(cmp.Or(c.Fleet.TLSCAFile, c.TLS.CAFile))
	if err != nil {
		return nil, fmt.Errorf("fleet.tls_ca_file: %w", err)
	}
	t := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if c.Fleet.TLSCertFile == "" {
		return t, nil
	}
	pair, err := assemble.KeyPair(c, "fleet.tls_cert_file", c.Fleet.TLSCertFile, "fleet.tls_key_file")
	if err != nil {
		return nil, err
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}
