package deliver

import (
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/history"
	"o365-sendmail/internal/maillog"
)

// The log has the same lines for a message whichever way it takes, and the queue id on each: who hands it
// in, "queued" if it comes into the spool, the fate of each recipient, and "removed" at the end.

// eventLog is the mail log, or a batch of lines for it.
type eventLog interface {
	Log(p maillog.Priority, id string, fields ...any)
}

// keeper is the mail log with the history, or a batch for both.
type keeper interface {
	eventLog
	keep(entries []history.Entry)
}

// journal writes to both at once.
type journal struct {
	*maillog.Logger
	past *history.Writer
}

func (j journal) keep(entries []history.Entry) { j.past.Record(entries[len(entries)-1].Time, entries) }

// Batch returns an empty batch.
func (j journal) Batch() *batch { return &batch{Batch: j.Logger.Batch(), past: j.past} }

// batch is for one goroutine. What is not flushed is lost with the process.
type batch struct {
	*maillog.Batch
	past    *history.Writer
	entries []history.Entry
}

func (b *batch) keep(entries []history.Entry) { b.entries = append(b.entries, entries...) }

// Flush writes what was gathered.
func (b *batch) Flush() {
	b.Batch.Flush()
	if n := len(b.entries); n > 0 {
		b.past.Record(b.entries[n-1].Time, b.entries)
		clear(b.entries)
		b.entries = b.entries[:0]
	}
}

// logArrival writes the line that takes a message in; size is in bytes, 0 when it is not known. more are names
// and values, of which empty ones are left out.
func logArrival(log eventLog, env *envelope.Envelope, size int64, recipients int, more ...string) {
	fields := []any{"uid", env.Caller.UID, "user", env.Caller.User, "from", "<" + env.Sender + ">"}
	if env.Origin != env.Sender {
		fields = append(fields, "orig", "<"+env.Origin+">")
	}
	if size > 0 {
		fields = append(fields, "size", size)
	}
	fields = append(fields, "nrcpt", recipients)
	for i := 0; i < len(more); i += 2 {
		if more[i+1] != "" {
			fields = append(fields, more[i], more[i+1])
		}
	}
	log.Log(maillog.Info, env.ID, fields...)
}

// logQueued writes the line of a message that came into the spool, and counts it.
func (e *core) logQueued(log eventLog, id string) {
	log.Log(maillog.Info, id, "", "queued")
	e.counters.add(func(c *Counters) { c.Queued++ })
}

// tellTry logs and counts what a try of a message of the queue has brought.
func (e *core) tellTry(log keeper, j *job, v *Outcome, relay string, now time.Time) {
	delay := now.Sub(j.item.Meta().Arrived)
	e.tell(log, j.id, j.env.Recipients, v, relay, delay, j.msg)
	e.rememberTry(log, j, v, delay)
}

// tell logs and counts an outcome. msg is not asked when the server took nothing.
func (e *core) tell(log eventLog, id string, to []envelope.Recipient, v *Outcome, relay string, delay time.Duration,
	msg envelope.Message) {
	delay = max(delay, 0)
	v.log(log, id, to, relay, delay)
	e.counters.add(func(c *Counters) {
		v.count(c)
		if v.taken > 0 {
			c.Delays.add(delay, v.taken)
			c.Sizes.add(msg.Size())
		}
	})
}
