package deliver

import (
	"cmp"
	"context"
	"fmt"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
)

// The delivery modes.
const (
	ModeInteractive = "interactive"
	ModeBackground  = "background"
	ModeQueue       = "queue"
)

// Submit takes responsibility for a message. In the mode "interactive" it is tried at once, and
// committed to the spool only if the server has not answered within the configured
// wait; a message that is refused for good in that time is refused to the caller. "background"
// commits it and wakes the engine; "queue" leaves it to the next look at the spool. Without a spool there
// is no mode but "interactive", and what can't be delivered is refused.
func (e *Engine) Submit(ctx context.Context, env *envelope.Envelope, msg envelope.Message) (envelope.Receipt, error) {
	return e.submission(env, HandIn{}).submit(ctx, msg)
}

// ModeOf is how a message is delivered: as it asks, else as configured; what only the agent may send is queued.
func (e *Engine) ModeOf(env *envelope.Envelope) string {
	if a := e.config().Account; a != nil && a.AgentOnly {
		return ModeQueue
	}
	return cmp.Or(env.Mode, e.config().Mode, ModeInteractive)
}

func notKept(err error) error {
	return sysexits.With(sysexits.Code(err, sysexits.TempFail), fmt.Errorf("the message was not queued: %w", err))
}

func queued(id string, recipients []envelope.Recipient) envelope.Receipt {
	r := envelope.Receipt{QueueID: id, Queued: true}
	for i := range recipients {
		r.Accepted = append(r.Accepted, recipients[i].Address)
	}
	return r
}

// addNew puts a message into the queue whose data is at hand.
func (e *core) addNew(id string, env *envelope.Envelope, st spool.Status) {
	e.add(&spool.Info{ID: id, Meta: metaOf(env), Envelope: *env, Status: st}, false)
}

func all(n int) []int {
	todo := make([]int, n)
	for i := range todo {
		todo[i] = i
	}
	return todo
}

var _ envelope.Submitter = (*Engine)(nil)
