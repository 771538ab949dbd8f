package main

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"os"
	"strings"

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
	if c.Fleet.NKeyFile != "" {
		seed, err := os.ReadFile(c.Fleet.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("fleet.nkey_file: %w", err)
		}
		fo.NKeySeed = bytes.TrimSpace(seed)
	}
	f, err := fleet.Open(fo)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return f, nil
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
	pair, err := tls.LoadX509KeyPair(c.Fleet.TLSCertFile, c.Fleet.TLSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("fleet.tls_cert_file: %w", err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}
