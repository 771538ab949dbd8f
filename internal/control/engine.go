package control

import (
	"context"
	"strings"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/queueview"
)

// EngineHooks ties a queue to the agent's engine. mailbox returns the configured mailbox.
func EngineHooks(e *deliver.Engine, mailbox func() string, version string) Hooks {
	return Hooks{
		Status: func() queueview.Status {
			st := StatusOf(e.State(), mailbox())
			st.Agent, st.Version = true, version
			return st
		},
		Wake:       e.Wake,
		RetryFloor: e.RetryFloor,
		Flush: func(ctx context.Context, f queueview.Filter, ask bool) (done Flushed, err error) {
			if ask {
				done.Notes = e.Ask()
			}
			for _, sel := range Selections(f) {
				sel.Ask = ask
				k, err := e.Flush(ctx, sel)
				done.Messages += k
				if err != nil {
					return done, err
				}
			}
			return done, nil
		},
	}
}

// Selections says a filter in the engine's terms: everything that it chooses, due or not.
func Selections(f queueview.Filter) []deliver.Selection {
	sel := deliver.Selection{Sender: f.Sender, Recipient: f.Recipient, UID: f.UID, Force: true}
	if f.IDs == nil {
		return []deliver.Selection{sel}
	}
	var all []deliver.Selection
	for _, sel.ID = range f.IDs {
		all = append(all, sel)
	}
	return all
}

// StatusOf turns an engine's state into what is shown. mailbox is the configured one.
func StatusOf(s deliver.State, mailbox string) queueview.Status {
	st := queueview.Status{
		Mailbox: mailbox, Since: s.Started, Messages: s.Spool.Messages, Bytes: s.Spool.Bytes, Failed: s.Spool.Failed,
		Ready: s.Ready, Active: s.InFlight + s.Interactive,
		Sent: s.Counters.Sent, Deferred: s.Counters.Deferred, Bounced: s.Counters.Bounced + s.Counters.Expired,
		Stops: StopsOf(s.Stops),
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Kind != notify.Held {
			st.Alerts = append(st.Alerts, queueview.Alert{Kind: string(c.Kind), Critical: c.Critical(),
				Text: c.Line(s.Now)})
		}
	}
	for i := range s.Mailboxes {
		m := &s.Mailboxes[i]
		st.Sessions += m.Sessions
		if m.PacedUntil.After(s.Now) {
			st.Stops = append(st.Stops, queueview.Stop{
				Mailbox: m.Name, Key: KeyRate, Reason: "the account's sending limits are used up for now", Next: m.PacedUntil,
			})
		}
	}
	return st
}

// KeyRate is the key of a stop by the rates that the account is allowed.
const KeyRate = "rate"

// StopsOf turns an engine's stops into what is shown.
func StopsOf(stops []queue.Stop) []queueview.Stop {
	var all []queueview.Stop
	for _, s := range stops {
		all = append(all, queueview.Stop{
			Author: s.Author, Outside: s.Outside, UID: s.UID, Mailbox: s.Mailbox,
			All: s.Mailbox == "" && s.Sender == "", Sender: s.Sender, Hold: s.Held,
			// The reason is for everybody, the remedy for administrators (Stop.Harmless).
			Key: s.Key, Reason: without(s.Reason, s.Remedy), Remedy: s.Remedy, Since: s.Since, Next: s.Next,
			Tries: s.Failures,
		})
	}
	return all
}

// without takes the remedy out of a reason, where it stands before the server's words.
func without(reason, remedy string) string {
	if remedy == "" {
		return reason
	}
	return strings.Replace(reason, "; "+remedy, "", 1)
}

// stale is the age after which a state file tells nothing about the present any more.
const stale = 24 * time.Hour

// StopsFromFile returns what the last engine left in its state file: why mail waits when no
// agent can be asked. It is empty when the file tells nothing.
func StopsFromFile(path string, now time.Time) []queueview.Stop {
	f, err := deliver.ReadState(path)
	if err != nil || now.Sub(f.Written) > stale {
		return nil
	}
	return StopsOf(f.Stops)
}
