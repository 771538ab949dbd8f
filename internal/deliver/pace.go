package deliver

import (
	"context"
	"time"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/queue"
)

// With Account.Learn the messages a minute have no bound until the server refuses one because of its rate. The time
// of that refusal is a note on disk that all processes share: for an hour the documented number counts, then twice as
// many every ten minutes.

const (
	paceHour = time.Hour
	paceStep = 10 * time.Minute
	paceEnd  = paceHour + 6*paceStep // 64 times the documented number is none
	// probeLook is how often a courier looks whether another has an answer to what is above the documented number.
	probeLook = 100 * time.Millisecond
)

func paceNote(mailbox string) string { return "rate " + mailbox }

// perMinute is how many messages a mailbox may send in a minute now, 0 for no bound.
func (a *Account) perMinute(mailbox string, now time.Time) int {
	most := a.Limits.MessagesPerMinute
	if !a.Learn || most == 0 {
		return most
	}
	_, until, ok := a.Quota.Note(paceNote(mailbox))
	if !ok || !now.Before(until) {
		return 0
	}
	if grown := now.Sub(until.Add(-paceEnd)) - paceHour; grown >= 0 {
		return most << (1 + grown/paceStep)
	}
	return most
}

// learnPace notes that the server refused a message because of the rate.
func (a *Account) learnPace(mailbox string, stop *queue.Fault, now time.Time) {
	if a.Learn && stop != nil && (stop.Key == diagnose.KeyMessageRate || stop.Key == diagnose.KeyThrottled) {
		a.Quota.SetNote(paceNote(mailbox), "the server refused a message because of the rate", now.Add(paceEnd))
	}
}

// probe lets one message at a time go above the documented number, until as many more have been taken within a
// minute: a server that refuses the excess then refuses one message, not one on each connection. False means that
// another message is on its way.
func (a *Account) probe(mailbox string, now time.Time) (release func(), ok bool) {
	most := a.Limits.MessagesPerMinute
	if !a.Learn || most == 0 {
		return func() {}, true
	}
	if used, _ := a.Quota.Usage(mailbox, now); used+a.Connections <= most || used >= 2*most {
		return func() {}, true
	}
	return a.Quota.TrySlot(paceNote(mailbox), 1)
}

// awaitProbe is probe for a process without an agent, which can wait.
func (a *Account) awaitProbe(ctx context.Context, mailbox string) (release func(), err error) {
	for {
		release, ok := a.probe(mailbox, time.Now())
		if ok {
			return release, nil
		}
		if err := sleep(ctx, probeLook); err != nil {
			return nil, err
		}
	}
}
