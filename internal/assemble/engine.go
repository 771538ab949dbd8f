package assemble

import (
	"path/filepath"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/spool"
)

// Engine returns what a configuration says about delivery from the spool. The account may
// be nil with the fault that says why: then everything is held. resolve finds where local
// names' reports go.
func Engine(c *config.Config, account *deliver.Account, fault error, host string, resolve func(addr string) ([]string, error)) deliver.Config {
	dc := deliver.Config{
		Account: account, Fault: fault,
		Mode: c.Delivery.Mode, Wait: c.Delivery.Wait,
		IdleTimeout: c.SMTP.IdleTimeout, ProbeInterval: c.Agent.ProbeInterval, QueueInterval: c.Agent.QueueInterval,
		DrainTimeout: c.Agent.DrainTimeout, Lifetime: c.Spool.Lifetime, DelayWarning: c.Spool.DelayWarning,
		RetryFloor: c.Delivery.RetryFloor,
		Reports: notify.Config{Host: host, AlertTo: c.AlertTo, BounceTo: c.BounceTo, RootTo: c.RootTo,
			Resolve: resolve, StatusFile: c.Alerts.StatusFile, Webhook: Webhook(c), Heartbeat: Heartbeat(c)},
		QueueAge: c.Alerts.QueueAge,
	}
	for _, lifeOf := range [...]func(*config.Config) (Life, error){CredentialLife, ListenerLife} {
		if life, err := lifeOf(c); err == nil && life.What != "" && !life.Ends.IsZero() {
			dc.Expiries = append(dc.Expiries, deliver.Expiry{What: life.What, Begins: life.Begins, Ends: life.Ends})
		}
	}
	return dc
}

// StateFile is where an engine keeps, next to the queue, which alerts it has given.
func StateFile(c *config.Config) string { return filepath.Join(c.Spool.Dir, "state.json") }

// SpoolOptions are the spool's directory and bounds.
func SpoolOptions(c *config.Config) spool.Options {
	return spool.Options{Dir: c.Spool.Dir, Owner: owner(), Limits: spool.Limits{
		MaxMessages: c.Spool.MaxMessages, MaxBytes: c.Spool.MaxBytes,
		MaxMessagesPerUser: c.Spool.MaxMessagesPerUser, MaxBytesPerUser: c.Spool.MaxBytesPerUser,
		ReservePercent: c.Agent.ReservePercent, KeepFree: c.Spool.KeepFree, MaxFailed: c.Spool.MaxFailed,
		MaxFailedBytes: c.Spool.MaxFailedBytes,
	}}
}
