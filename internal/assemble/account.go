// Package assemble builds the working parts from a configuration: the account with its
// credential, cache, limits and the authorities that servers are verified against, and the log. It is the one
// place where the configuration meets the packages that know nothing of it. It opens no connection.
package assemble

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"o365-sendmail/cache"
	"o365-sendmail/internal/account"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/submit"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// Options are what the configuration does not say.
type Options struct {
	// HostName is what EHLO says when the configuration names nothing else.
	HostName string
	// Trace gets each line of the SMTP dialogue, credentials replaced; nil for none.
	Trace func(direction byte, line string)
	// Warn gets what is wrong but stops nothing, such as a cache that can't be written.
	Warn func(error)
	// Getenv is the environment, for credentials that are found by it.
	Getenv func(string) string
	// Now is the clock.
	Now func() time.Time
	// Member joins the fleet of a configuration that names one; nil for a process that only queues there.
	Member func(local quota.Host) (quota.Limiter, error)
}

// lockWait is how long a process waits for another that fetches the token before it does so itself:
// it leaves itself a third of the time that a token may take.
func lockWait(timeout time.Duration) time.Duration { return min(timeout*2/3, 20*time.Second) }

// Account builds the account of a configuration. Secrets are read here, so that the
// process may give up its rights to them afterwards.
func Account(c *config.Config, o Options) (*deliver.Account, error) {
	cloud, ok := xoauth.LookupCloud(c.Cloud)
	if !ok {
		return nil, sysexits.With(sysexits.Config, fmt.Errorf("cloud %q is not known", c.Cloud))
	}
	cred, err := prove(c, cloud, o)
	if err != nil {
		return nil, sysexits.With(sysexits.Config, err)
	}
	trust := sync.OnceValues(func() (submit.Trust, error) {
		b, err := loadBundle(c.TLS.CAFile)
		return b, sysexits.With(sysexits.Config, err)
	})
	scope := cmp.Or(c.Token.Scope, cloud.Scope)
	tokens := cache.New(cache.Options{Dir: c.Cache.Dir, Now: o.Now, Warn: o.Warn, LockWait: lockWait(c.Token.Timeout)})
	a := &deliver.Account{
		Mailbox: c.Mailbox, Pool: c.Pool, Patience: c.Delivery.Wait, Warn: o.Warn, Now: o.Now,
		Submit: submit.Config{
			Host:           cmp.Or(c.SMTP.Host, cloud.SMTPHost),
			Port:           c.SMTP.Port,
			Way:            account.Of(c.Kind).Way(c.Way),
			IPv4Only:       c.SMTP.IPv4Only,
			EHLOName:       cmp.Or(c.SMTP.EHLOName, o.HostName),
			LoadTrust:      trust,
			MinVersion:     MinVersion(c.TLS.MinVersion),
			CommandTimeout: c.SMTP.Timeout,
			Trace:          o.Trace,
			Chunking:       chunkingOf(c.SMTP.Chunking),
			MaxRecipients:  c.Delivery.MaxRecipients,
			Implicit:       c.SMTP.TLS == config.TLSImplicit,
			ServerName:     c.SMTP.ServerName,
			Certificate:    cred.shown,
		},
		Cache: tokens, Quota: quota.New(tokens.Shared(), o.Now),
		Key: cache.Key{Authority: cmp.Or(c.Token.URL, cloud.LoginHost), Tenant: c.Tenant, ClientID: c.ClientID,
			Scope: scope, Credential: cred.fingerprint},
		Connections: c.Delivery.Connections, PipelineAuth: c.SMTP.PipelineAuth,
		Limits: quota.Limits{MessagesPerMinute: c.Delivery.MessagesPerMinute,
			RecipientsPerDay: c.Delivery.RecipientsPerDay},
		Learn:            c.Delivery.Pace == config.PaceLearn,
		TokenEndsSession: account.Of(c.Kind).TokenEndsSession,
		TokenTimeout:     c.Token.Timeout,
		Shares: queue.Shares{Reserve: c.Delivery.ReservePercent, Small: c.Delivery.SmallReservePercent,
			User: c.Delivery.UserSharePercent},
		Senders: senders(c), Domains: domains(c),
	}
	if err := throughProxy(c, &a.Submit); err != nil {
		return nil, err
	}
	if len(c.Fleet.Servers) > 0 {
		a.Unreachable, a.AgentOnly = c.Fleet.Unreachable, o.Member == nil
	}
	if len(c.Fleet.Servers) > 0 && o.Member != nil {
		if a.Limiter, err = o.Member(quota.Host{Ledger: a.Quota}); err != nil {
			return nil, sysexits.With(sysexits.Config, err)
		}
	}
	if cred.source == nil {
		return a, nil
	}
	a.Source = func() (xoauth.TokenSource, error) {
		client, err := webClient(c)
		if err != nil {
			return nil, err
		}
		return cred.source(sourceOptions{client: client, scope: scope, now: o.Now, warn: o.Warn})
	}
	return a, nil
}

func chunkingOf(s string) submit.Chunking {
	switch s {
	case "on":
		return submit.ChunkingOn
	case "off":
		return submit.ChunkingOff
	}
	return submit.ChunkingAuto
}

// MinVersion is tls.min_version as package tls has it.
func MinVersion(s string) uint16 {
	if s == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// Logger builds the log of a configuration. stderr is where "stderr" goes, tag what -L gave.
func Logger(c *config.Config, tag string, stderr io.Writer) *maillog.Logger {
	return maillog.New(LogOptions(c, tag, stderr))
}

// LogOptions are those of Logger.
func LogOptions(c *config.Config, tag string, stderr io.Writer) maillog.Options {
	return maillog.Options{To: c.Log.To, Format: c.Log.Format, Tag: tag, Stderr: stderr}
}

// RefreshTokenFile is where the refresh token of a device-code sign-in is kept.
func RefreshTokenFile(c *config.Config) string {
	return cmp.Or(c.Credential.RefreshTokenFile, filepath.Join(c.Cache.Dir, "refresh-token"))
}

// Wait lets a token refresh of this process finish, for a bounded time.
func Wait(a *deliver.Account, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	a.Cache.Wait(ctx)
}
