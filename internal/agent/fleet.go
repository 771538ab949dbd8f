package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/metrics"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/quota"
	"o365-sendmail/internal/sysexits"
)

// Fleet joins the fleet of a configuration. The programs without a fleet do without its client, too.
type Fleet func(c *config.Config, o FleetOptions) (quota.Member, error)

// FleetOptions are what the configuration does not say.
type FleetOptions struct {
	HostName, Version string
	Local             quota.Host
	Backlog           func() quota.Backlog
	// Answer answers a request of another host's agent, in parts.
	Answer func(ctx context.Context, request []byte, part func([]byte) error) error
	Warn   func(error)
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
			Backlog: a.lastBacklog, Answer: a.answerHost, Warn: a.warn})
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

var errNoFleet = sysexits.With(sysexits.Config,
	errors.New("this host is in no fleet: its configuration has no fleet.servers"))

// noFleet is why there is no membership.
func (r *rules) noFleet() error {
	if len(r.config.Fleet.Servers) > 0 && r.fault != nil {
		return sysexits.With(sysexits.Config, fmt.Errorf("this host can't join its fleet: %s", r.reason()))
	}
	return errNoFleet
}

// askHost has another host of the fleet answer a request.
func (a *Agent) askHost(ctx context.Context, host string, request []byte, part func([]byte) error) error {
	r := a.rules.Load()
	if r.member == nil {
		return r.noFleet()
	}
	return r.member.Ask(ctx, host, request, part)
}

// answerHost answers another host's.
func (a *Agent) answerHost(ctx context.Context, request []byte, part func([]byte) error) error {
	s := a.control.Load()
	if s == nil {
		return errors.New("it starts or stops; try again")
	}
	return s.AnswerHost(ctx, request, part)
}

// fleetMetrics is what is measured of the fleet; nil for none.
func (r *rules) fleetMetrics() *metrics.Fleet {
	if r.member == nil || r.account == nil {
		return nil
	}
	hosts, _ := r.member.Peers()
	names := map[string]bool{} // one that was killed and started again is there twice for a while
	for _, h := range hosts {
		names[h.Name] = true
	}
	return &metrics.Fleet{Mode: r.account.FleetMode(r.member.Reach()), Hosts: len(names), Counts: r.member.Counts()}
}

// fleetView is what an administrator sees of the fleet.
func (a *Agent) fleetView(ctx context.Context, probe bool) (queueview.Fleet, error) {
	r := a.rules.Load()
	if r.member == nil {
		return queueview.Fleet{}, r.noFleet()
	}
	f := queueview.Fleet{Name: r.config.Fleet.Name, Host: cmp.Or(r.config.Fleet.Host, r.host)}
	if centre, err := r.member.Centre(ctx); err != nil {
		f.Unreachable = err.Error()
	} else {
		f.Centre = &centre
	}
	var silent map[string]time.Duration
	f.Hosts, silent = r.member.Peers()
	for name, since := range silent {
		f.Silent = append(f.Silent, queueview.SilentHost{Name: name, Seconds: int64(since / time.Second)})
	}
	slices.SortFunc(f.Silent, func(a, b queueview.SilentHost) int { return cmp.Compare(a.Name, b.Name) })
	held := r.member.Held()
	for _, name := range append([]string{r.config.Mailbox}, r.config.Pool...) {
		m := queueview.FleetMailbox{Name: name}
		if f.Unreachable == "" {
			var err error
			if m.Messages, m.Recipients, err = r.member.Used(ctx, name); err != nil {
				f.Unreachable = err.Error()
			}
		}
		for _, h := range held {
			if strings.EqualFold(h.Mailbox, name) {
				m.Slots = append(m.Slots, queueview.FleetSlot{N: h.N, Host: h.Host})
			}
		}
		f.Mailboxes = append(f.Mailboxes, m)
	}
	faults := r.member.Faults() // limits that differ among them, now that Used has looked at the fleet's
	if probe && f.Unreachable == "" {
		if err := r.member.Expires(ctx); err != nil {
			faults = append(faults, err)
		}
	}
	for _, err := range faults {
		f.Faults = append(f.Faults, err.Error())
	}
	slices.Sort(f.Faults)
	return f, nil
}
