package deliver

import (
	"cmp"
	"context"
	"errors"
	"time"

	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/quota"
)

// What delivery does while nobody can tell what other hosts have used of the account.
const (
	// UnreachableWait is to hold the mail.
	UnreachableWait = "wait"
	// UnreachableShare is to hold it for shareAfter, and then to send on one connection, at this host's part of
	// the messages a minute, at least one.
	UnreachableShare = "share"
)

// shareAfter is when the slots of hosts that are gone are over, and a short outage is over, too.
const shareAfter = time.Minute

func (a *Account) limiter() quota.Limiter {
	switch {
	case a.AgentOnly:
		return agentsAlone{quota.Host{Ledger: a.Quota}}
	case a.Limiter == nil:
		return quota.Host{Ledger: a.Quota}
	}
	return a.Limiter
}

// agentsAlone is the limiter of a process that can't ask the other hosts.
type agentsAlone struct{ quota.Host }

func (agentsAlone) unknown() error {
	return &quota.UnknownError{Hosts: 1, Over: context.Background(), Err: errors.New(
		"in a fleet only the agent delivers: systemctl start o365-sendmail")}
}

func (l agentsAlone) TrySlot(context.Context, string, int) (quota.Slot, error) {
	return quota.Slot{}, l.unknown()
}

func (l agentsAlone) Slot(context.Context, string, int) (quota.Slot, error) {
	return quota.Slot{}, l.unknown()
}

func (l agentsAlone) Reserve(context.Context, quota.Request) (quota.Grant, *quota.Short, error) {
	return quota.Grant{}, nil, l.unknown()
}

// unknownIn returns what is not known; nil for another error, or none.
func unknownIn(err error) *quota.UnknownError {
	var e *quota.UnknownError
	errors.As(err, &e)
	return e
}

// slot takes one of the mailbox's connections. Only the first courier waits for one.
func (c *courier) slot() (slot quota.Slot, ok bool) {
	slot, err := c.slotOf(c.account.limiter(), max(c.account.Connections, 1))
	if unknown := unknownIn(err); unknown != nil && c.account.shares(unknown) {
		slot, err = c.slotOf(quota.Host{Ledger: c.account.Quota}, 1)
		slot.Lost = unknown.Over // then the fleet's slots count
	}
	if unknown := unknownIn(err); unknown != nil {
		f := c.waitUntilKnown(unknown)
		c.queue.Do(func(l *queue.Locked) {
			if c.seek.Err() == nil {
				c.place.NoSession(l, f)
			}
		})
	}
	return slot, err == nil
}

func (c *courier) slotOf(from quota.Limiter, n int) (quota.Slot, error) {
	slot, err := from.TrySlot(c.seek, c.place.Mailbox, n)
	if !errors.Is(err, quota.ErrTaken) {
		return slot, err
	}
	goes := false
	c.queue.Do(func(l *queue.Locked) { goes = c.place.NoSlot(l) })
	if goes {
		return quota.Slot{}, err
	}
	return from.Slot(c.seek, c.place.Mailbox, n)
}

// shares reports whether this host sends by itself although what others have used is not known.
func (a *Account) shares(e *quota.UnknownError) bool {
	return a.Unreachable == UnreachableShare && e.For >= shareAfter
}

// The values of FleetMode.
const (
	ModeFleet = "fleet" // the limits are shared
	ModeShare = "share" // this host sends its part of them by itself
	ModeWait  = "wait"  // mail waits for the fleet's servers
)

// FleetMode is how mail goes by what quota.Member.Reach says.
func (a *Account) FleetMode(reach error) string {
	e := unknownIn(reach)
	switch {
	case e == nil:
		return ModeFleet
	case a.shares(e):
		return ModeShare
	}
	return ModeWait
}

// reserveUnknown counts a message of this host's share; the error is e when it has to wait.
func (a *Account) reserveUnknown(e *quota.UnknownError, r quota.Request) (quota.Grant, *quota.Short, error) {
	if !a.shares(e) {
		return quota.Grant{}, nil, e
	}
	part := func(limit int) int {
		if limit == 0 {
			return 0
		}
		return max(limit/max(e.Hosts, 1), 1)
	}
	r.Limits = quota.Limits{MessagesPerMinute: part(r.Limits.MessagesPerMinute),
		RecipientsPerDay: part(r.Limits.RecipientsPerDay)}
	return quota.Host{Ledger: a.Quota}.Reserve(context.Background(), r)
}

// waitUntilKnown is why mail waits, and has it go when the answer is there.
func (c *courier) waitUntilKnown(e *quota.UnknownError) *queue.Fault {
	context.AfterFunc(e.Over, func() { c.queue.Do((*queue.Locked).Known) })
	f := &queue.Fault{Scope: queue.ScopeAll, Early: true, Key: queue.KeyUnknown, Err: e, Reason: e.Error()}
	if c.account.Unreachable == UnreachableShare {
		f.After = max(shareAfter-e.For, 0)
	}
	f.After = cmp.Or(f.After, time.Minute)
	return f
}
