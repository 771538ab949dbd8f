package agent

import (
	"errors"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/quota"
)

// Fleet joins the fleet of a configuration. The programs without a fleet do without its client, too.
type Fleet func(c *config.Config, o FleetOptions) (quota.Member, error)

// FleetOptions are what the configuration does not say.
type FleetOptions struct {
	HostName, Version string
	Local             quota.Host
	Backlog           func() quota.Backlog
	Warn              func(error)
}

// mayJoin is why an agent can't go by a configuration with a fleet; nil if it can.
func (a *Agent) mayJoin(c *config.Config) error {
	if len(c.Fleet.Servers) == 0 || a.o.Fleet != nil {
		return nil
	}
	return errors.New("fleet.servers is set, for which the agent has to start again: systemctl restart o365-sendmail")
}

// joins has the account of a reading join its fleet; nil if there is none.
func (a *Agent) joins(r *rules) func(quota.Host) (quota.Limiter, error) {
	if a.o.Fleet == nil {
		return nil
	}
	return func(local quota.Host) (_ quota.Limiter, err error) {
		r.member, err = a.o.Fleet(r.config, FleetOptions{HostName: r.host, Version: a.o.Version, Local: local,
			Backlog: a.lastBacklog, Warn: a.warn})
		return r.member, err
	}
}

// noteBacklog keeps how the queue is for other hosts to see.
func (a *Agent) noteBacklog(s *deliver.State) {
	b := quota.Backlog{Messages: s.Ready + s.Waiting + s.Held + s.InFlight}
	if !s.Oldest.IsZero() {
		b.Oldest = int64(s.Now.Sub(s.Oldest) / time.Second)
	}
	a.backlog.Store(&b)
}

func (a *Agent) lastBacklog() quota.Backlog {
	if b := a.backlog.Load(); b != nil {
		return *b
	}
	return quota.Backlog{}
}

// InFleet reports whether the agent's configuration names a fleet.
func InFleet(o Options) bool {
	c, _ := config.Loader{Getenv: o.Getenv}.LoadLenient(newAgent(o).path())
	return len(c.Fleet.Servers) > 0
}

// leaveFleet has a membership that is no longer in force end, once its slots are given back.
func (r *rules) leaveFleet() {
	if r.member != nil {
		go r.member.Close()
	}
}
